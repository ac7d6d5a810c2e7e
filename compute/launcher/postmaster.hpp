// A compute's Postgres server process.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>

#include "bough/error.hpp"
#include "compute/launcher/compute_settings.hpp"

namespace bough::compute {

// Starts `postgres` on the directory as a process group of its own, with standard output and error appended to `log`.
// The caller reaps the process (it is our child). Returns its pid.
Result<pid_t> start_postmaster(const std::filesystem::path& bindir, const std::filesystem::path& directory, const Settings& settings,
                               const std::filesystem::path& log);

// Waits until it accepts connections. unavailable with the log's last lines when it exits before, and when that is asked to stop; timeout
// when it takes longer.
Result<void> wait_until_ready(pid_t pid, const Settings& settings, const std::filesystem::path& log, std::chrono::milliseconds timeout,
                              const std::stop_token& stop);

enum class Shutdown { fast, immediate };
// Signals and waits for the end; after `timeout` it is killed. Works for processes that are not our children, too.
void stop_postmaster(pid_t pid, Shutdown how, std::chrono::milliseconds timeout);

// The server that runs on this directory, if one does: its pid by postmaster.pid, checked to be a live postgres of this
// directory. For a control daemon that restarts while computes go on.
std::optional<pid_t> running_postmaster(const std::filesystem::path& directory);

// Whether the process is alive; reaps it if it is our child and has ended.
bool alive(pid_t pid);

}  // namespace bough::compute
