// Runs the daemons of one system and starts again those that die.
#pragma once

#include <filesystem>
#include <functional>
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

// Where a safekeeper of a system listens.
struct SafekeeperSockets {
    std::string admin;  // address
    std::string wal;    // libpq conninfo
    std::string wal_listen;
};
SafekeeperSockets safekeeper_sockets(const SystemFiles& files, const std::string& name);

// The daemons of a system, in the order in which they start; they stop in the reverse one.
std::vector<DaemonCommand> daemon_commands(const SystemFiles& files, const SystemSettings& settings, const std::filesystem::path& programs,
                                           const std::string& bindir);

// Ends what a supervisor that was killed left behind and waits for it: its daemons are on their way out already.
void end_left_daemons(const SystemFiles& files);

using CommandsOf = std::function<std::vector<DaemonCommand>(const SystemSettings&)>;

// Returns after SIGTERM or SIGINT, when all daemons have ended. On SIGHUP it reads the system's settings again, starts the daemons
// that `commands_of` has for them and it had not, and stops those that are no longer there; the others go on as they are. Signals
// must be blocked by the caller. Standard output and error are its log.
int supervise(const SystemFiles& files, const std::vector<DaemonCommand>& commands, const CommandsOf& commands_of);

}  // namespace bough::cli
