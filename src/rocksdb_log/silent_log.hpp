// A database that is only looked at writes no LOG into its directory.
#pragma once

#include <memory>

namespace rocksdb {
class Logger;
}

namespace bough::rocksdb_log {

std::shared_ptr<rocksdb::Logger> silent_log();

}  // namespace bough::rocksdb_log
