// Where a branch's log ends, by what its safekeepers tell.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "bough/error.hpp"
#include "election/standing.hpp"

namespace bough::election {

// An end of the log at or above every commit acknowledged before the members were asked.
struct Tip {
    std::size_t member = 0;  // whose log ends there
    Lsn end;
    bool committed = false;  // a majority is known to have it; when not, it may be known to one only
    bool none = false;       // a majority keeps no WAL of this branch: its log ends where it began
};

// `answers`: of everybody who may keep the branch, in the order of their `names`; not_found from those that keep no WAL of it. `initial` is
// its configuration when none of them knows one: all of them when it has no generation. unavailable without a quorum.
Result<Tip> find_tip(const std::vector<Result<Standing>>& answers, std::vector<std::string> names = {}, Configuration initial = {});

}  // namespace bough::election
