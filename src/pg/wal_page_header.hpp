// Reads and checks the header of a WAL page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "pg/wal_format.hpp"
#include "pg/wal_stream.hpp"

namespace bough::pg {

// `bytes`: wal_page_header_bytes(page) of them, those at the page's start. Checks magic, flags, address, that the first page
// of a segment (and no other) has the long header, and on it segment size, page size and (if `geometry` has one) system
// identifier. ErrorCode::corrupt otherwise.
Result<WalPageHeader> read_wal_page_header(const WalGeometry& geometry, Lsn page, std::span<const std::byte> bytes);

}  // namespace bough::pg
