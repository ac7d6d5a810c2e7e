// Finds record boundaries in WAL files by reading records.
#pragma once

#include <cstdint>

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "safekeeper/segment/wal_place.hpp"

namespace bough::safekeeper::segment {

// The end of a record, and its start.
struct RecordBoundary {
    Lsn end;
    Lsn start;
    bool operator==(const RecordBoundary&) const = default;
};

// Reads records from `known` (a record end) until none follows: that is where the log ends after a crash. corrupt: more of the log lies
// further behind than kUnsyncedBytesMax, or in later segments, which are written to only once those before are durable. So that is
// damage and no end: to take it for one would lose what was acknowledged.
Result<RecordBoundary> find_log_end(const WalPlace& place, RecordBoundary known);

// The last record that ends at or before `at`, in the log that begins at `log_begin` (which is the answer if there is none)
// and goes to at least `at`. Reads the segment of `at`, and earlier ones when no record ends in it. corrupt: the log is broken.
Result<RecordBoundary> find_boundary(const WalPlace& place, RecordBoundary log_begin, Lsn at);

// The last record in [begin, at) that ends at or before `at`, where a record begins at `begin`. corrupt when there is none.
Result<RecordBoundary> find_boundary_from(const WalPlace& place, Lsn begin, Lsn at);

}  // namespace bough::safekeeper::segment
