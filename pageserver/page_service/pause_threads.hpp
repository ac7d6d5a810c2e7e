// Private to this folder: threads that wait for what one client asks next, and for nobody else.
#pragma once

#include <atomic>

namespace bough::pageserver {

// How many threads may wait for one client alone: half of them, so that there are others for the rest. Thread-safe.
class PauseThreads {
public:
    explicit PauseThreads(unsigned threads) : max_(threads / 2) {}
    // One of them, when there was one left.
    class Place {
    public:
        explicit Place(PauseThreads& of) : of_(of), taken_(of.taken_.fetch_add(1, std::memory_order_relaxed) < of.max_) {}
        ~Place() { of_.taken_.fetch_sub(1, std::memory_order_relaxed); }
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;
        explicit operator bool() const { return taken_; }

    private:
        PauseThreads& of_;
        const bool taken_;
    };

private:
    const unsigned max_;
    std::atomic<unsigned> taken_{0};
};

}  // namespace bough::pageserver
