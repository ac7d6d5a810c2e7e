// Winning a branch's safekeepers for a new compute (design, section 4): vote, choose the start, begin.
#pragma once

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "control/catalog/catalog.hpp"
#include "control/storage/quorum.hpp"

namespace bough::control {

struct Elected {
    Term term;
    Position start;                           // where the compute's WAL begins
    std::shared_ptr<SafekeeperClient> donor;  // has the whole log up to there
    BeginOrder order;                         // for members that join later
    std::set<std::string> joined;             // who has begun the term
};

// Every safekeeper that answers keeps (or begins to keep) the branch's WAL; a majority must.
Result<void> ensure_kept(const Quorum& quorum, Catalog& catalog, const BranchRow& branch);

// Fences any older compute, then makes a majority begin a new term at the end of the most advanced log. `source` is the conninfo
// of the compute that will be started. unavailable without a majority.
Result<Elected> elect(const Quorum& quorum, const BranchRow& branch, const std::string& source);

// Brings a safekeeper into the running term after it was away, or before it counts. timeout: it is in the term but still catches up.
Result<void> join(const Quorum& quorum, const std::string& name, const BranchRow& branch, const BranchStart& start, BeginOrder order,
                  std::chrono::milliseconds patience = std::chrono::seconds(50));

// Ends streaming on all members that answer, by promising a term that no compute will have.
void fence(const Quorum& quorum, const BranchRow& branch);

BranchStart branch_start(const BranchRow& branch, SystemId system_id);

}  // namespace bough::control
