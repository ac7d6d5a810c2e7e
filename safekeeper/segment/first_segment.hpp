// The part of a branch's first segment that lies before the branch's start.
#pragma once

#include <optional>

#include "bough/error.hpp"
#include "safekeeper/segment/wal_place.hpp"

namespace bough::safekeeper::segment {

// Makes the segment of `start_lsn`, durably, unless its file exists: what precedes `start_lsn` is copied from `parent`'s files
// when given (the caller knows that they hold it), else only the page headers are made that a reader of what follows needs.
// With `start_lsn` on a segment boundary there is nothing to do.
Result<void> make_first_segment(const WalPlace& place, Lsn start_lsn, const std::optional<WalPlace>& parent);

}  // namespace bough::safekeeper::segment
