// WAL segment files: their numbers and names.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bough/lsn.hpp"

namespace bough::pg {

// Counts segments from LSN 0/0; what an LSN divided by the segment size gives.
struct SegmentNumber {
    std::uint64_t value = 0;
    auto operator<=>(const SegmentNumber&) const = default;
};

// Segment sizes are powers of two from 1 MB to 1 GB (valid_wal_segment_bytes); anything else is a programming error.
SegmentNumber segment_of(Lsn lsn, std::uint32_t segment_bytes);
Lsn segment_begin(SegmentNumber segment, std::uint32_t segment_bytes);

// "000000010000000A000000FE": timeline, then the number in two halves.
std::string wal_segment_name(SegmentNumber segment, std::uint32_t segment_bytes, std::uint32_t timeline = 1);

struct WalSegmentName {
    SegmentNumber segment;
    std::uint32_t timeline = 0;
    bool operator==(const WalSegmentName&) const = default;
};
// Exactly what wal_segment_name() makes, for a timeline above zero; nothing for other files (".partial", ".history" ...).
std::optional<WalSegmentName> parse_wal_segment_name(std::string_view name, std::uint32_t segment_bytes);

}  // namespace bough::pg
