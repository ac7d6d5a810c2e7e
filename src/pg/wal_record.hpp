// One WAL record as it stood in the log, put together from its pages.
#pragma once

#include <cstddef>
#include <span>

#include "bough/lsn.hpp"

namespace bough::pg {

struct WalRecord {
    Lsn start;  // of its header: Postgres's ReadRecPtr
    Lsn end;    // Postgres's EndRecPtr: just past it, aligned; a record that fills its page ends at the page boundary
    std::span<const std::byte> bytes;  // XLogRecord header and all; CRC checked
};

}  // namespace bough::pg
