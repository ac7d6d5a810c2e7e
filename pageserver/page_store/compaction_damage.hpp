// Private to this folder: what happens when a compaction meets damage.
#pragma once

#include <atomic>

#include <rocksdb/listener.h>

namespace bough::pageserver {

// RocksDB would take nothing more into a store after that, and everybody's writing on the project would end with the damage of one
// block. What the compaction was to write is not there, and its files stay as they were: nothing is lost by going on. Thread-safe.
class CompactionDamage final : public rocksdb::EventListener {
public:
    void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override {
        if (reason != rocksdb::BackgroundErrorReason::kCompaction || !error->IsCorruption()) return;
        *error = rocksdb::Status::OK();
        met_ = true;
    }
    // Damage was met that nobody took note of yet.
    bool waits() const { return met_ && !taken_; }
    // True once, when it was met.
    bool take() { return waits() && !taken_.exchange(true); }

private:
    std::atomic<bool> met_ = false;
    std::atomic<bool> taken_ = false;
};

}  // namespace bough::pageserver
