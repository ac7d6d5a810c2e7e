// From moments to log positions, exact to the commit.
//
// Commit times do not always rise along the log. "The state at T" is the state just before the first commit later than T, and
// that commit is later than all before it: so only commits that raise the maximum so far are indexed, by LSN, and their times
// rise with it.
#pragma once

#include <cstdint>
#include <optional>

#include "bough/error.hpp"
#include "pageserver/branching/branch.hpp"
#include "pageserver/page_store/rows.hpp"

namespace bough::pageserver {

// The latest commit time in the history of the branch up to `at`; for a branch without commits, when its root was made.
Result<std::int64_t> latest_commit_time(const Branch& branch, Lsn at);

// The end of the branch's own newest commit, of those that count, at or below `at`; nullopt: it has none.
Result<std::optional<Lsn>> last_commit_below(const Branch& branch, Lsn at);

// The end of the branch's own last commit, of those that count, at or before `time`; nullopt: it has none.
Result<std::optional<Lsn>> last_commit_by(const Branch& branch, std::int64_t time);

// Where the branch stood at `time`: just before its first commit later than that, or its end when there is none. Looks at what
// has been ingested. ErrorCode::out_of_range when the moment lies before the branch began or before its
// restore window.
Result<LogPosition> position_at(const Branch& branch, std::int64_t time);

}  // namespace bough::pageserver
