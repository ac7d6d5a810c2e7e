// All chance in a run: one seed gives one sequence, on every machine.
#pragma once

#include <cstdint>
#include <vector>

namespace bough::safekeeper::simulation {

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 0x1234567) {}

    // splitmix64
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    // In [low, high].
    std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + next() % (high - low + 1); }
    std::size_t index(std::size_t size) { return static_cast<std::size_t>(next() % size); }
    // Mostly near `low`, seldom near `high`.
    std::uint64_t mostly_low(std::uint64_t low, std::uint64_t high) {
        auto x = between(0, 1000), y = between(0, 1000), z = between(0, 1000);
        return low + (high - low) * (x * y / 1000 * z / 1000) / 1000;
    }
    bool chance(unsigned per_mille) { return next() % 1000 < per_mille; }

private:
    std::uint64_t state_;
};

}  // namespace bough::safekeeper::simulation
