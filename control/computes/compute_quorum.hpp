// Making a running compute wait for another quorum, without a restart.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "compute/launcher/compute_settings.hpp"

namespace bough::control {

// When it returns, every commit that is acknowledged from now on was waited for with this quorum; the position is one that nothing
// acknowledged before lies beyond. `superuser` is a conninfo of the compute in `directory`.
//
// In Postgres it is the WAL senders that decide whether a commit has been waited for, each by the setting as it has read it. Nothing
// tells whether a sender has read it; but one that began after the postmaster did so has it. So those that are older are ended: their
// safekeepers are back within milliseconds. Doing it again changes nothing more.
//
// A sender counts all those that by the setting they have read themselves are standbys, whoever its own setting names. So while the setting
// changes there is no sender at all (election::named_by_either): all safekeepers are kept away from before the server is told until it has read
// it, and one whose sender does not end leaves all as it was. `leavers` are kept away in any case: they may still have a sender.
Result<Lsn> require_quorum(const std::string& superuser, const std::filesystem::path& directory, const compute::StandbyQuorum& quorum,
                           const std::vector<std::string>& leavers);

}  // namespace bough::control
