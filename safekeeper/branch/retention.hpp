// How much of a branch's log may go.
#pragma once

#include <atomic>
#include <cstdint>

#include "bough/lsn.hpp"

namespace bough::safekeeper {

struct RetentionSettings {
    // So much below the log's end is kept for peers that are behind. One that is further behind begins its log anew where ours does.
    std::uint64_t peer_wal_bytes_max = 1ull << 30;
    // So much below the log's end is kept in any case, for those who read WAL from here: pg_receivewal, pg_waldump.
    std::uint64_t wal_keep_bytes = 0;
};

// What decides about a log. Each LSN may only rise while the log is not cut, and it is never cut below `committed`.
struct RetentionView {
    Lsn durable;     // the pageserver has durably what is below, and will not ask for it again
    Lsn committed;   // and of our log
    Lsn end;
    Lsn peers_have;  // as Core::peers_have()
};

// Nothing at or above it may be dropped, and everything below it may.
Lsn drop_limit(const RetentionView& view, const RetentionSettings& settings);

// Of all branches since the process started. Thread-safe.
struct RetentionCounters {
    std::atomic<std::uint64_t> dropped_segments{0};
    std::atomic<std::uint64_t> dropped_bytes{0};
    std::atomic<std::uint64_t> logs_begun_anew{0};
};

}  // namespace bough::safekeeper
