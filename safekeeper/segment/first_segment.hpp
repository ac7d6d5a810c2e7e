// The part of a log's first segment that lies before its beginning.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "bough/error.hpp"
#include "safekeeper/segment/wal_place.hpp"

namespace bough::safekeeper::segment {

// Makes the segment of `start_lsn`, durably, unless its file exists: what precedes `start_lsn` is copied from `parent`'s files
// when given (the caller knows that they hold it), else only the page headers are made that a reader of what follows needs.
// With `start_lsn` on a segment boundary there is nothing to do.
Result<void> make_first_segment(const WalPlace& place, Lsn start_lsn, const std::optional<WalPlace>& parent);

// For a log that shall begin at `begin`, behind the end of the one that is here: lays down its first segment, durably and under a name
// that no log is read from. `prefix`: all of the segment before `begin`.
Result<void> prepare_beginning(const WalPlace& place, Lsn begin, std::span<const std::byte> prefix);

// Once it is written that the log begins at `begin`: puts in place, durably, what was laid down for it. Removes what was laid down for
// another beginning. Nothing to do is no error.
Result<void> finish_beginning(const WalPlace& place, Lsn begin);

}  // namespace bough::safekeeper::segment
