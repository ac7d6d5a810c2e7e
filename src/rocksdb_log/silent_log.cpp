#include "rocksdb_log/silent_log.hpp"

#include <cstdarg>

#include <rocksdb/env.h>

namespace bough::rocksdb_log {
namespace {

class Silent final : public rocksdb::Logger {
public:
    using rocksdb::Logger::Logv;
    void Logv(const char*, va_list) override {}
};

}  // namespace

std::shared_ptr<rocksdb::Logger> silent_log() { return std::make_shared<Silent>(); }

}  // namespace bough::rocksdb_log
