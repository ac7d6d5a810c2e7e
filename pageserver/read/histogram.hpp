// Counts values in buckets, for metrics.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace bough::pageserver {

// `kUpperBounds`: of the buckets, rising; one more bucket holds the rest. Thread-safe; add() is two relaxed increments.
template <std::array kUpperBounds>
class Histogram {
public:
    static constexpr auto kBounds = kUpperBounds;

    void add(std::uint64_t value) {
        std::size_t bucket = 0;
        while (bucket < kBounds.size() && value > kBounds[bucket]) ++bucket;
        buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
        sum_.fetch_add(value, std::memory_order_relaxed);
    }
    std::uint64_t count(std::size_t bucket) const { return buckets_[bucket].load(std::memory_order_relaxed); }
    std::uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }

private:
    std::array<std::atomic<std::uint64_t>, kBounds.size() + 1> buckets_{};
    std::atomic<std::uint64_t> sum_{0};
};

// Of durations in nanoseconds: 5 us to 5 s.
using LatencyHistogram = Histogram<std::array<std::uint64_t, 14>{5'000, 10'000, 20'000, 50'000, 100'000, 200'000, 500'000, 1'000'000, 2'000'000,
                                                                10'000'000, 50'000'000, 200'000'000, 1'000'000'000, 5'000'000'000}>;
// Of the versions that a page was made from.
using ChainHistogram = Histogram<std::array<std::uint64_t, 9>{1, 2, 4, 8, 16, 32, 64, 128, 256}>;

}  // namespace bough::pageserver
