#include "pageserver/page_store/store_space.hpp"

#include <rocksdb/convenience.h>

#include "pageserver/page_store/rocksdb_edge.hpp"

namespace bough::pageserver {
namespace {

// [begin, end) of all keys of the branches from `first` to `last`.
struct KeyRange {
    KeyRange(BranchNumber first, BranchNumber last)
        : begin_bytes(encode_version_key(first, ObjectKey::single(kLowestKind), Lsn{~0ull})),
          end_bytes(encode_version_key(BranchNumber{last.value + 1}, ObjectKey::single(kLowestKind), Lsn{~0ull})),
          begin(begin_bytes.data(), begin_bytes.size()),
          end(end_bytes.data(), end_bytes.size()) {}

    const VersionKeyBytes begin_bytes;
    const VersionKeyBytes end_bytes;
    const rocksdb::Slice begin;
    const rocksdb::Slice end;
};

}  // namespace

Result<void> StoreSpace::compact(BranchNumber first, BranchNumber last, std::atomic<bool>* cancelled) {
    const KeyRange range(first, last);
    return compact(range.begin, range.end, cancelled);
}

Result<void> StoreSpace::compact(BranchNumber branch, const ObjectKey& first, const ObjectKey& last, std::atomic<bool>* cancelled) {
    const VersionKeyBytes begin = encode_version_key(branch, first, Lsn{~0ull});
    const VersionKeyBytes end = encode_version_key(branch, last, Lsn{});
    return compact({begin.data(), begin.size()}, {end.data(), end.size()}, cancelled);
}

Result<void> StoreSpace::compact(const rocksdb::Slice& begin, const rocksdb::Slice& end, std::atomic<bool>* cancelled) {
    rocksdb::CompactRangeOptions options;
    options.exclusive_manual_compaction = false;
    options.canceled = cancelled;
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
    const auto status = db_.CompactRange(options, &family_, &begin, &end);
    if (status.IsShutdownInProgress() || status.IsIncomplete())
        return Error{ErrorCode::unavailable, "the compaction of the page store was ended early", {}};
    if (!status.ok()) return error_of_status(status, "could not compact the page store");
    return {};
}

Result<void> StoreSpace::drop_files(BranchNumber branch) {
    const KeyRange range(branch, branch);
    const auto status = rocksdb::DeleteFilesInRange(&db_, &family_, &range.begin, &range.end, /*include_end=*/false);
    if (!status.ok()) return error_of_status(status, "could not take away files of the page store");
    return {};
}

}  // namespace bough::pageserver
