// One run: a system, a while of work and faults, then calm, in which everything must come right.
#pragma once

#include <cstdint>
#include <string>

#include "safekeeper/simulation/system.hpp"

namespace bough::safekeeper::simulation {

// What happened, for totals that show that a run was no idle one.
struct Summary {
    std::size_t commits = 0;
    std::size_t terms = 0;
    std::size_t exchanges = 0;        // of members, finished
    std::size_t logs_begun_anew = 0;
};

// Aborts when a promise is broken.
Summary run(const Options& options);

}  // namespace bough::safekeeper::simulation
