// How a compute is told, in the words of stock Postgres, what a commit waits for.
#pragma once

#include <set>
#include <string>

#include "bough/configuration.hpp"
#include "compute/launcher/compute_settings.hpp"

namespace bough::control {

// "Any `count` of `standbys`" such that whichever these are, they are a quorum of the configuration. Postgres cannot say "a majority of
// one list and of another", so while members change this may ask for more than a quorum needs; it is then the choice that most members
// can fail, counting those that `live` does not name as failed.
compute::StandbyQuorum standby_quorum(const Configuration& configuration, const std::set<std::string>& live);

}  // namespace bough::control
