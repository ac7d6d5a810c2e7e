// Points in time as text, for people and APIs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bough/error.hpp"

namespace bough {

// Microseconds since 1970-01-01 00:00:00 UTC.
std::int64_t now_us();

// "2026-11-23T01:02:03.456789Z"
std::string timestamp_text(std::int64_t us_since_1970);

// Date, then 'T' or a space, then hours and minutes; seconds, up to six digits of a fraction and a zone ("Z", "UTC", "+02",
// "+02:00", "-0530") may follow. Without a zone it is UTC. What Postgres prints for now() is among it.
Result<std::int64_t> parse_timestamp(std::string_view text);

}  // namespace bough
