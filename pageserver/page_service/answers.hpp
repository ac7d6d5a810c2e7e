// Private to this folder: pages that a thread has read for one client and sends together. A message to a socket costs the kernel, and the
// client whom it wakes, more than a page costs to read.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <span>
#include <vector>

#include <sys/uio.h>

#include "pageserver/page_service/frames.hpp"

namespace bough::pageserver {

// For one client at a time, who has more requests waiting: it is empty between two of them. One for each thread.
class Answers {
public:
    static Answers& of_this_thread();

    bool empty() const { return count_ == 0; }
    // They are to be sent before anything else is read: there are enough, or the first has waited for long enough.
    bool due() const { return due_; }
    // So are those that are there before so many pages are read: what was read last took so long that the next may, too.
    bool due_before(std::size_t pages) const { return count_ > 0 && (pages > 1 || last_was_slow_); }
    // Where the pages of the next answer go, at most BOUGH_PAGES_PER_REQUEST_MAX; not when due().
    std::span<std::byte> room(std::size_t pages);
    // What was put there is the next answer, of `client` as those that are there.
    void add(const void* client, const PagesPrefix& prefix, std::span<const std::byte> pages);
    // To be sent to their client, in order; valid until clear().
    std::span<iovec> parts(const void* client);
    void clear();

private:
    static constexpr std::size_t kPagesMin = 8;  // that are sent without waiting for more
    using Clock = std::chrono::steady_clock;

    Answers() : pages_((kPagesMin + BOUGH_PAGES_PER_REQUEST_MAX) * BOUGH_PAGE_BYTES) {}

    std::vector<std::byte> pages_;
    std::array<PagesPrefix, kPagesMin> prefixes_;
    std::array<iovec, 2 * kPagesMin> parts_;
    const void* client_ = nullptr;
    std::size_t count_ = 0;
    std::size_t bytes_ = 0;  // of pages_, up to the end of the last answer
    bool due_ = false, last_was_slow_ = false;
    Clock::time_point first_, last_;
};

}  // namespace bough::pageserver
