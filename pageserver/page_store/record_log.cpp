#include "pageserver/page_store/record_log.hpp"

#include <algorithm>

#include "base/crc32c.hpp"

namespace bough::pageserver {
namespace {

// A record, or a part of one, lies within a block: checksum u32, length u16, type u8, then its bytes. What is left of a block that is too
// short for that is zeros. Types 5 to 8 are those of a file that is used again, and have the log's number in front of their bytes.
constexpr std::size_t kHeaderBytes = 7;
constexpr std::size_t kNumberBytes = 4;
constexpr std::uint8_t kFirstType = 1;
constexpr std::uint8_t kFirstTypeWithNumber = 5;
constexpr std::uint8_t kLastTypeWithNumber = 8;
constexpr std::uint8_t kLastType = 9;

std::uint32_t little_endian(std::span<const std::byte> bytes, std::size_t count) {
    std::uint32_t value = 0;
    for (std::size_t i = count; i-- > 0;) value = value << 8 | std::to_integer<std::uint32_t>(bytes[i]);
    return value;
}

// A checksum over bytes with checksums in them is weak, so they are stored turned and shifted.
std::uint32_t masked(std::uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

}  // namespace

void RecordLogCheck::add(std::span<const std::byte> block) {
    const std::uint64_t begin = begin_;
    begin_ += block.size();
    for (std::size_t at = 0; at + kHeaderBytes <= block.size();) {
        const auto rest = block.subspan(at);
        // Room that was made in advance.
        if (std::ranges::all_of(rest, [](std::byte b) { return b == std::byte{0}; })) return;
        const std::size_t length = little_endian(rest.subspan(4), 2);
        const auto type = std::to_integer<std::uint8_t>(rest[6]);
        const bool with_number = type >= kFirstTypeWithNumber && type <= kLastTypeWithNumber;
        const std::size_t end = kHeaderBytes + length + (with_number ? kNumberBytes : 0);
        const bool fits = type >= kFirstType && type <= kLastType && end <= rest.size();
        if (!fits || masked(crc32c(rest.subspan(6, end - 6))) != little_endian(rest, 4)) {
            if (!wrong_) wrong_ = begin + at;
            return;  // where the next record of this block begins cannot be known
        }
        ++records_;
        if (wrong_ && !damage_) damage_ = wrong_;
        at += end;
    }
}

}  // namespace bough::pageserver
