// Whether the logs of a RocksDB whose rows are synced one by one still have all that they had.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include <rocksdb/wal_filter.h>

#include "bough/error.hpp"

namespace bough::rocksdb_log {

// Opens the database without changing anything in its directory, with this filter; its error when that is not possible.
using OpenReadOnly = std::function<Result<void>(rocksdb::WalFilter& replay)>;

// RocksDB replays its logs up to the first record that is not right, takes that for the end, and what lies behind it is gone once the
// database is open. That is right for what a crash leaves: a record that was not finished, nothing behind it. So before a database is
// opened its logs are read, and when whole records lie behind one that is not right, RocksDB replays them without changing anything:
// `corrupt`, naming file and byte, when it would pass over any whose rows are in no other file. `family` is the one whose rows are in
// the logs; their files must not be used again (recycle_log_file_num). `open` is only called when something is not right.
//
// Not to be told from what a crash leaves is damage in the very last record of the last log: let it be one that says nothing, or none,
// when the database is closed. The database must not be open. io.
Result<void> check_row_logs(const std::filesystem::path& directory, const std::string& family, const OpenReadOnly& open);

}  // namespace bough::rocksdb_log
