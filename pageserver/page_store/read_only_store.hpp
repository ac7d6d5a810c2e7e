// Private to this folder: a store's database as its files say it is, for looking at it. Nothing is changed.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include <rocksdb/wal_filter.h>

#include "pageserver/page_store/rocksdb_edge.hpp"

namespace bough::pageserver {

// Options for reading files of a store outside of any; with nothing that lasts, such as a cache.
rocksdb::DBOptions reading_options();
rocksdb::ColumnFamilyOptions uncached(rocksdb::ColumnFamilyOptions family);

// Whoever has the store open may take away files meanwhile: then opening it fails, and may succeed the next time.
class ReadOnlyStore {
public:
    // `replay` is told of the records of logs that are read; it may be null, and is not needed any more on return.
    static Result<std::unique_ptr<ReadOnlyStore>> open(const std::filesystem::path& directory,
                                                       rocksdb::WalFilter* replay = nullptr);
    ~ReadOnlyStore();
    ReadOnlyStore(const ReadOnlyStore&) = delete;
    ReadOnlyStore& operator=(const ReadOnlyStore&) = delete;

    rocksdb::DB& db() const { return *db_; }
    rocksdb::ColumnFamilyHandle* metadata() const { return families_[1].get(); }

private:
    ReadOnlyStore() = default;

    std::unique_ptr<rocksdb::DB> db_;
    std::vector<std::unique_ptr<rocksdb::ColumnFamilyHandle>> families_;  // go before it
};

// That the store's metadata rows are all still in its logs. The store must not be open. corrupt, naming file and byte; io.
Result<void> check_row_logs(const std::filesystem::path& directory);

}  // namespace bough::pageserver
