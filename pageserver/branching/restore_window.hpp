// How far back the branches of a project can be read and branched from.
#pragma once

#include <chrono>
#include <cstdint>

#include "bough/error.hpp"
#include "pageserver/branching/branch.hpp"

namespace bough::pageserver {

// A project's. History is kept for as long as either says; what pins keep comes on top.
struct RestoreWindow {
    std::chrono::microseconds time = std::chrono::hours(24 * 7);
    std::uint64_t bytes = 0;  // of WAL before a branch's end
    bool operator==(const RestoreWindow&) const = default;
};

// The highest cutoff that leaves the branch its window as of `now` (microseconds since 2000-01-01): the end of a commit that was the
// last one when the window began, or of what is durable if that is less; the branch's beginning when all of it lies inside.
Result<Lsn> cutoff_for(const Branch& branch, const RestoreWindow& window, std::int64_t now);

// out_of_range, with the oldest place and moment there still are, unless the branch can be read at `at`; below the branch's
// beginning its ancestors decide.
Result<void> check_history_reaches(const Branch& branch, Lsn at);
// That error; `asked` is what lies too far back. Names the oldest place of this branch's own window.
Error before_the_window(const Branch& branch, const std::string& asked);

// What compactions may drop pages by: how far the branch's own forks and SLRU segments reach for kept reads.
Result<ForkReach> read_fork_reach(const Branch& branch, const KeptPoints& kept);

}  // namespace bough::pageserver
