// Makes WAL segments of zeros ahead of need: overwriting a block that is there syncs in less than half the time of growing a
// file. One thread for the whole process.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "bough/error.hpp"
#include "safekeeper/segment/wal_place.hpp"

namespace bough::safekeeper::segment {

// Thread-safe.
class Preallocator {
public:
    Preallocator();
    // Finishes the file under way, forgets the rest.
    ~Preallocator();
    Preallocator(const Preallocator&) = delete;
    Preallocator& operator=(const Preallocator&) = delete;

    // Soon there will be a durable file of zeros for that segment, unless there is a file already; a failure is logged. When
    // too many wait it is not done: the writer then makes its own.
    void request(const WalPlace& place, pg::SegmentNumber segment);

    // For tests: until nothing waits and nothing is under way.
    void wait_until_idle();

private:
    struct Job {
        WalPlace place;
        pg::SegmentNumber segment;
    };
    void run();
    static void make(const Job& job);

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Job> jobs_;
    bool working_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

// Writes zeros over [from, to) of an open file.
Result<void> write_zeros(int fd, std::uint64_t from, std::uint64_t to, const std::filesystem::path& path);

}  // namespace bough::safekeeper::segment
