#include "election/tip.hpp"

#include <algorithm>
#include <string>

namespace bough::election {

Result<Tip> find_tip(const std::vector<Result<Standing>>& answers) {
    std::size_t majority = answers.size() / 2 + 1;
    std::vector<std::size_t> known;
    std::size_t without = 0;
    std::string failure;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (answers[i]) known.push_back(i);
        else if (answers[i].error().code == ErrorCode::not_found) ++without;
        else failure = answers[i].error().message;
    }
    if (known.size() + without < majority) {
        return Error{ErrorCode::unavailable, "no majority of the safekeepers answers: " + failure,
                     "`bough status` shows which daemons run"};
    }
    // What fewer than a majority keep has no acknowledged commit only if all could be asked; a branch is made on all of them
    // before its first compute starts, so a majority without it means that none ever did.
    if (without >= majority) return Tip{0, {}, true, true};

    std::sort(known.begin(), known.end(), [&](auto a, auto b) { return answers[a]->more_advanced_than(*answers[b]); });
    const auto& newest = *answers[known.front()];
    if (known.size() == answers.size() && answers[known[majority - 1]]->last_term == newest.last_term) {
        // A majority has it, and every acknowledged commit is on a majority.
        return Tip{known[majority - 1], answers[known[majority - 1]]->end, true, false};
    }
    // An acknowledged commit is on at least one of any majority.
    return Tip{known.front(), newest.end, newest.commit >= newest.end, false};
}

}  // namespace bough::election
