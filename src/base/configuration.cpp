#include "bough/configuration.hpp"

#include <algorithm>
#include <functional>

namespace bough {
namespace {

Result<void> check_list(const std::vector<std::string>& names) {
    if (names.size() > kMembersMax)
        return Error{ErrorCode::invalid_argument, std::to_string(names.size()) + " safekeepers are too many", "at most 7 keep a branch"};
    std::set<std::string> seen;
    for (const auto& name : names)
        if (name.empty() || !seen.insert(name).second)
            return Error{ErrorCode::invalid_argument, "safekeeper \"" + name + "\" cannot be listed so", "each is named once"};
    return {};
}

bool majority_in(const std::vector<std::string>& list, const std::set<std::string>& names) {
    auto there = std::count_if(list.begin(), list.end(), [&](const auto& name) { return names.contains(name); });
    return static_cast<std::size_t>(there) >= majority_of(list.size());
}

Lsn end_in(const std::vector<std::string>& list, const std::map<std::string, Lsn>& ends) {
    std::vector<Lsn> reached;
    for (const auto& name : list)
        if (auto found = ends.find(name); found != ends.end()) reached.push_back(found->second);
    if (reached.size() < majority_of(list.size())) return Lsn{};
    std::sort(reached.begin(), reached.end(), std::greater<>());
    return reached[majority_of(list.size()) - 1];
}

std::string words(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : " ") + name;
    return text;
}

}  // namespace

Result<void> check_configuration(const Configuration& configuration) {
    if (configuration.generation == 0 || configuration.members.empty())
        return Error{ErrorCode::invalid_argument, "a configuration has a generation and members", {}};
    BOUGH_TRY(check_list(configuration.members));
    return check_list(configuration.next);
}

std::vector<std::string> everybody(const Configuration& configuration) {
    auto all = configuration.members;
    for (const auto& name : configuration.next)
        if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
    return all;
}

bool is_member(const Configuration& configuration, const std::string& name) {
    auto all = everybody(configuration);
    return std::find(all.begin(), all.end(), name) != all.end();
}

std::size_t majority_of(std::size_t members) { return members / 2 + 1; }

bool is_quorum(const Configuration& configuration, const std::set<std::string>& names) {
    return majority_in(configuration.members, names) && (!configuration.joint() || majority_in(configuration.next, names));
}

Lsn quorum_end(const Configuration& configuration, const std::map<std::string, Lsn>& ends) {
    Lsn end = end_in(configuration.members, ends);
    return configuration.joint() ? std::min(end, end_in(configuration.next, ends)) : end;
}

std::string to_string(const Configuration& configuration) {
    if (configuration.generation == 0) return "none";
    return std::to_string(configuration.generation) + ": " + words(configuration.members) +
           (configuration.joint() ? ", then " + words(configuration.next) : "");
}

}  // namespace bough
