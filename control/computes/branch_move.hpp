// Bringing one branch from the safekeepers that keep it to others, while its compute writes. docs/decisions/0010-joint-membership.md.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "control/catalog/catalog.hpp"
#include "control/storage/quorum.hpp"
#include "election/member_exchange.hpp"

namespace bough::control {

// The compute that writes the branch meanwhile.
struct RunningCompute {
    std::filesystem::path directory;
    std::string superuser;  // libpq conninfo
};

struct MoveOutcome {
    bool there = false;
    std::string waiting_for;    // when not there yet
    Configuration configuration;  // the newest that is in force
    std::vector<std::string> unrested;  // who left and did not answer: to be put to rest once it does
};

using MoveTarget = election::ExchangeGoal;

// Goes as far as it can now: who follows, what is in force and what is committed is asked of the safekeepers each time, so it can be
// called again after anything, by another process too. `order` is that of the running term and gets the configuration; the caller
// sees to it that nobody else orders for this branch meanwhile. `quorum` names everybody of the old and the new members.
Result<MoveOutcome> move_branch(const Quorum& quorum, const BranchRow& branch, const BranchStart& start, const MoveTarget& target,
                                BeginOrder& order, const std::optional<RunningCompute>& compute);

// Puts to rest those of `quorum` who do not count in this configuration; who did not answer, and must be told later.
std::vector<std::string> let_rest(const Quorum& quorum, const BranchRow& branch, const Positions& positions, const Configuration& configuration);

}  // namespace bough::control
