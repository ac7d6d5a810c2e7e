#include "pageserver/branching/restore_window.hpp"

#include <algorithm>
#include <vector>

#include "base/timestamp.hpp"
#include "pageserver/branching/postgres_time.hpp"
#include "pageserver/branching/time_index.hpp"
#include "pageserver/branching/view.hpp"

namespace bough::pageserver {
namespace {

// All versions on this branch alone up to `at`, newest first.
Result<std::vector<LengthVersion>> read_length_versions(Cursor& cursor, const Branch& branch, const ObjectKey& object, Lsn at) {
    std::vector<LengthVersion> versions;
    BOUGH_ASSIGN(bool found, cursor.seek(branch.number(), object, at));
    while (found) {
        BOUGH_ASSIGN(const auto content, decode_presence(cursor.value()));
        std::uint32_t pages = 0;
        if (content) {
            BOUGH_ASSIGN(pages, decode_length(*content));
        }
        versions.push_back({cursor.lsn(), pages});
        BOUGH_ASSIGN(found, cursor.next_older());
    }
    return versions;
}

}  // namespace

Result<Lsn> cutoff_for(const Branch& branch, const RestoreWindow& window, std::int64_t now) {
    const Lsn start = branch.row().start.lsn;
    const Lsn end = branch.ingest_lsn();
    if (end <= start) return start;
    const std::int64_t began = now - window.time.count();
    BOUGH_ASSIGN(const auto last, last_commit_by(branch, began));
    Lsn cutoff = last.value_or(start);
    if (window.bytes > 0) cutoff = std::min(cutoff, window.bytes < end - start ? Lsn{end.value - window.bytes} : start);
    // Above what is durable a crash takes versions away, and the branch goes on from there: it must be readable there.
    cutoff = std::min(cutoff, branch.store().durable_lsn(branch.number()));
    if (cutoff <= start) return start;
    // A commit's end, so that the oldest place is one that can be asked for.
    BOUGH_ASSIGN(const auto commit, last_commit_below(branch, cutoff));
    return commit.value_or(start);
}

Error before_the_window(const Branch& branch, const std::string& asked) {
    const Lsn oldest = branch.cutoff();
    std::string place = "the oldest possible is " + oldest.to_string();
    if (const auto time = latest_commit_time(branch, oldest)) place += ", " + timestamp_text(from_postgres_time(*time));
    return Error{ErrorCode::out_of_range, asked + " lies before the restore window of the branch: " + place,
                 "a longer restore window keeps more from now on; what was dropped does not come back"};
}

Result<void> check_history_reaches(const Branch& branch, Lsn at) {
    if (at < branch.history_begin())
        return Error{ErrorCode::out_of_range, at.to_string() + " lies before the history of the project",
                     "it begins at " + branch.history_begin().to_string()};
    const Branch* one = &branch;
    while (at < one->row().start.lsn) one = one->parent();  // ends: the root begins where history does
    if (one->keeps(at)) return {};
    return before_the_window(*one, at.to_string());
}

Result<ForkReach> read_fork_reach(const Branch& branch, const KeptPoints& kept) {
    ForkReach reach;
    reach.known_to = branch.ingest_lsn();
    Cursor cursor = branch.store().cursor();
    for (const Kind kind : {Kind::fork_length, Kind::slru_segment}) {
        std::map<ObjectKey, std::string> objects;
        const ObjectRange all = ObjectRange::of_kind(kind);
        BOUGH_TRY(branch.store().scan(branch.number(), all.begin, all.end, reach.known_to, objects));
        for (const auto& [object, value] : objects) {
            BOUGH_ASSIGN(const auto versions, read_length_versions(cursor, branch, object, reach.known_to));
            const auto pages = reach_of(versions, kept);
            // Whether it shrank cannot be told: its older lengths may have gone already.
            if (pages) reach.pages.emplace(object, *pages);
        }
    }
    return reach;
}

}  // namespace bough::pageserver
