// Every history of the model within bounds, each state once.
#pragma once

#include <cstdint>

#include "safekeeper/spec/model.hpp"

namespace bough::safekeeper::spec {

struct Explored {
    std::uint64_t states = 0;
    std::uint64_t moves = 0;
    std::size_t depth = 0;         // of the longest path that was followed
    std::uint64_t with_acknowledged = 0;  // states in which a commit has been acknowledged: the exploration was no empty one
    bool complete = true;          // false: `states_max` was reached
};

// Aborts where a promise is broken, and says what had happened.
Explored explore(const Bounds& bounds, std::uint64_t states_max);

}  // namespace bough::safekeeper::spec
