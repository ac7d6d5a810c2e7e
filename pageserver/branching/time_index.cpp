#include "pageserver/branching/time_index.hpp"

#include "bough/check.hpp"
#include "pageserver/branching/postgres_time.hpp"
#include "pageserver/branching/restore_window.hpp"
#include "pageserver/branching/view.hpp"

namespace bough::pageserver {
namespace {

struct IndexedCommit {
    Lsn lsn;
    CommitTime commit;
};

// The newest indexed commit on this branch alone that ends at or below `at`.
Result<std::optional<IndexedCommit>> newest_commit(Cursor& cursor, const Branch& branch, Lsn at) {
    BOUGH_ASSIGN(const bool found, cursor.seek(branch.number(), ObjectKey::single(Kind::commit_time), at));
    if (!found) return std::optional<IndexedCommit>{};
    BOUGH_ASSIGN(const auto content, decode_presence(cursor.value()));
    if (!content) return Error{ErrorCode::corrupt, "stored commit time is damaged", {}};
    BOUGH_ASSIGN(const CommitTime commit, decode_commit_time(*content));
    return std::optional{IndexedCommit{cursor.lsn(), commit}};
}

Error before_the_branch(const Branch& branch, std::int64_t began) {
    return Error{ErrorCode::out_of_range, "branch \"" + branch.row().id.str() + "\" did not exist at that time",
                 "its history begins at " + timestamp_text(from_postgres_time(began)) + (branch.parent() != nullptr ? "; ask its parent" : "")};
}

}  // namespace

Result<std::int64_t> latest_commit_time(const Branch& branch, Lsn at) {
    Cursor cursor = branch.store().cursor();
    const Branch* one = &branch;
    while (true) {
        BOUGH_ASSIGN(const auto found, newest_commit(cursor, *one, at));
        if (found) return found->commit.time;
        if (one->parent() == nullptr) return one->row().created_at;
        at = std::min(at, one->row().start.lsn);
        one = one->parent();
    }
}

// The branch's own first commit, of those indexed, later than `time`; nullopt: none. `time` is not before the last one at or below
// `low`, a place that history is kept from.
namespace {
Result<std::optional<IndexedCommit>> first_commit_after(Cursor& cursor, const Branch& branch, std::int64_t time, Lsn low) {
    BOUGH_ASSIGN(auto last, newest_commit(cursor, branch, branch.ingest_lsn()));
    if (!last || last->commit.time <= time) return std::optional<IndexedCommit>{};
    // Invariant: `first_later` is later than `time`; nothing that ends at or below `low` is.
    IndexedCommit first_later = *last;
    while (low < first_later.lsn) {
        const Lsn middle = low + (first_later.lsn - low - 1) / 2;  // low <= middle < first_later.lsn
        BOUGH_ASSIGN(const auto found, newest_commit(cursor, branch, middle));
        if (found && found->commit.time > time) {
            BOUGH_CHECK(found->lsn < first_later.lsn);
            first_later = *found;
        } else {
            low = middle + 1;
        }
    }
    return std::optional{first_later};
}
}  // namespace

Result<std::optional<Lsn>> last_commit_below(const Branch& branch, Lsn at) {
    Cursor cursor = branch.store().cursor();
    BOUGH_ASSIGN(const auto found, newest_commit(cursor, branch, at));
    if (!found) return std::optional<Lsn>{};
    return std::optional{found->lsn};
}

Result<std::optional<Lsn>> last_commit_by(const Branch& branch, std::int64_t time) {
    Cursor cursor = branch.store().cursor();
    BOUGH_ASSIGN(const auto later, first_commit_after(cursor, branch, time, branch.row().start.lsn));
    // Just below it, or where the log ends.
    BOUGH_ASSIGN(const auto last, newest_commit(cursor, branch, later ? Lsn{later->lsn.value - 1} : branch.ingest_lsn()));
    if (!last) return std::optional<Lsn>{};
    return std::optional{last->lsn};
}

Result<LogPosition> position_at(const Branch& branch, std::int64_t time) {
    BOUGH_ASSIGN(const std::int64_t began, latest_commit_time(branch, branch.row().start.lsn));
    if (time < began) return before_the_branch(branch, began);
    const LogPosition end = branch.ingested();
    const Lsn cutoff = branch.cutoff();
    BOUGH_ASSIGN(const std::int64_t oldest, latest_commit_time(branch, cutoff));
    if (time < oldest) return before_the_window(branch, timestamp_text(from_postgres_time(time)));
    Cursor cursor = branch.store().cursor();
    BOUGH_ASSIGN(const auto later, first_commit_after(cursor, branch, time, cutoff));
    return later ? later->commit.before : end;
}

}  // namespace bough::pageserver
