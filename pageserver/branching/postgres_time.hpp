// Moments as Postgres counts them in WAL (TimestampTz): microseconds since 2000-01-01 00:00:00 UTC.
#pragma once

#include <cstdint>

#include "base/timestamp.hpp"

namespace bough::pageserver {

inline constexpr std::int64_t kPostgresEpochUs = 946'684'800'000'000;  // in microseconds since 1970

inline std::int64_t now_in_postgres_time() { return now_us() - kPostgresEpochUs; }
inline std::int64_t from_postgres_time(std::int64_t time) { return time + kPostgresEpochUs; }
inline std::int64_t to_postgres_time(std::int64_t us_since_1970) { return us_since_1970 - kPostgresEpochUs; }

}  // namespace bough::pageserver
