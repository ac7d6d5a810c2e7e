// Counts durations in buckets, for metrics.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace bough::pageserver {

// Thread-safe; add() is a few relaxed increments.
class LatencyHistogram {
public:
    // Upper bounds in microseconds; one more bucket holds the rest.
    static constexpr std::array<std::uint64_t, 14> kBoundsUs = {5,    10,   20,     50,     100,     200,      500,
                                                               1000, 2000, 10'000, 50'000, 200'000, 1000'000, 5000'000};

    void add(std::chrono::nanoseconds duration) {
        const auto us = static_cast<std::uint64_t>(duration.count()) / 1000;
        std::size_t bucket = 0;
        while (bucket < kBoundsUs.size() && us > kBoundsUs[bucket]) ++bucket;
        buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
        sum_ns_.fetch_add(static_cast<std::uint64_t>(duration.count()), std::memory_order_relaxed);
    }
    std::uint64_t count(std::size_t bucket) const { return buckets_[bucket].load(std::memory_order_relaxed); }
    double sum_seconds() const { return static_cast<double>(sum_ns_.load(std::memory_order_relaxed)) / 1e9; }

private:
    std::array<std::atomic<std::uint64_t>, kBoundsUs.size() + 1> buckets_{};
    std::atomic<std::uint64_t> sum_ns_{0};
};

}  // namespace bough::pageserver
