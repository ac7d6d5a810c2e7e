// Counts how long chains of versions were, for metrics.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace bough::pageserver {

// Thread-safe; add() is two relaxed increments.
class ChainHistogram {
public:
    // Upper bounds in steps; one more bucket holds the rest.
    static constexpr std::array<std::uint64_t, 9> kBounds = {1, 2, 4, 8, 16, 32, 64, 128, 256};

    void add(std::uint64_t steps) {
        std::size_t bucket = 0;
        while (bucket < kBounds.size() && steps > kBounds[bucket]) ++bucket;
        buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
        sum_.fetch_add(steps, std::memory_order_relaxed);
    }
    std::uint64_t count(std::size_t bucket) const { return buckets_[bucket].load(std::memory_order_relaxed); }
    std::uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }

private:
    std::array<std::atomic<std::uint64_t>, kBounds.size() + 1> buckets_{};
    std::atomic<std::uint64_t> sum_{0};
};

}  // namespace bough::pageserver
