// Where a branch's WAL segments lie and how they are shaped.
#pragma once

#include <cstdint>
#include <filesystem>

#include "bough/ids.hpp"
#include "bough/lsn.hpp"
#include "pg/wal_segment.hpp"
#include "pg/wal_stream.hpp"

namespace bough::safekeeper::segment {

// WalWriter never has more bytes written than this that are not synced yet. So whatever lies further behind a break in the log was
// written when the break's place had been durable.
inline constexpr std::uint64_t kUnsyncedBytesMax = 2u << 20;

struct WalPlace {
    std::filesystem::path directory;
    SystemId system_id;
    std::uint32_t segment_bytes = 16u << 20;

    pg::WalGeometry geometry() const { return {segment_bytes, system_id}; }
    pg::SegmentNumber segment_at(Lsn lsn) const { return pg::segment_of(lsn, segment_bytes); }
    Lsn begin_of(pg::SegmentNumber segment) const { return pg::segment_begin(segment, segment_bytes); }
    std::uint64_t offset_of(Lsn lsn) const { return lsn.value % segment_bytes; }
    std::string name_of(pg::SegmentNumber segment) const { return pg::wal_segment_name(segment, segment_bytes); }
    std::filesystem::path path_of(pg::SegmentNumber segment) const { return directory / name_of(segment); }
};

}  // namespace bough::safekeeper::segment
