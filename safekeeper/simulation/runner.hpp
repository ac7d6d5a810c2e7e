// Many runs, in child processes, since a broken promise aborts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "safekeeper/simulation/scenario.hpp"

namespace bough::safekeeper::simulation {

struct Series {
    std::uint64_t first_seed = 1;
    std::uint64_t seeds = 1000;
    unsigned processes = 2;
    Defect defect = Defect::none;
    bool quiet = false;  // nothing on standard error
};

struct Outcome {
    std::optional<std::uint64_t> failed_seed;  // the lowest that is known to fail
    std::string broken;                        // the promise; empty when a check of the code itself failed
    std::uint64_t runs = 0;
    std::uint64_t commits = 0;
    std::uint64_t terms = 0;
    std::uint64_t exchanges = 0;
    std::uint64_t logs_begun_anew = 0;
};

// Stops at the first failure.
Outcome run_series(const Series& series);

// The run of one seed with all that happens, on standard output. Aborts where it fails.
void run_traced(std::uint64_t seed, Defect defect);

}  // namespace bough::safekeeper::simulation
