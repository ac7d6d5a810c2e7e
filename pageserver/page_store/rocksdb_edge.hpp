// Private to this folder: what store*.cpp share of RocksDB.
#pragma once

#include <memory>
#include <string>

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/rate_limiter.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>

#include "pageserver/page_store/branch_versions.hpp"
#include "pageserver/page_store/file_sweep.hpp"
#include "pageserver/page_store/idle_seekers.hpp"
#include "pageserver/page_store/page_run.hpp"
#include "pageserver/page_store/sealer.hpp"
#include "pageserver/page_store/store.hpp"

namespace bough::pageserver {

struct StoreResources::Impl {
    Options options;
    rocksdb::Env* env = nullptr;
    std::shared_ptr<rocksdb::Cache> block_cache;
    std::shared_ptr<rocksdb::WriteBufferManager> write_buffer_manager;
    std::shared_ptr<rocksdb::RateLimiter> rate_limiter;
    OpenBytes open_bytes;
    std::atomic<std::uint64_t> stores_opened = 0;
    struct {
        std::atomic<std::uint64_t> layers_sealed = 0;
        std::atomic<std::uint64_t> seal_failures = 0;
        std::atomic<std::uint64_t> seal_microseconds = 0;
        std::atomic<std::uint64_t> sealed_file_bytes = 0;
    } counts;
    Sealer sealer;  // last, so that its thread ends first

    explicit Impl(const Options& o) : options(o), open_bytes(o.open_bytes_max), sealer(open_bytes) {}
};

struct WriteSet::Impl {
    struct Entry {
        BranchNumber branch;
        ObjectKey object;
        Lsn lsn;
        std::size_t begin;  // of the value in bytes
        std::size_t size;
    };
    std::vector<Entry> entries;
    std::string bytes;
    std::map<BranchNumber, LogPosition> positions;
};

class StoreLayers;

struct Cursor::Impl {
    Impl() = default;
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl();

    const StoreLayers* store = nullptr;
    IdleSeekers* idle_seekers = nullptr;  // where its seeker comes from and goes to; null: it is its own
    // What is looked for.
    BranchNumber branch;
    ObjectKey object;
    // Where it is looked for: the layers of the branch, newest first, then the files.
    std::shared_ptr<const Layers> layers;
    std::size_t layer = 0;
    const OpenLayer::Version* version = nullptr;  // null: in the files
    bool fills_block_cache = true;
    std::unique_ptr<Seeker> seeker;
    FileSweeps sweeps;
    FileSweep* sweep = nullptr;  // of them, the one that looks for the object; null: the seeker does
    std::uint64_t seals = 0;                // StoreLayers::seals() before they were made
    rocksdb::Iterator* iterator = nullptr;  // the one that looks for the object
    VersionKeyBytes sought;                 // the key it went to
    // Of a page the iterator stands on a run: the run, and the index of the version in it.
    PageRun run;
    std::size_t index = 0;

    // To the newest version at or below `lsn` in the layer at hand, those after it, or the files.
    Result<bool> find_at(Lsn lsn);
    Result<bool> seek_in_files(Lsn lsn);
    Result<bool> seek(Lsn lsn);
    Result<bool> older_in_files(Lsn lsn);
    // The newest version of the object at or below `lsn` is where the iterator stands, if it stands on one of the object's.
    Result<bool> arrive(Lsn lsn);
    Lsn lsn() const;
};

// A failed status as our Error; the file that RocksDB names stays in the message.
Error error_of_status(const rocksdb::Status& status, std::string_view doing);

// For every iterator over more than one file. RocksDB from 7.7 to 8.5, where its iterators heed erased ranges, passes over the rest of a
// level without an error when the first block of its next file cannot be read (its pull request 11782, release 8.6). So they do not
// heed them, and who iterates asks whether the branch was erased (BranchVersions::dropped()).
rocksdb::ReadOptions iterator_options();

rocksdb::Options database_options(const StoreResources::Options& options, rocksdb::Env* env,
                                  const std::shared_ptr<rocksdb::WriteBufferManager>& write_buffer_manager,
                                  const std::shared_ptr<rocksdb::RateLimiter>& rate_limiter);
rocksdb::ColumnFamilyOptions version_options(const std::shared_ptr<rocksdb::Cache>& block_cache);
rocksdb::ColumnFamilyOptions metadata_options(const std::shared_ptr<rocksdb::Cache>& block_cache);

}  // namespace bough::pageserver
