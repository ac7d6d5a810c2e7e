// Puts together WAL records of our own making: a header and main data, without block references.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "bough/lsn.hpp"

namespace bough::pg {

// The CRC-32C that belongs into this record's header.
std::uint32_t record_crc(std::span<const std::byte> record);

// A whole record, checksum included.
std::string make_record(std::uint8_t resource_manager, std::uint8_t info, std::uint32_t xid, Lsn previous,
                        std::span<const std::byte> main_data);

}  // namespace bough::pg
