// The headers inside a WAL record of Postgres 15 (access/xlogrecord.h).
#pragma once

#include <cstdint>

namespace bough::pg::v15 {

// Ids of the parts of a record: block references come first, main data last.
inline constexpr std::uint8_t kPartBlockMax = 32;
inline constexpr std::uint8_t kPartDataShort = 255;
inline constexpr std::uint8_t kPartDataLong = 254;
inline constexpr std::uint8_t kPartOrigin = 253;
inline constexpr std::uint8_t kPartToplevelXid = 252;

// Block reference: id, fork_flags, data length (2), [image header], [tablespace, database, relation (4 each)], block (4).
inline constexpr std::uint8_t kBlockForkMask = 0x0F;
inline constexpr std::uint8_t kBlockHasImage = 0x10;
inline constexpr std::uint8_t kBlockHasData = 0x20;
inline constexpr std::uint8_t kBlockWillInit = 0x40;
inline constexpr std::uint8_t kBlockSameRelation = 0x80;

// Image header: length (2), hole offset (2), info (1), [hole length (2), if compressed and with a hole].
inline constexpr std::uint8_t kImageHasHole = 0x01;
inline constexpr std::uint8_t kImageApply = 0x02;
inline constexpr std::uint8_t kImagePglz = 0x04;
inline constexpr std::uint8_t kImageLz4 = 0x08;
inline constexpr std::uint8_t kImageZstd = 0x10;
inline constexpr std::uint8_t kImageCompressed = kImagePglz | kImageLz4 | kImageZstd;

// A bit of the header's info that Postgres leaves unused. ChangeExtractor sets it in a record of a page whose redo asks whether
// changes of hint bits are logged, when the server that wrote it had wal_log_hints on (BOUGH_REDO_INFO_HINT_BITS_LOGGED).
inline constexpr std::uint8_t kInfoHintBitsLogged = 0x04;

}  // namespace bough::pg::v15
