// How much memory the open layers of all stores take, and waiting while it is too much.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace bough::pageserver {

// Thread-safe. Adding never waits: whoever is about to write much asks for room before.
class OpenBytes {
public:
    explicit OpenBytes(std::size_t max) : max_(max) {}

    void add(std::size_t bytes) { bytes_.fetch_add(bytes, std::memory_order_relaxed); }
    void subtract(std::size_t bytes) {
        bytes_.fetch_sub(bytes, std::memory_order_relaxed);
        wake();
    }
    // Those who wait look again.
    void wake() {
        const std::lock_guard lock(mutex_);
        changed_.notify_all();
    }

    std::size_t now() const { return bytes_.load(std::memory_order_relaxed); }
    std::size_t max() const { return max_; }
    bool has_room() const { return now() < max_; }
    // Until `enough()`, which is asked when some were given back or wake() is called; false when it is not at the deadline.
    template <class Enough>
    bool wait_until(std::chrono::steady_clock::time_point deadline, const Enough& enough) {
        if (enough()) return true;
        waits_.fetch_add(1, std::memory_order_relaxed);
        std::unique_lock lock(mutex_);
        return changed_.wait_until(lock, deadline, enough);
    }
    // How often somebody had to wait.
    std::uint64_t waits() const { return waits_.load(std::memory_order_relaxed); }

private:
    const std::size_t max_;
    std::atomic<std::size_t> bytes_ = 0;
    std::atomic<std::uint64_t> waits_ = 0;
    std::mutex mutex_;
    std::condition_variable changed_;
};

}  // namespace bough::pageserver
