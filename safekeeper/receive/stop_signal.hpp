// Tells a thread that waits in poll() to give up. Once raised it stays so until reset.
#pragma once

namespace bough::safekeeper::receive {

// raise() and raised() are thread-safe; reset() only while nobody waits on it.
class StopSignal {
public:
    StopSignal();
    ~StopSignal();
    StopSignal(const StopSignal&) = delete;
    StopSignal& operator=(const StopSignal&) = delete;

    void raise();
    void reset();
    bool raised() const;
    // Readable once raised: for poll().
    int descriptor() const { return fd_; }

private:
    int fd_;
};

}  // namespace bough::safekeeper::receive
