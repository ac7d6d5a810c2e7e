#include "election/standby_quorum.hpp"

#include <algorithm>
#include <iterator>
#include <optional>

#include "bough/check.hpp"

namespace bough::election {
namespace {

// So many of `names` that at least a majority of `list` is among them; nothing when all of them are too few.
std::optional<std::size_t> count_for(const std::vector<std::string>& names, const std::vector<std::string>& list) {
    auto outside = static_cast<std::size_t>(
        std::count_if(names.begin(), names.end(), [&](const auto& name) { return std::find(list.begin(), list.end(), name) == list.end(); }));
    std::size_t count = outside + majority_of(list.size());
    if (count > names.size()) return std::nullopt;
    return count;
}

}  // namespace

StandbyQuorum standby_quorum(const Configuration& configuration, const std::set<std::string>& live) {
    auto everyone = everybody(configuration);
    BOUGH_CHECK(!everyone.empty() && everyone.size() <= 2 * kMembersMax);
    std::optional<StandbyQuorum> best;
    long best_spare = 0;
    // Few enough to try every choice of names.
    for (unsigned choice = 1; choice < 1u << everyone.size(); ++choice) {
        std::vector<std::string> names;
        for (std::size_t i = 0; i < everyone.size(); ++i)
            if (choice >> i & 1) names.push_back(everyone[i]);
        auto count = count_for(names, configuration.members);
        if (count && configuration.joint()) {
            auto other = count_for(names, configuration.next);
            count = other ? std::optional(std::max(*count, *other)) : std::nullopt;
        }
        if (!count) continue;
        auto up = std::count_if(names.begin(), names.end(), [&](const auto& name) { return live.contains(name); });
        long spare = up - static_cast<long>(*count);
        // Of two that can lose as many live ones, the one that names more: those that are away now may come back.
        if (!best || spare > best_spare || (spare == best_spare && names.size() - *count > best->standbys.size() - best->count)) {
            best = StandbyQuorum{*count, std::move(names)};
            best_spare = spare;
        }
    }
    BOUGH_CHECK(best.has_value());  // all of everybody is a quorum
    return *best;
}

std::vector<std::string> named_by_either(std::vector<std::string> before, const std::vector<std::string>& after) {
    for (const auto& name : after)
        if (std::find(before.begin(), before.end(), name) == before.end()) before.push_back(name);
    return before;
}

}  // namespace bough::election
