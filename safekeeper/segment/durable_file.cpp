#include "safekeeper/segment/durable_file.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include <spdlog/spdlog.h>

#include "safekeeper/segment/disk_space.hpp"

namespace bough::safekeeper::segment {
namespace {

[[noreturn]] void sync_failed(const char* what, const std::filesystem::path& path, int error_number) {
    spdlog::critical("{} of {} failed: {}; stopping, since what is on disk is unknown", what, path.string(),
                     std::strerror(error_number));
    spdlog::default_logger()->flush();
    std::abort();
}

}  // namespace

// As io_error(); and a full disk is remembered as one.
Error disk_error(std::string_view what, int error_number) {
    if (means_no_room(error_number)) disk_space().refused();
    return io_error(what, error_number);
}

void FileDescriptor::close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void SyncHistogram::add(std::uint64_t microseconds) {
    std::size_t bucket = 0;
    while (bucket + 1 < kBuckets && microseconds > kBounds[bucket]) ++bucket;
    counts_[bucket].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(microseconds, std::memory_order_relaxed);
}

SyncHistogram& wal_sync_histogram() {
    static SyncHistogram histogram;
    return histogram;
}

Result<FileDescriptor> open_file(const std::filesystem::path& path, int flags) {
    int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
    if (fd < 0) {
        int reason = errno;
        auto error = disk_error("could not open \"" + path.string() + "\"", reason);
        if (reason == ENOENT) error.code = ErrorCode::not_found;
        return error;
    }
    return FileDescriptor{fd};
}

Result<void> write_at(int fd, std::span<const std::byte> bytes, std::uint64_t offset, const std::filesystem::path& path) {
    while (!bytes.empty()) {
        ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR) continue;
        // A disk that takes nothing without saying why is full.
        if (written <= 0) return disk_error("could not write to \"" + path.string() + "\"", written < 0 ? errno : ENOSPC);
        bytes = bytes.subspan(static_cast<std::size_t>(written));
        offset += static_cast<std::uint64_t>(written);
    }
    return {};
}

Result<std::size_t> read_at(int fd, std::span<std::byte> bytes, std::uint64_t offset, const std::filesystem::path& path) {
    std::size_t done = 0;
    while (done < bytes.size()) {
        ssize_t got = ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return io_error("could not read \"" + path.string() + "\"", errno);
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    return done;
}

void sync_file(int fd, const std::filesystem::path& path) {
    if (::fsync(fd) != 0) sync_failed("fsync", path, errno);
}

void sync_wal(int fd, const std::filesystem::path& path) {
    auto begin = std::chrono::steady_clock::now();
    if (::fdatasync(fd) != 0) sync_failed("fdatasync", path, errno);
    auto took = std::chrono::steady_clock::now() - begin;
    wal_sync_histogram().add(
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
}

void sync_directory(const std::filesystem::path& path) {
    int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) sync_failed("open", path, errno);
    FileDescriptor directory{fd};
    if (::fsync(fd) != 0) sync_failed("fsync", path, errno);
}

Result<void> replace_file(const std::filesystem::path& path, std::string_view content) {
    auto temporary = path;
    temporary += ".tmp";
    BOUGH_ASSIGN(auto file, open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC));
    BOUGH_TRY(write_at(file.get(), std::as_bytes(std::span(content)), 0, temporary));
    sync_file(file.get(), temporary);
    file.close();
    if (::rename(temporary.c_str(), path.c_str()) != 0)
        return disk_error("could not rename \"" + temporary.string() + "\"", errno);
    sync_directory(path.parent_path());
    return {};
}

namespace {

constexpr std::size_t kSpareBytes = 8192;

std::filesystem::path spare_of(const std::filesystem::path& path) {
    auto spare = path;
    return spare += ".spare";
}

}  // namespace

Result<void> keep_spare(const std::filesystem::path& path) {
    return replace_file(spare_of(path), std::string(kSpareBytes, '\0'));
}

Result<void> replace_file_in_place(const std::filesystem::path& path, std::string_view content) {
    auto spare = spare_of(path);
    BOUGH_ASSIGN(auto file, open_file(spare, O_WRONLY | O_CREAT));
    BOUGH_TRY(write_at(file.get(), std::as_bytes(std::span(content)), 0, spare));
    if (::ftruncate(file.get(), static_cast<off_t>(content.size())) != 0)
        return disk_error("could not truncate \"" + spare.string() + "\"", errno);
    sync_file(file.get(), spare);
    file.close();
    if (::renameat2(AT_FDCWD, spare.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) != 0)
        return disk_error("could not exchange \"" + spare.string() + "\" for \"" + path.string() + "\"", errno);
    sync_directory(path.parent_path());
    return {};
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max) {
    BOUGH_ASSIGN(auto file, open_file(path, O_RDONLY));
    std::string content;
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return io_error("could not stat \"" + path.string() + "\"", errno);
    if (static_cast<std::uint64_t>(status.st_size) > bytes_max)
        return Error{ErrorCode::corrupt, "\"" + path.string() + "\" is too long", {}};
    content.resize(static_cast<std::size_t>(status.st_size));
    BOUGH_ASSIGN(auto got, read_at(file.get(), std::as_writable_bytes(std::span(content)), 0, path));
    content.resize(got);
    return content;
}

}  // namespace bough::safekeeper::segment
