// The body of a Postgres 15 checkpoint record, which pg_control repeats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "pg/change.hpp"
#include "pg/v15/control_file_format.hpp"

namespace bough::pg::v15 {

struct CheckPoint {
    Lsn redo;  // a shutdown checkpoint's is the start of its own record
    std::uint32_t timeline = 1;
    std::uint32_t previous_timeline = 1;
    bool full_page_writes = true;
    Counters counters;
    std::int64_t time = 0;                // seconds since 1970
    std::uint32_t oldest_active_xid = 0;  // 0 in shutdown checkpoints
    bool operator==(const CheckPoint&) const = default;

    static CheckPoint from_data(const CheckPointData& data);
    CheckPointData to_data() const;
};

// A whole XLOG_CHECKPOINT_SHUTDOWN record, header and checksum included.
std::string shutdown_checkpoint_record(const CheckPoint& checkpoint, Lsn previous);

}  // namespace bough::pg::v15
