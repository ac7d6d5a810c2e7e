// Ends waits on sockets from another thread.
#pragma once

#include <atomic>
#include <chrono>

namespace bough::pageserver {

// Once raised it stays so. Thread-safe.
class StopSignal {
public:
    StopSignal();
    ~StopSignal();
    StopSignal(const StopSignal&) = delete;
    StopSignal& operator=(const StopSignal&) = delete;

    void raise();
    bool raised() const { return raised_.load(std::memory_order_acquire); }

    // Waits until the socket is readable (or, if asked for, writable), the time is over, or the signal is raised. False in
    // the last two cases.
    bool wait_for_socket(int socket, bool writable, std::chrono::milliseconds timeout) const;
    // False when raised meanwhile.
    bool sleep(std::chrono::milliseconds duration) const;

private:
    int event_;  // an eventfd, readable once raised
    std::atomic<bool> raised_ = false;
};

}  // namespace bough::pageserver
