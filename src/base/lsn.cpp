#include "bough/lsn.hpp"

#include <charconv>
#include <cstdio>

namespace bough {
namespace {

std::optional<std::uint32_t> parse_half(std::string_view text) {
    if (text.empty() || text.size() > 8) return std::nullopt;
    std::uint32_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

std::string Lsn::to_string() const {
    char text[20];
    std::snprintf(text, sizeof text, "%X/%X", static_cast<unsigned>(value >> 32), static_cast<unsigned>(value));
    return text;
}

std::optional<Lsn> Lsn::parse(std::string_view text) {
    auto slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    auto high = parse_half(text.substr(0, slash));
    auto low = parse_half(text.substr(slash + 1));
    if (!high || !low) return std::nullopt;
    return Lsn{std::uint64_t{*high} << 32 | *low};
}

}  // namespace bough
