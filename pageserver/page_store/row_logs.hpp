// Private to this folder: whether the logs of a store's metadata rows still have all that they had.
#pragma once

#include <filesystem>

#include "bough/error.hpp"

namespace bough::pageserver {

// RocksDB replays its logs up to the first record that is not right, takes that for the end, and what lies behind it is gone once the
// store is open. That is right for what a crash leaves: a record that was not finished, nothing behind it. So before a store is opened
// its logs are read, and when whole records lie behind one that is not right, RocksDB replays them without changing anything: `corrupt`,
// naming file and byte, when it would pass over any whose rows are in no other file.
//
// Not to be told from what a crash leaves is damage in the very last record of the last log: an empty one, if the store was flushed after
// its rows had changed, as it is before it is closed. The store must not be open. io.
Result<void> check_row_logs(const std::filesystem::path& directory);

}  // namespace bough::pageserver
