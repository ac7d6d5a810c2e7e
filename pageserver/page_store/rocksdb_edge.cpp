#include "pageserver/page_store/rocksdb_edge.hpp"

#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>

#include "pageserver/page_store/branch_bytes.hpp"

namespace bough::pageserver {

Error error_of_status(const rocksdb::Status& status, std::string_view doing) {
    ErrorCode code = ErrorCode::internal;
    if (status.IsCorruption())
        code = ErrorCode::corrupt;
    else if (status.IsIOError())
        code = ErrorCode::io;
    else if (status.IsBusy() || status.IsTimedOut() || status.IsShutdownInProgress())
        code = ErrorCode::unavailable;
    std::string message = std::string(doing) + ": " + status.ToString();
    // Where an SST file is missing, RocksDB ends by naming the other ending that it tried last.
    constexpr std::string_view kOldEnding = ".ldb";
    for (std::size_t at = message.find(kOldEnding); at != std::string::npos; at = message.find(kOldEnding, at))
        message.replace(at, kOldEnding.size(), ".sst");
    return Error{code, std::move(message), {}};
}

rocksdb::ReadOptions iterator_options() {
    rocksdb::ReadOptions options;
    options.ignore_range_deletions = true;
    return options;
}

rocksdb::Options database_options(const StoreResources::Options& options, rocksdb::Env* env,
                                  const std::shared_ptr<rocksdb::WriteBufferManager>& write_buffer_manager,
                                  const std::shared_ptr<rocksdb::RateLimiter>& rate_limiter) {
    rocksdb::Options db;
    db.env = env;
    db.write_buffer_manager = write_buffer_manager;
    db.rate_limiter = rate_limiter;
    db.max_background_jobs = options.background_threads + 1;
    db.paranoid_checks = true;
    db.avoid_flush_during_shutdown = true;  // Store flushes itself when it is closed
    db.max_open_files = 512;
    db.skip_stats_update_on_db_open = true;
    db.avoid_unnecessary_blocking_io = true;
    // Only metadata rows are in RocksDB's log: a handful of bytes each. So much is reserved for each log file, too.
    db.max_total_wal_size = 1ull << 20;
    db.manifest_preallocation_size = 64ull << 10;
    // It ends at the first record that is not right; rocksdb_log/row_logs.hpp sees to it that nothing which was synced lies behind that. A log that
    // is used again would have another log's records behind its end.
    db.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    db.recycle_log_file_num = 0;
    db.bytes_per_sync = 1ull << 20;
    db.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
    db.keep_log_file_num = 2;
    db.max_log_file_size = 1ull << 20;
    return db;
}

rocksdb::ColumnFamilyOptions version_options(const std::shared_ptr<rocksdb::Cache>& block_cache) {
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = block_cache;
    table.block_size = 16 << 10;
    table.format_version = 5;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.whole_key_filtering = false;  // what is asked is an object at some LSN, never one exact version
    table.cache_index_and_filter_blocks = true;
    table.cache_index_and_filter_blocks_with_high_priority = true;
    table.pin_l0_filter_and_index_blocks_in_cache = true;

    rocksdb::ColumnFamilyOptions family;
    family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    family.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(kObjectKeyBytes));
    family.write_buffer_size = 8ull << 20;  // images that took a version's place, and erasures
    family.max_write_buffer_number = 3;
    // What is sealed is soon merged: until then it is not worth zstd's time.
    family.compression_per_level = {rocksdb::kLZ4Compression, rocksdb::kZSTD};
    family.compression_opts.level = 1;
    family.table_properties_collector_factories.push_back(branch_bytes_collector());
    family.level_compaction_dynamic_level_bytes = true;
    // Flushes by time make small files: let more of them gather before they are merged downward.
    family.level0_file_num_compaction_trigger = 8;
    // Ingest is held back by StoreLayers; what goes through the memtable is little, and is not to wait in here.
    family.level0_slowdown_writes_trigger = 1 << 30;
    family.level0_stop_writes_trigger = 1 << 30;
    return family;
}

rocksdb::ColumnFamilyOptions metadata_options(const std::shared_ptr<rocksdb::Cache>& block_cache) {
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = block_cache;
    rocksdb::ColumnFamilyOptions family;
    family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    family.write_buffer_size = 1ull << 20;
    return family;
}

}  // namespace bough::pageserver
