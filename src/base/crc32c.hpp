// CRC-32C (Castagnoli), the checksum of Postgres's WAL records, control file and two-phase files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bough {

// The checksum of `bytes`.
std::uint32_t crc32c(std::span<const std::byte> bytes);

// The checksum of what `crc` covers followed by `bytes`: crc32c_extend(crc32c(a), b) == crc32c(a b). Begin with 0.
std::uint32_t crc32c_extend(std::uint32_t crc, std::span<const std::byte> bytes);

namespace detail {
using Crc32cExtend = std::uint32_t (*)(std::uint32_t crc, std::span<const std::byte> bytes);
// Those that this processor can do, slowest first; crc32c_extend() takes the last.
std::vector<Crc32cExtend> crc32c_ways();
// The one that any can do.
std::uint32_t crc32c_extend_portable(std::uint32_t crc, std::span<const std::byte> bytes);
}  // namespace detail

}  // namespace bough
