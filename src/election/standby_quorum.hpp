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

// Who must not stream while a compute goes from one such setting to another. A sender counts each standby whose own sender takes it for one, so
// with senders that go by different settings a commit could be acknowledged that no quorum has; with no sender there is none that does.
std::vector<std::string> named_by_either(std::vector<std::string> before, const std::vector<std::string>& after);

}  // namespace bough::election
