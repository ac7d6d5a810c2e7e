// What the page store keeps versions of, and how such a key sorts. docs/formats/page_store.md is the specification.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "bough/lsn.hpp"
#include "pg/page_tag.hpp"

namespace bough::pageserver {

// A branch within its project: given in order of creation, never given again.
struct BranchNumber {
    std::uint32_t value = 0;
    auto operator<=>(const BranchNumber&) const = default;
};

// Written to disk: numbers are never reused.
enum class Kind : std::uint8_t {
    position = 1,      // how far the branch's WAL has been ingested; has one row, at LSN 0
    page = 2,          // a page of a relation fork
    fork_length = 3,   // in blocks
    database = 4,      // a directory (tablespace, database)
    relation_map = 5,  // its pg_filenode.map; (1664, 0) is the shared one
    tablespace = 6,    // where its link points
    slru_segment = 7,  // length in pages
    slru_page = 8,
    two_phase = 9,  // the state file of a prepared transaction
    replication_origin = 10,
    counters = 11,
    parameters = 12,
    commit_time = 13,  // of a commit later than all before it
    touched = 14,      // which objects the branch has versions of (touched_set.hpp); has one row, at LSN 0
};

// Of no object: the keys of a whole branch begin with it, and so do the ranges that erase one.
inline constexpr auto kLowestKind = static_cast<Kind>(0);

// As metrics call it; "unknown" when it is none of them.
std::string_view kind_name(Kind kind);

// Kinds that are pages: their versions are changes as well as whole states, and several lie together in a run (page_run.hpp).
constexpr bool has_runs(Kind kind) { return kind == Kind::page || kind == Kind::slru_page; }

// A thing that has versions. Sorts by its fields in order, as do the encoded keys.
struct ObjectKey {
    Kind kind = Kind::position;
    std::uint32_t tablespace = 0;
    std::uint32_t database = 0;
    std::uint32_t object = 0;  // relation file number, SLRU, transaction id, origin ...
    std::uint8_t fork = 0;
    std::uint32_t block = 0;  // block, SLRU page or segment

    auto operator<=>(const ObjectKey&) const = default;

    static ObjectKey page(const pg::PageTag& tag) { return of_fork(Kind::page, tag.fork, tag.block); }
    static ObjectKey fork_length(const pg::RelationFork& fork) { return of_fork(Kind::fork_length, fork, 0); }
    static ObjectKey database_entry(std::uint32_t tablespace, std::uint32_t database);
    static ObjectKey relation_map(std::uint32_t tablespace, std::uint32_t database);
    static ObjectKey tablespace_entry(std::uint32_t oid);
    static ObjectKey slru_segment(pg::Slru slru, std::uint32_t segment);
    static ObjectKey slru_page(pg::Slru slru, std::uint32_t page);
    static ObjectKey two_phase(std::uint32_t xid);
    static ObjectKey replication_origin(std::uint16_t origin);
    // The kinds with a single object: position, counters, parameters, commit_time, touched.
    static ObjectKey single(Kind kind);

    // Of a page or fork_length key.
    pg::RelationFork relation_fork() const;

private:
    static ObjectKey of_fork(Kind kind, const pg::RelationFork& fork, std::uint32_t block) {
        const auto& r = fork.relation;
        return {kind, r.tablespace, r.database, r.number, static_cast<std::uint8_t>(fork.fork), block};
    }
};

// On disk: branch, kind, fields big-endian, then the complement of the LSN: of one object's versions the newest comes first.
inline constexpr std::size_t kObjectKeyBytes = 4 + 1 + 4 + 4 + 4 + 1 + 4;  // with the branch: what bloom filters are over
inline constexpr std::size_t kVersionKeyBytes = kObjectKeyBytes + 8;
using VersionKeyBytes = std::array<char, kVersionKeyBytes>;

VersionKeyBytes encode_version_key(BranchNumber branch, const ObjectKey& object, Lsn lsn);

struct VersionKey {
    BranchNumber branch;
    ObjectKey object;
    Lsn lsn;
    auto operator<=>(const VersionKey&) const = default;
};
// nullopt when the bytes are not a version key.
std::optional<VersionKey> decode_version_key(std::string_view bytes);

}  // namespace bough::pageserver
