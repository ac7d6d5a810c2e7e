// Private to this folder: iterators over a store's files that no cursor uses just now.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include <rocksdb/iterator.h>
#include <rocksdb/listener.h>

namespace bough::pageserver {

// An iterator that looks for one object's versions.
struct Seeker {
    std::unique_ptr<rocksdb::Iterator> iterator;
    std::uint64_t seals = 0;    // StoreLayers::seals() before it was made
    std::uint64_t changes = 0;  // IdleSeekers::changes() before it was made
};

// To make a seeker, and to go through its first file's beginning, costs a quarter of a page read with it. What lies here is of the store's
// present files only, so nothing that a compaction replaced or an erasure took away stays on disk for its sake, and no image that took a
// version's place is missed for long. Thread-safe, without a lock: all of a project's readers come here. RocksDB calls it when files changed.
class IdleSeekers final : public rocksdb::EventListener {
public:
    ~IdleSeekers() override { close(); }

    // One made when so many layers had been sealed, and since when nothing changed; nullptr: there is none.
    std::unique_ptr<Seeker> take(std::uint64_t seals);
    // Kept, if there is room and nothing has changed since it was made. May be null.
    void give(std::unique_ptr<Seeker> seeker);
    std::uint64_t changes() const { return changes_.load(std::memory_order_acquire); }
    // What there is shows files that are gone, or lacks what was written since.
    void note_change();
    // To be called now and then: drops them if none was asked for since the last time, since each pins some blocks of the cache.
    void drop_unused();
    // Nothing is kept any more.
    void close();

    void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo&) override { note_change(); }
    void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo&) override { note_change(); }
    void OnExternalFileIngested(rocksdb::DB*, const rocksdb::ExternalFileIngestionInfo&) override { note_change(); }

private:
    // As many threads as ever read one store's pages at a time, or nearly.
    static constexpr std::size_t kSeekersMax = 8;

    std::atomic<std::uint64_t> changes_ = 0;
    std::atomic<bool> closed_ = false;
    std::atomic<bool> used_ = false;                                      // since the last drop_unused()
    alignas(64) std::array<std::atomic<Seeker*>, kSeekersMax> seekers_{};  // owned; apart from what all readers read
};

}  // namespace bough::pageserver
