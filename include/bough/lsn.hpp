// A byte position in a branch's write-ahead log, as Postgres counts it (XLogRecPtr).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bough {

struct Lsn {
    std::uint64_t value = 0;

    constexpr Lsn() = default;
    constexpr explicit Lsn(std::uint64_t v) : value(v) {}

    constexpr auto operator<=>(const Lsn&) const = default;
    constexpr Lsn operator+(std::uint64_t bytes) const { return Lsn{value + bytes}; }
    constexpr std::uint64_t operator-(Lsn other) const { return value - other.value; }
    // Postgres's InvalidXLogRecPtr: no position.
    constexpr bool valid() const { return value != 0; }

    // Postgres's text form, "16/B374D848".
    std::string to_string() const;
    // Accepts exactly that form (one to eight hex digits on both sides); nothing else.
    static std::optional<Lsn> parse(std::string_view text);
};

}  // namespace bough
