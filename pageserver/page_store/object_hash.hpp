// A hash of object keys, for tables in memory.
#pragma once

#include <cstdint>

#include "pageserver/page_store/version_key.hpp"

namespace bough::pageserver {

inline std::uint64_t hash_object(const ObjectKey& key) {
    constexpr std::uint64_t kMultiplier = 0x9E3779B97F4A7C15ull;
    std::uint64_t x = (std::uint64_t{key.database} << 32 | key.object) * kMultiplier;
    x ^= x >> 32;
    x += std::uint64_t{key.tablespace} << 16 | std::uint64_t{key.fork} << 8 | static_cast<std::uint8_t>(key.kind);
    x *= kMultiplier;
    x ^= x >> 29;
    x += key.block;
    x *= 0xBF58476D1CE4E5B9ull;
    return x ^ x >> 32;
}

}  // namespace bough::pageserver
