// Letting go of WAL that nobody needs any more: whole segments at the log's beginning.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "bough/error.hpp"
#include "safekeeper/segment/record_search.hpp"
#include "safekeeper/segment/wal_place.hpp"

namespace bough::safekeeper::segment {

// Where a log that begins at `begin` may begin instead, so that as many whole segments as possible are no longer of it and all from
// `limit` on still is: the first record that begins in a segment and ends at or below `limit`. Nothing when that would free no
// segment. Reads little: the beginning of the segment of `limit`, or of the one before.
Result<std::optional<RecordBoundary>> find_drop_point(const WalPlace& place, RecordBoundary begin, Lsn limit);

struct Dropped {
    std::size_t segments = 0;
    std::uint64_t bytes = 0;  // of disk
};

// Removes the files of all segments before that of `begin`, durably. A crash leaves some of them, which the next call removes:
// what a log's beginning is, its control file says. Who has such a file open reads on.
Result<Dropped> drop_segments_below(const WalPlace& place, Lsn begin);

}  // namespace bough::safekeeper::segment
