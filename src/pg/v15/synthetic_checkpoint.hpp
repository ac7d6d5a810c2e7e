// The shutdown checkpoint that a compute finds at the end of its log: as if its branch had been shut down cleanly there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "bough/lsn.hpp"
#include "pg/v15/checkpoint.hpp"
#include "pg/wal_segment.hpp"

namespace bough::pg::v15 {

struct SyntheticCheckpoint {
    struct SegmentFile {
        SegmentNumber segment;
        std::vector<std::byte> content;  // a whole segment
    };
    CheckPoint checkpoint;              // as the record has it: redo is the record's start
    Lsn end;                            // of the record; where the compute's own WAL goes on
    std::vector<SegmentFile> segments;  // one, or two when the record crosses into the next
};

// Puts a shutdown checkpoint record after the log that ends at `at`, the end of a record (a page or segment boundary
// too). `previous` is the start of that record. `prefix` holds what is known of the bytes from the start of at's segment,
// at most up to `at`; what is missing is zeros with page headers where a reader needs them. Of `checkpoint`, redo and
// oldest_active_xid are set here. ErrorCode::invalid_argument when no record can end at `at`.
Result<SyntheticCheckpoint> append_shutdown_checkpoint(std::span<const std::byte> prefix, Lsn at, Lsn previous,
                                                       CheckPoint checkpoint, SystemId system_id, std::uint32_t segment_bytes);

}  // namespace bough::pg::v15
