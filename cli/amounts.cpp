#include "cli/amounts.hpp"

#include <charconv>
#include <limits>
#include <span>
#include <string>

namespace bough::cli {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr Unit kDurations[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 7 * 86400}};
constexpr Unit kSizes[] = {{"", 1}, {"B", 1}, {"kB", 1ull << 10}, {"MB", 1ull << 20}, {"GB", 1ull << 30}, {"TB", 1ull << 40}};

Result<std::uint64_t> parse(std::string_view text, std::span<const Unit> units, const char* what, const char* hint) {
    std::uint64_t number = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    if (failed == std::errc{})
        for (const Unit& known : units)
            if (unit == known.name && number <= std::numeric_limits<std::uint64_t>::max() / known.factor)
                return number * known.factor;
    return Error{ErrorCode::invalid_argument, std::string("invalid ") + what + " \"" + std::string(text.substr(0, 80)) + "\"",
                 hint};
}

}  // namespace

Result<std::uint64_t> parse_duration(std::string_view text) {
    return parse(text, kDurations, "duration", "write it as 30m, 12h or 7d; the units are s, m, h, d and w");
}

Result<std::uint64_t> parse_byte_size(std::string_view text) {
    return parse(text, kSizes, "size", "write it as 512MB or 10GB; the units are B, kB, MB, GB and TB");
}

}  // namespace bough::cli
