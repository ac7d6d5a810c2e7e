// Reading a branch as of an LSN: through the branch and its ancestors, each up to where the next begins.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "pageserver/branching/branch.hpp"
#include "pageserver/page_store/store.hpp"

namespace bough::pageserver {

// The versions of one object as of an LSN, newest first, through the chain of branches. Borrows cursor and branch. Views are
// valid until the cursor moves.
class VersionWalk {
public:
    // `cursor` from Store::cursor() of the branch's store.
    VersionWalk(Cursor& cursor, const Branch& branch, const ObjectKey& object, Lsn at);

    // To the next older version; false when there is none.
    Result<bool> next();

    // Before the first next(), in place of it: to the nearest branch, from the present one on, that may have versions of the object
    // at or below bound(); false when there is none. Looks at no versions.
    bool to_candidate();
    // The present branch is one.
    bool at_candidate() const;
    // Then: to its newest such version; when there is none, the walk stands on the parent.
    Result<bool> seek_in_candidate();
    // Before that, in place of to_candidate(): to the branch of the chain that is known to have the newest version.
    void jump_to(const Branch& owner, Lsn bound);
    Lsn bound() const { return at_; }
    // Steps from branch to branch that to_candidate() has taken.
    unsigned steps() const { return steps_; }

    const Branch& branch() const { return *branch_; }  // which has this version
    Lsn lsn() const { return cursor_.lsn(); }
    std::string_view value() const { return cursor_.value(); }

private:
    void to_parent();

    Cursor& cursor_;
    const Branch* branch_;
    ObjectKey object_;
    std::uint64_t hash_;
    Lsn at_;
    bool passed_over_ = false;  // it is known that the present branch has no version at or below at_
    bool begun_ = false;
    unsigned steps_ = 0;
};

// What an object (other than a page) is at an LSN; nullopt when it is not there.
Result<std::optional<std::string>> read_object(Cursor& cursor, const Branch& branch, const ObjectKey& object, Lsn at);

// [begin, end) in key order.
struct ObjectRange {
    ObjectKey begin;
    ObjectKey end;
    static ObjectRange of_kind(Kind kind);
    // All objects of the kind in the directory (tablespace, database).
    static ObjectRange of_database(Kind kind, std::uint32_t tablespace, std::uint32_t database);
};

// Every object (not pages) of the range that is there at the LSN, with its content.
Result<std::map<ObjectKey, std::string>> read_objects(const Branch& branch, const ObjectRange& range, Lsn at);

}  // namespace bough::pageserver
