#include "pageserver/branching/view.hpp"

#include <algorithm>

#include "bough/check.hpp"

namespace bough::pageserver {
namespace {

// Adds to `found` what this branch alone says about the range at `at`, except of objects that are there already.
Result<void> scan_one(Cursor& cursor, BranchNumber branch, const ObjectRange& range, Lsn at,
                      std::map<ObjectKey, std::string>& found) {
    // Beyond a few versions of the same object a seek is cheaper than stepping over them.
    constexpr int kStepsBeforeSeek = 4;
    BOUGH_ASSIGN(bool valid, cursor.seek_at_or_after(branch, range.begin, at));
    std::optional<ObjectKey> last;
    int steps = 0;
    while (valid) {
        BOUGH_ASSIGN(const VersionKey key, cursor.key());
        if (key.branch != branch || key.object >= range.end) break;
        const bool skipped = key.object == last;
        if (!skipped && key.lsn > at) {
            BOUGH_ASSIGN(valid, cursor.seek_at_or_after(branch, key.object, at));
            continue;
        }
        if (!skipped) {
            found.try_emplace(key.object, cursor.value());
            last = key.object;
            steps = 0;
        }
        if (++steps > kStepsBeforeSeek) {
            // LSN 0 sorts last of an object's versions: this lands on it at most, and the next step is another object.
            BOUGH_ASSIGN(valid, cursor.seek_at_or_after(branch, key.object, Lsn{0}));
            steps = 0;
            if (!valid) break;
            BOUGH_ASSIGN(const VersionKey landed, cursor.key());
            if (landed.object != key.object || landed.branch != branch) continue;
        }
        BOUGH_ASSIGN(valid, cursor.next());
    }
    return {};
}

}  // namespace

VersionWalk::VersionWalk(Cursor& cursor, const Branch& branch, const ObjectKey& object, Lsn at)
    : cursor_(cursor), branch_(&branch), object_(object), at_(at) {}

Result<bool> VersionWalk::next() {
    if (begun_) {
        BOUGH_ASSIGN(const bool older, cursor_.next_older());
        if (older) return true;
        at_ = std::min(at_, branch_->row().start.lsn);
        branch_ = branch_->parent();
    }
    begun_ = true;
    while (branch_ != nullptr) {
        if (branch_->has_own_versions()) {
            BOUGH_ASSIGN(const bool found, cursor_.seek(branch_->number(), object_, at_));
            if (found) return true;
        }
        at_ = std::min(at_, branch_->row().start.lsn);
        branch_ = branch_->parent();
    }
    return false;
}

Result<void> check_history_reaches(const Branch& branch, Lsn at) {
    if (at >= branch.history_begin()) return {};
    return Error{ErrorCode::out_of_range, at.to_string() + " lies before the history of the project",
                 "it begins at " + branch.history_begin().to_string()};
}

Result<std::optional<std::string>> read_object(Cursor& cursor, const Branch& branch, const ObjectKey& object, Lsn at) {
    BOUGH_CHECK(object.kind != Kind::page && object.kind != Kind::slru_page);
    VersionWalk walk(cursor, branch, object, at);
    BOUGH_ASSIGN(const bool found, walk.next());
    if (!found) return std::optional<std::string>{};
    BOUGH_ASSIGN(const auto content, decode_presence(walk.value()));
    if (!content) return std::optional<std::string>{};
    return std::optional<std::string>{*content};
}

ObjectRange ObjectRange::of_kind(Kind kind) {
    return {ObjectKey::single(kind), ObjectKey::single(static_cast<Kind>(static_cast<std::uint8_t>(kind) + 1))};
}

ObjectRange ObjectRange::of_database(Kind kind, std::uint32_t tablespace, std::uint32_t database) {
    ObjectRange range{{kind, tablespace, database, 0, 0, 0}, {kind, tablespace, database, 0, 0, 0}};
    if (++range.end.database == 0 && ++range.end.tablespace == 0) return {range.begin, of_kind(kind).end};
    return range;
}

Result<std::map<ObjectKey, std::string>> read_objects(const Branch& branch, const ObjectRange& range, Lsn at) {
    BOUGH_CHECK(range.begin.kind != Kind::page && range.begin.kind != Kind::slru_page);
    std::map<ObjectKey, std::string> found;
    Cursor cursor = branch.store().scan_cursor();
    for (const Branch* one = &branch; one != nullptr; one = one->parent()) {
        if (one->has_own_versions()) BOUGH_TRY(scan_one(cursor, one->number(), range, at, found));
        at = std::min(at, one->row().start.lsn);
    }
    for (auto entry = found.begin(); entry != found.end();) {
        BOUGH_ASSIGN(const auto content, decode_presence(entry->second));
        if (!content) {
            entry = found.erase(entry);
            continue;
        }
        entry->second = std::string(*content);
        ++entry;
    }
    return found;
}

}  // namespace bough::pageserver
