// What a control process must know to take over a compute that another one started: a small file in the compute's directory.
#pragma once

#include <filesystem>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "bough/lsn.hpp"
#include "election/term_history.hpp"

namespace bough::control {

struct LaunchRecord {
    Term term;
    Lsn start_lsn;
    Lsn prev_lsn;
    election::TermHistory history;  // term history with this term, for safekeepers that join late
};

Result<void> write_launch_record(const std::filesystem::path& compute_directory, const LaunchRecord& record);
Result<LaunchRecord> read_launch_record(const std::filesystem::path& compute_directory);

}  // namespace bough::control
