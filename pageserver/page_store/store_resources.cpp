#include "pageserver/page_store/rocksdb_edge.hpp"

namespace bough::pageserver {

StoreResources::StoreResources(Options options, rocksdb::Env* files) : impl_(std::make_unique<Impl>(options)) {
    impl_->env = files != nullptr ? files : rocksdb::Env::Default();
    impl_->env->SetBackgroundThreads(options.background_threads, rocksdb::Env::Priority::LOW);
    impl_->env->SetBackgroundThreads(1, rocksdb::Env::Priority::HIGH);
    impl_->block_cache = rocksdb::NewLRUCache(options.block_cache_bytes, /*num_shard_bits=*/6);
    // Only images that took a version's place, and erasures, go through memtables.
    constexpr std::size_t kMemtableBytesMax = 64ull << 20;
    impl_->write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(kMemtableBytesMax);
    // Compaction must leave the disk to reads and to flushes; flushes have priority inside the limiter.
    constexpr std::int64_t kBackgroundBytesPerSecond = 256ll << 20;
    impl_->rate_limiter.reset(rocksdb::NewGenericRateLimiter(kBackgroundBytesPerSecond));
}

StoreResources::~StoreResources() = default;

const StoreResources::Options& StoreResources::options() const { return impl_->options; }

StoreResources::Counts StoreResources::counts() const {
    return {.open_bytes = impl_->open_bytes.now(),
            .layers_sealed = impl_->counts.layers_sealed,
            .seal_failures = impl_->counts.seal_failures,
            .seal_microseconds = impl_->counts.seal_microseconds,
            .sealed_file_bytes = impl_->counts.sealed_file_bytes,
            .waits_for_room = impl_->open_bytes.waits(),
            .block_cache_bytes = impl_->block_cache->GetUsage(),
            .block_cache_pinned_bytes = impl_->block_cache->GetPinnedUsage()};
}

}  // namespace bough::pageserver
