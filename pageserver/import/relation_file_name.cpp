#include "pageserver/import/relation_file_name.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace bough::pageserver {
namespace {

constexpr std::array<std::pair<pg::Fork, std::string_view>, 4> kForkSuffixes = {{
    {pg::Fork::main, ""},
    {pg::Fork::free_space, "_fsm"},
    {pg::Fork::visibility, "_vm"},
    {pg::Fork::init, "_init"},
}};

// A decimal number without leading zeros, above zero.
std::optional<std::uint32_t> take_number(std::string_view& text) {
    std::uint32_t number = 0;
    if (text.empty() || text.front() == '0') return std::nullopt;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failed != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return number;
}

}  // namespace

std::optional<RelationFileName> parse_relation_file_name(std::string_view name) {
    RelationFileName parsed;
    const auto relation = take_number(name);
    if (!relation) return std::nullopt;
    parsed.relation = *relation;
    for (const auto& [fork, suffix] : kForkSuffixes) {
        if (suffix.empty() || !name.starts_with(suffix)) continue;
        parsed.fork = fork;
        name.remove_prefix(suffix.size());
        break;
    }
    if (!name.empty() && name.front() == '.') {
        name.remove_prefix(1);
        const auto segment = take_number(name);
        if (!segment) return std::nullopt;
        parsed.segment = *segment;
    }
    if (!name.empty()) return std::nullopt;
    return parsed;
}

std::string relation_file_name(std::uint32_t relation, pg::Fork fork) {
    return std::to_string(relation).append(kForkSuffixes[static_cast<std::size_t>(fork)].second);
}

}  // namespace bough::pageserver
