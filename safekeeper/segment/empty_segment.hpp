// What a segment file begins with before WAL is written to it.
#pragma once

#include <cstddef>
#include <vector>

#include "safekeeper/segment/wal_place.hpp"

namespace bough::safekeeper::segment {

// The header of its first page: Postgres's tools take a directory's segment size from whichever file they see first. No record
// follows it, so it says nothing of the log; what is received replaces it.
std::vector<std::byte> empty_segment_header(const WalPlace& place, pg::SegmentNumber segment);

}  // namespace bough::safekeeper::segment
