// Where a branch's log ends, by what its safekeepers tell.
#pragma once

#include <cstddef>
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

// `answers`: of every member, in any order; not_found from those that keep no WAL of the branch. unavailable without a majority.
Result<Tip> find_tip(const std::vector<Result<Standing>>& answers);

}  // namespace bough::election
