#include "election/tip.hpp"

#include <algorithm>
#include <set>
#include <string>

namespace bough::election {

Result<Tip> find_tip(const std::vector<Result<Standing>>& answers, std::vector<std::string> names, Configuration initial) {
    if (names.empty())
        for (std::size_t i = 0; i < answers.size(); ++i) names.push_back(std::to_string(i));
    if (initial.generation == 0) initial = {1, names, {}};
    std::vector<std::size_t> known;
    std::vector<Standing> told;
    std::set<std::string> there, without;
    std::string failure;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (answers[i]) {
            known.push_back(i);
            told.push_back(*answers[i]);
            there.insert(names[i]);
        } else if (answers[i].error().code == ErrorCode::not_found) {
            without.insert(names[i]);
            there.insert(names[i]);
        } else {
            failure = answers[i].error().message;
        }
    }
    auto configuration = in_force(told, initial);
    if (!is_quorum(configuration, there)) {
        return Error{ErrorCode::unavailable, "no majority of the safekeepers answers: " + failure,
                     "`bough status` shows which daemons run"};
    }
    // What fewer than a majority keep has no acknowledged commit only if all could be asked; a branch is made on all of them
    // before its first compute starts, so a majority without it means that none ever did.
    if (is_quorum(configuration, without)) return Tip{0, {}, true, true};

    std::sort(known.begin(), known.end(), [&](auto a, auto b) { return answers[a]->more_advanced_than(*answers[b]); });
    const auto& newest = *answers[known.front()];
    auto members = known;
    std::erase_if(members, [&](std::size_t i) { return !is_member(configuration, names[i]); });
    const auto majority = majority_of(configuration.members.size());
    // Who catches up in a newer term has bytes of older ones that it did not have when it voted for that term: they count for nothing.
    bool counts = members.size() >= majority && std::all_of(members.begin(), members.begin() + static_cast<std::ptrdiff_t>(majority), [&](auto i) {
        return answers[i]->last_term == newest.last_term && answers[i]->configured_in <= answers[i]->last_term;
    });
    if (!configuration.joint() && members.size() == configuration.members.size() && counts) {
        // A majority has it, and every acknowledged commit is on a majority.
        return Tip{members[majority - 1], answers[members[majority - 1]]->end, true, false};
    }
    // An acknowledged commit is on at least one of any majority.
    return Tip{known.front(), newest.end, newest.commit >= newest.end, false};
}

}  // namespace bough::election
