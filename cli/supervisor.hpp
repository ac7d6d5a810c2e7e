// Runs the daemons of one system and starts again those that die.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "bough/error.hpp"
#include "cli/system_files.hpp"

namespace bough::cli {

struct DaemonCommand {
    std::string name;
    std::vector<std::string> arguments;  // with the program's path
    std::string admin;                   // where GET /status tells that it is ready
};

// The daemons of a system, in the order in which they start; they stop in the reverse one.
std::vector<DaemonCommand> daemon_commands(const SystemFiles& files, const SystemSettings& settings, const std::filesystem::path& programs,
                                           const std::string& bindir);

// Ends what a supervisor that was killed left behind and waits for it: its daemons are on their way out already.
void end_left_daemons(const SystemFiles& files);

// Returns after SIGTERM or SIGINT, when all daemons have ended. Signals must be blocked by the caller. Standard output and error
// are its log.
int supervise(const SystemFiles& files, const std::vector<DaemonCommand>& commands);

}  // namespace bough::cli
