#include "safekeeper/segment/preallocator.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include <spdlog/spdlog.h>

#include "base/thread_name.hpp"
#include "safekeeper/segment/durable_file.hpp"
#include "safekeeper/segment/empty_segment.hpp"

namespace bough::safekeeper::segment {
namespace {

constexpr std::size_t kJobsMax = 256;
constexpr std::size_t kZeroChunkBytes = 256 << 10;

Result<void> make_zeros(const WalPlace& place, pg::SegmentNumber segment) {
    auto path = place.path_of(segment);
    if (::access(path.c_str(), F_OK) == 0) return {};
    auto temporary = path;
    temporary += ".tmp";
    BOUGH_ASSIGN(auto file, open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC));
    auto written = write_zeros(file.get(), 0, place.segment_bytes, temporary);
    if (written) written = write_at(file.get(), empty_segment_header(place, segment), 0, temporary);
    if (!written) {
        ::unlink(temporary.c_str());
        return written;
    }
    sync_file(file.get(), temporary);
    // Never over a file that the writer has begun meanwhile.
    if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) != 0) {
        int reason = errno;
        ::unlink(temporary.c_str());
        if (reason == EEXIST || reason == ENOENT) return {};
        return disk_error("could not rename \"" + temporary.string() + "\"", reason);
    }
    sync_directory(place.directory);
    return {};
}

}  // namespace

Result<void> write_zeros(int fd, std::uint64_t from, std::uint64_t to, const std::filesystem::path& path) {
    static const std::vector<std::byte> zeros(kZeroChunkBytes);
    while (from < to) {
        auto length = std::min<std::uint64_t>(to - from, zeros.size());
        BOUGH_TRY(write_at(fd, std::span(zeros).first(length), from, path));
        from += length;
    }
    return {};
}

Preallocator::Preallocator() : thread_([this] { run(); }) {}

Preallocator::~Preallocator() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void Preallocator::request(const WalPlace& place, pg::SegmentNumber segment) {
    {
        std::lock_guard lock(mutex_);
        if (jobs_.size() >= kJobsMax) return;
        jobs_.push_back({place, segment});
    }
    changed_.notify_all();
}

void Preallocator::wait_until_idle() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return jobs_.empty() && !working_; });
}

void Preallocator::run() {
    name_thread("preallocator");
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
        if (stopping_) return;
        Job job = std::move(jobs_.front());
        jobs_.pop_front();
        working_ = true;
        lock.unlock();
        make(job);
        lock.lock();
        working_ = false;
        changed_.notify_all();
    }
}

void Preallocator::make(const Job& job) {
    auto made = make_zeros(job.place, job.segment);
    // A branch that was deleted meanwhile is no news.
    if (!made && made.error().code != ErrorCode::not_found)
        spdlog::warn("could not preallocate WAL segment {}: {}", job.place.path_of(job.segment).string(), made.error().to_string());
}

}  // namespace bough::safekeeper::segment
