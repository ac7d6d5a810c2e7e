// Branching from a place in the log whose WAL no safekeeper keeps any more.
#pragma once

#include <cstdint>

#include "bough/lsn.hpp"

namespace bough::control {

// The last place at or before `lsn` at which a record may end: where a log can go on. No record that ends at or before `lsn` ends behind
// it, so the pageserver's content at both is the same, whether a record happens to end there or one is cut off by it.
Lsn last_place_for_an_end(Lsn lsn, std::uint32_t segment_bytes);

}  // namespace bough::control
