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

#include "pageserver/page_store/page_run.hpp"
#include "pageserver/page_store/store.hpp"

namespace bough::pageserver {

struct StoreResources::Impl {
    Options options;
    rocksdb::Env* env = nullptr;
    std::shared_ptr<rocksdb::Cache> block_cache;
    std::shared_ptr<rocksdb::WriteBufferManager> write_buffer_manager;
    std::shared_ptr<rocksdb::RateLimiter> rate_limiter;
};

struct WriteSet::Impl {
    rocksdb::WriteBatch batch;
    std::map<BranchNumber, LogPosition> positions;
};

struct Cursor::Impl {
    std::unique_ptr<rocksdb::Iterator> iterator;
    // Where the iterator stands on a page's run: the run, and the index of the version in it.
    bool in_run = false;
    PageRun run;
    std::size_t index = 0;

    // To the newest version below `end` in the run at the iterator, if it is at one.
    Result<bool> enter_run(Lsn end);
};

// A failed status as our Error; the file that RocksDB names stays in the message.
Error error_of_status(const rocksdb::Status& status, std::string_view doing);

rocksdb::Options database_options(const StoreResources::Options& options, rocksdb::Env* env,
                                  const std::shared_ptr<rocksdb::WriteBufferManager>& write_buffer_manager,
                                  const std::shared_ptr<rocksdb::RateLimiter>& rate_limiter);
rocksdb::ColumnFamilyOptions version_options(const StoreResources::Options& options,
                                             const std::shared_ptr<rocksdb::Cache>& block_cache);
rocksdb::ColumnFamilyOptions metadata_options(const std::shared_ptr<rocksdb::Cache>& block_cache);

}  // namespace bough::pageserver
