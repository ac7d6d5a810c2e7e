// Writing so that it survives a crash. A failed fsync or fdatasync aborts the process: what the kernel then still holds of the
// file is unknown, so a second try could succeed over lost bytes.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "bough/error.hpp"

namespace bough::safekeeper::segment {

// Owns a file descriptor.
class FileDescriptor {
public:
    FileDescriptor() = default;
    explicit FileDescriptor(int fd) : fd_(fd) {}
    ~FileDescriptor() { close(); }
    FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        if (this != &other) {
            close();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }

    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    // The caller owns it from now on.
    int release() { return std::exchange(fd_, -1); }
    void close();

private:
    int fd_ = -1;
};

// How long the WAL's fdatasyncs took, over all branches. Thread-safe.
class SyncHistogram {
public:
    // Upper bounds in microseconds; a last bucket takes the rest.
    static constexpr std::uint64_t kBounds[] = {50, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 51200, 204800, 1000000};
    static constexpr std::size_t kBuckets = sizeof(kBounds) / sizeof(kBounds[0]) + 1;

    void add(std::uint64_t microseconds);
    std::uint64_t count(std::size_t bucket) const { return counts_[bucket].load(std::memory_order_relaxed); }
    std::uint64_t sum_microseconds() const { return sum_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> counts_[kBuckets] = {};
    std::atomic<std::uint64_t> sum_{0};
};
SyncHistogram& wal_sync_histogram();

// Error{io, "<what>: <strerror>"}, of what would have written; that the disk is full is noted (disk_space.hpp).
Error disk_error(std::string_view what, int error_number);

Result<FileDescriptor> open_file(const std::filesystem::path& path, int flags);
// All of `bytes` at `offset`. io when the disk is full or broken; part of it may then have been written.
Result<void> write_at(int fd, std::span<const std::byte> bytes, std::uint64_t offset, const std::filesystem::path& path);
// Up to `bytes.size()` bytes; fewer only at the end of the file.
Result<std::size_t> read_at(int fd, std::span<std::byte> bytes, std::uint64_t offset, const std::filesystem::path& path);
void sync_file(int fd, const std::filesystem::path& path);
// fdatasync, into wal_sync_histogram().
void sync_wal(int fd, const std::filesystem::path& path);
// After names in it were made, renamed or removed.
void sync_directory(const std::filesystem::path& path);

// Replaces `path` by a file of this content, or leaves it as it was: a temporary file beside it, synced, renamed, directory
// synced. Mode 0600.
Result<void> replace_file(const std::filesystem::path& path, std::string_view content);
// The same for a file that is there, where there is no room for another one: writes over the blocks of `path`.spare and exchanges the two
// names. A full disk must not keep a promise from being written, nor a beginning behind which space would be freed.
Result<void> replace_file_in_place(const std::filesystem::path& path, std::string_view content);
// Makes the spare that replace_file_in_place() writes over.
Result<void> keep_spare(const std::filesystem::path& path);
// not_found when there is none; corrupt when it is longer than `bytes_max`.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max);

}  // namespace bough::safekeeper::segment
