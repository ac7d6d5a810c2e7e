#include "pageserver/page_store/rocksdb_edge.hpp"

namespace bough::pageserver {

StoreResources::StoreResources(Options options) : impl_(std::make_unique<Impl>()) {
    impl_->options = options;
    impl_->env = rocksdb::Env::Default();
    impl_->env->SetBackgroundThreads(options.background_threads, rocksdb::Env::Priority::LOW);
    impl_->env->SetBackgroundThreads(1, rocksdb::Env::Priority::HIGH);
    impl_->block_cache = rocksdb::NewLRUCache(options.block_cache_bytes, /*num_shard_bits=*/6);
    impl_->write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(options.memtable_bytes_max);
    // Compaction must leave the disk to reads and to flushes; flushes have priority inside the limiter.
    constexpr std::int64_t kBackgroundBytesPerSecond = 256ll << 20;
    impl_->rate_limiter.reset(rocksdb::NewGenericRateLimiter(kBackgroundBytesPerSecond));
}

StoreResources::~StoreResources() = default;

}  // namespace bough::pageserver
