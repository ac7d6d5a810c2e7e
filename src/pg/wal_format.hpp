// How Postgres lays out WAL: pages with headers in segments, and record headers. The same in 15 to 18, save for the magic.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bough::pg {

inline constexpr std::uint32_t kWalPageBytes = 8192;

// XLogPageHeaderData: at the start of every page, padded to 24 bytes.
struct WalPageHeader {
    std::uint16_t magic;
    std::uint16_t info;
    std::uint32_t timeline;
    std::uint64_t page_address;
    std::uint32_t remaining_bytes;  // of a record that began on an earlier page
    std::uint32_t padding;
};
static_assert(sizeof(WalPageHeader) == 24);

// XLogLongPageHeaderData: at the start of every segment.
struct WalLongPageHeader {
    WalPageHeader page;
    std::uint64_t system_id;
    std::uint32_t segment_bytes;
    std::uint32_t page_bytes;
};
static_assert(sizeof(WalLongPageHeader) == 40);

// WalPageHeader::info
inline constexpr std::uint16_t kWalPageContinuesRecord = 0x0001;   // XLP_FIRST_IS_CONTRECORD
inline constexpr std::uint16_t kWalPageLongHeader = 0x0002;        // XLP_LONG_HEADER
inline constexpr std::uint16_t kWalPageOverwritesRecord = 0x0008;  // XLP_FIRST_IS_OVERWRITE_CONTRECORD
inline constexpr std::uint16_t kWalPageAllFlags = 0x000F;

// XLogRecord: records begin at multiples of eight.
struct WalRecordHeader {
    std::uint32_t total_bytes;
    std::uint32_t xid;
    std::uint64_t previous;  // LSN of the record before it
    std::uint8_t info;       // high four bits: the resource manager's
    std::uint8_t resource_manager;
    std::uint16_t padding;
    std::uint32_t crc;  // CRC-32C of what follows the header, then of the header before this field
};
static_assert(sizeof(WalRecordHeader) == 24 && offsetof(WalRecordHeader, crc) == 20);

// Postgres 16 refuses to write longer ones; 15 could not hold one in memory while replaying it.
inline constexpr std::uint32_t kWalRecordBytesMax = 0x3FFFFFFF;

// Segment sizes that initdb offers: powers of two from 1 MB to 1 GB.
constexpr bool valid_wal_segment_bytes(std::uint64_t bytes) {
    return bytes >= (1u << 20) && bytes <= (1u << 30) && (bytes & (bytes - 1)) == 0;
}

// The length of the header of the page at this address.
constexpr std::uint32_t wal_page_header_bytes(std::uint64_t page_address, std::uint32_t segment_bytes) {
    return page_address % segment_bytes == 0 ? sizeof(WalLongPageHeader) : sizeof(WalPageHeader);
}

}  // namespace bough::pg
