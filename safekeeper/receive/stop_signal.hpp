// Tells a thread that waits in poll() to give up. Once raised it stays so.
#pragma once

#include <chrono>

namespace bough::safekeeper::receive {

// Thread-safe.
class StopSignal {
public:
    StopSignal();
    ~StopSignal();
    StopSignal(const StopSignal&) = delete;
    StopSignal& operator=(const StopSignal&) = delete;

    void raise();
    bool raised() const;
    // Until it is raised, at most for so long.
    void wait(std::chrono::milliseconds timeout) const;
    // Readable once raised: for poll().
    int descriptor() const { return fd_; }

private:
    int fd_;
};

}  // namespace bough::safekeeper::receive
