// Whether the disk has refused to take more: kept for the whole process, since all branches share the disk.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace bough::safekeeper::segment {

// Thread-safe. "Full" is what was refused a moment ago: whoever was refused tries again more often than that, so once there is room and
// all have got on it passes by itself.
class DiskSpace {
public:
    static constexpr auto kRemembered = std::chrono::seconds(8);

    // A write found no room.
    void refused() { refused_at_.store(now(), std::memory_order_relaxed); }
    bool full() const;

    // Bytes that are free on the disk of `path`; nothing when that cannot be told.
    static std::optional<std::uint64_t> free_bytes(const std::filesystem::path& path);

private:
    static std::int64_t now() { return std::chrono::steady_clock::now().time_since_epoch().count(); }
    std::atomic<std::int64_t> refused_at_{0};
};
DiskSpace& disk_space();

// Whether the error number means that the disk, or the quota, is full.
bool means_no_room(int error_number);

}  // namespace bough::safekeeper::segment
