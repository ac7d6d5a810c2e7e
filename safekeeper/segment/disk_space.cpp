#include "safekeeper/segment/disk_space.hpp"

#include <sys/statvfs.h>

#include <cerrno>

namespace bough::safekeeper::segment {

DiskSpace& disk_space() {
    static DiskSpace space;
    return space;
}

bool DiskSpace::full() const {
    auto refused_at = refused_at_.load(std::memory_order_relaxed);
    return refused_at != 0 && std::chrono::steady_clock::duration(now() - refused_at) < kRemembered;
}

std::optional<std::uint64_t> DiskSpace::free_bytes(const std::filesystem::path& path) {
    struct statvfs disk {};
    if (::statvfs(path.c_str(), &disk) != 0) return std::nullopt;
    return std::uint64_t{disk.f_bavail} * disk.f_frsize;
}

bool means_no_room(int error_number) { return error_number == ENOSPC || error_number == EDQUOT; }

}  // namespace bough::safekeeper::segment
