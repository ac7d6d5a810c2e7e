// Durations and sizes as people write them.
#pragma once

#include <cstdint>
#include <string_view>

#include "bough/error.hpp"

namespace bough::cli {

// "90", "90s", "30m", "12h", "7d", "2w": in seconds. invalid_argument.
Result<std::uint64_t> parse_duration(std::string_view text);

// "100", "64kB", "512MB", "10GB", "1TB": in bytes, of 1024 each, as Postgres counts. invalid_argument.
Result<std::uint64_t> parse_byte_size(std::string_view text);

}  // namespace bough::cli
