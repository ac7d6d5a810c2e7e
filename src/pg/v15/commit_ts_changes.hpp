// What turns and moves the commit timestamps, which more than one resource manager does.
#pragma once

#include <cstdint>
#include <span>

#include "pg/v15/extract.hpp"

namespace bough::pg::v15 {

// track_commit_timestamp was turned on or off.
void activate_commit_ts(Extraction& x);
void deactivate_commit_ts(Extraction& x);

// A transaction and its subtransactions (little-endian 32-bit ids) committed. Nothing unless timestamps are tracked.
void set_commit_ts(Extraction& x, std::span<const std::uint32_t> xids, std::int64_t time, std::uint16_t origin);

}  // namespace bough::pg::v15
