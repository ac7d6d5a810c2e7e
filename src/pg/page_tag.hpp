// What names a page: Postgres's relation file node, fork and block.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace bough::pg {

inline constexpr std::size_t kPageBytes = 8192;
using Page = std::span<std::byte, kPageBytes>;
using ConstPage = std::span<const std::byte, kPageBytes>;

// Postgres's ForkNumber.
enum class Fork : std::uint8_t { main = 0, free_space = 1, visibility = 2, init = 3 };

// Postgres's RelFileNode: tablespace, database (0 for shared relations), relation file number.
struct Relation {
    std::uint32_t tablespace = 0;
    std::uint32_t database = 0;
    std::uint32_t number = 0;
    auto operator<=>(const Relation&) const = default;
};

struct RelationFork {
    Relation relation;
    Fork fork = Fork::main;
    auto operator<=>(const RelationFork&) const = default;
};

struct PageTag {
    RelationFork fork;
    std::uint32_t block = 0;
    auto operator<=>(const PageTag&) const = default;
};

// Postgres's SLRU caches that survive a restart.
enum class Slru : std::uint8_t { xact = 0, multixact_offsets = 1, multixact_members = 2, commit_ts = 3 };

}  // namespace bough::pg

template <>
struct std::hash<bough::pg::RelationFork> {
    std::size_t operator()(const bough::pg::RelationFork& f) const noexcept {
        std::uint64_t x = (std::uint64_t{f.relation.database} << 32 | f.relation.number) * 0x9E3779B97F4A7C15ull;
        x ^= (std::uint64_t{f.relation.tablespace} << 8 | static_cast<std::uint8_t>(f.fork)) * 0xC2B2AE3D27D4EB4Full;
        return static_cast<std::size_t>(x ^ x >> 29);
    }
};
template <>
struct std::hash<bough::pg::PageTag> {
    std::size_t operator()(const bough::pg::PageTag& t) const noexcept {
        return std::hash<bough::pg::RelationFork>{}(t.fork) * 31 + t.block * 0x9E3779B1u;
    }
};
