// Private to this folder: how a store's files give space back, and whose it is.
#pragma once

#include <atomic>
#include <cstdint>

#include <rocksdb/db.h>

#include "bough/error.hpp"
#include "pageserver/page_store/branch_bytes.hpp"
#include "pageserver/page_store/version_key.hpp"

namespace bough::pageserver {

// Thread-safe. `db` and `family` (of the versions) outlive this.
class StoreSpace {
public:
    StoreSpace(rocksdb::DB& db, rocksdb::ColumnFamilyHandle& family) : db_(db), family_(family), bytes_(db, family) {}

    BranchBytes& bytes() { return bytes_; }
    // Brings all files with versions of the branches from `first` to `last` to the lowest level, each through the history filter once. Waits
    // for it; `unavailable` when the store is closed meanwhile, or `cancelled` becomes true (it may be null).
    Result<void> compact(BranchNumber first, BranchNumber last, std::atomic<bool>* cancelled);
    // The same with the files that have versions of the objects from `first` to `last`.
    Result<void> compact(BranchNumber branch, const ObjectKey& first, const ObjectKey& last, std::atomic<bool>* cancelled);
    // Takes away, at once, the files that hold nothing but versions of the branch. Readers that hold iterators keep what they see.
    Result<void> drop_files(BranchNumber branch);

private:
    Result<void> compact(const rocksdb::Slice& begin, const rocksdb::Slice& end, std::atomic<bool>* cancelled);

    rocksdb::DB& db_;
    rocksdb::ColumnFamilyHandle& family_;
    BranchBytes bytes_;
};

}  // namespace bough::pageserver
