// Small files that must be whole or absent: read, write atomically, lock.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "bough/error.hpp"

namespace bough::files {

Result<std::string> read(const std::filesystem::path& path);

// Writes a temporary file beside it, fsyncs, renames over, fsyncs the directory: after a crash the old or the new content is
// there, never a mixture. Mode 0600.
Result<void> write_atomically(const std::filesystem::path& path, std::string_view content);

// The same without any fsync, for content that says nothing after a power cut: who reads it meanwhile finds the old or the new content, and
// whoever writes it does not wait for the disk.
Result<void> replace(const std::filesystem::path& path, std::string_view content);

// Writes a file in place without fsync, mode 0600: for content that can be made again.
Result<void> write(const std::filesystem::path& path, std::string_view content);

// Makes renames and new names in the directory durable.
Result<void> sync_directory(const std::filesystem::path& path);

// Directory and its parents, mode 0700.
Result<void> make_directories(const std::filesystem::path& path);
Result<void> remove_tree(const std::filesystem::path& path);

// An exclusive lock on a file, held until destruction or the process's end. Movable.
class Lock {
public:
    // failed_precondition when another process holds it; the message names the file and that process's pid if it is known.
    static Result<Lock> take(const std::filesystem::path& path);
    ~Lock();
    Lock(Lock&& other) noexcept;
    Lock& operator=(Lock&& other) noexcept;
    int descriptor() const { return fd_; }

private:
    explicit Lock(int fd) : fd_(fd) {}
    int fd_;
};

}  // namespace bough::files
