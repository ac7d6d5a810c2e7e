#include "files/files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace bough::files {
namespace {

Result<void> write_descriptor(int fd, std::string_view content, const std::filesystem::path& path) {
    while (!content.empty()) {
        ssize_t written = ::write(fd, content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return io_error("cannot write " + path.string(), errno);
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

Result<void> write_new(const std::filesystem::path& path, std::string_view content, bool durable) {
    int fd = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) return io_error("cannot create " + path.string(), errno);
    auto result = write_descriptor(fd, content, path);
    if (result && durable && ::fsync(fd) != 0) result = io_error("cannot fsync " + path.string(), errno);
    ::close(fd);
    return result;
}

Result<void> rename_new(const std::filesystem::path& path, std::string_view content, bool durable) {
    auto temporary = path;
    temporary += ".new";
    BOUGH_TRY(write_new(temporary, content, durable));
    if (::rename(temporary.c_str(), path.c_str()) != 0) return io_error("cannot rename " + temporary.string(), errno);
    return {};
}

}  // namespace

Result<std::string> read(const std::filesystem::path& path) {
    int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        Error error = io_error("cannot open " + path.string(), errno);
        if (errno == ENOENT) error.code = ErrorCode::not_found;
        return error;
    }
    std::string content;
    char buffer[65536];
    for (;;) {
        ssize_t got = ::read(fd, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            Error error = io_error("cannot read " + path.string(), errno);
            ::close(fd);
            return error;
        }
        if (got == 0) break;
        content.append(buffer, static_cast<std::size_t>(got));
    }
    ::close(fd);
    return content;
}

Result<void> write_atomically(const std::filesystem::path& path, std::string_view content) {
    BOUGH_TRY(rename_new(path, content, true));
    return sync_directory(path.has_parent_path() ? path.parent_path() : std::filesystem::path("."));
}

Result<void> replace(const std::filesystem::path& path, std::string_view content) { return rename_new(path, content, false); }

Result<void> sync_directory(const std::filesystem::path& path) {
    int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return io_error("cannot open " + path.string(), errno);
    int failed = ::fsync(directory) != 0 ? errno : 0;
    ::close(directory);
    if (failed != 0) return io_error("cannot fsync " + path.string(), failed);
    return {};
}

Result<void> write(const std::filesystem::path& path, std::string_view content) { return write_new(path, content, false); }

Result<void> make_directories(const std::filesystem::path& path) {
    std::error_code unknown;  // then mkdir says what is wrong
    if (path.has_parent_path() && !std::filesystem::exists(path.parent_path(), unknown) && !unknown) BOUGH_TRY(make_directories(path.parent_path()));
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return io_error("cannot create directory " + path.string(), errno);
    return {};
}

Result<void> remove_tree(const std::filesystem::path& path) {
    std::error_code failed;
    std::filesystem::remove_all(path, failed);
    if (failed) return io_error("cannot remove " + path.string(), failed.value());
    return {};
}

Result<Lock> Lock::take(const std::filesystem::path& path) {
    int fd = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) return io_error("cannot open " + path.string(), errno);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int why = errno;
        char holder[32] = {};
        ssize_t got = ::pread(fd, holder, sizeof holder - 1, 0);
        ::close(fd);
        if (why != EWOULDBLOCK) return io_error("cannot lock " + path.string(), why);
        std::string pid(holder, got > 0 ? static_cast<std::size_t>(got) : 0);
        while (!pid.empty() && (pid.back() < '0' || pid.back() > '9')) pid.pop_back();
        return Error{ErrorCode::failed_precondition,
                     path.parent_path().string() + " is in use by another process" + (pid.empty() ? "" : " (pid " + pid + ")"),
                     "stop it first, or choose another data directory"};
    }
    Lock lock(fd);
    std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0) return io_error("cannot write " + path.string(), errno);
    return lock;
}

Lock::~Lock() {
    if (fd_ >= 0) ::close(fd_);
}
Lock::Lock(Lock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
Lock& Lock::operator=(Lock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

}  // namespace bough::files
