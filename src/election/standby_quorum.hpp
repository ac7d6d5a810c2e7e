// How a compute is told, in the words of stock Postgres, what a commit waits for.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "bough/configuration.hpp"

namespace bough::election {

// A commit waits for any `count` of these safekeepers, which are named without the "bough_" of their standbys' names.
struct StandbyQuorum {
    std::size_t count = 0;
    std::vector<std::string> standbys;
    bool operator==(const StandbyQuorum&) const = default;
};

// "Any `count` of `standbys`" such that whichever these are, they are a quorum of the configuration. Postgres cannot say "a majority of
// one list and of another", so while members change this may ask for more than a quorum needs; it is then the choice that most members
// can fail, counting those that `live` does not name as failed.
StandbyQuorum standby_quorum(const Configuration& configuration, const std::set<std::string>& live);

// Whom only one of two lists names. A WAL sender of Postgres counts all those whose own senders, by what these have read, take them for
// standbys, whomever its own list names. So while some senders go by `before` and some by `after`, one of these could make up the number of a
// list that does not name it, with others that are no quorum of anything: they must not stream until all go by `after`.
std::vector<std::string> named_once(const std::vector<std::string>& before, const std::vector<std::string>& after);

}  // namespace bough::election
