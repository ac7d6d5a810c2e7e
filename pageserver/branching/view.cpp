#include "pageserver/branching/view.hpp"

#include <algorithm>

#include "bough/check.hpp"
#include "pageserver/page_store/object_hash.hpp"

namespace bough::pageserver {
VersionWalk::VersionWalk(Cursor& cursor, const Branch& branch, const ObjectKey& object, Lsn at)
    : cursor_(cursor), branch_(&branch), object_(object), hash_(hash_object(object)), at_(at) {}

void VersionWalk::to_parent() {
    at_ = std::min(at_, branch_->start());
    branch_ = branch_->parent();
    passed_over_ = false;
}

bool VersionWalk::at_candidate() const {
    return branch_ != nullptr && branch_->has_own_versions() && branch_->touched().may_contain(hash_);
}

void VersionWalk::jump_to(const Branch& owner, Lsn bound) {
    branch_ = &owner;
    passed_over_ = false;
    at_ = bound;
}

bool VersionWalk::to_candidate() {
    for (; branch_ != nullptr; ++steps_) {
        if (branch_->parent() != nullptr) branch_->parent()->prefetch();
        if (!passed_over_ && at_candidate()) return true;
        const AncestorSkip* skip = branch_->ancestor_skip();
        if (skip == nullptr) {
            to_parent();
            continue;
        }
        const AncestorSkip::Place& place = skip->find(hash_);
        branch_ = place.branch;
        at_ = std::min(at_, place.start);
        passed_over_ = place.passed_over;
    }
    return false;
}

Result<bool> VersionWalk::seek_in_candidate() {
    BOUGH_ASSIGN(begun_, cursor_.seek(branch_->number(), object_, at_));
    if (!begun_) to_parent();
    return begun_;
}

Result<bool> VersionWalk::next() {
    if (begun_) {
        BOUGH_ASSIGN(const bool older, cursor_.next_older());
        if (older) return true;
        begun_ = false;
        to_parent();
    }
    while (to_candidate()) {
        BOUGH_ASSIGN(const bool found, seek_in_candidate());
        if (found) return true;
    }
    return false;
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
    for (const Branch* one = &branch; one != nullptr; one = one->parent()) {
        if (one->has_own_versions()) BOUGH_TRY(branch.store().scan(one->number(), range.begin, range.end, at, found));
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
