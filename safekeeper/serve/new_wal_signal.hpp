// Wakes a reader that has sent all there was. Costs the writer a system call only when the reader really sleeps.
#pragma once

#include <atomic>

namespace bough::safekeeper::serve {

// The reader: arm(), look once more whether there is anything, then poll descriptor(), then disarm().
class NewWalSignal {
public:
    NewWalSignal();
    ~NewWalSignal();
    NewWalSignal(const NewWalSignal&) = delete;
    NewWalSignal& operator=(const NewWalSignal&) = delete;

    void arm();
    void disarm();
    // Any thread.
    void notify();
    // Readable once notified after arm().
    int descriptor() const { return fd_; }

private:
    int fd_;
    std::atomic<bool> armed_{false};
};

}  // namespace bough::safekeeper::serve
