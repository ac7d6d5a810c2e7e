// A system's data directory: what lies where, and the settings it was started with.
//
//   bough.json        format version and settings           api-key           the API's key
//   supervisor.lock   held by the running supervisor        supervisor.json   its pid and its daemons
//   log/              a log per daemon and compute          run/              Unix sockets (mode 0700)
//   pageserver/ safekeepers/NAME/ control/ computes/        each daemon's own
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "bough/error.hpp"

namespace bough::cli {

struct SystemSettings {
    std::vector<std::string> safekeepers = {"sk1"};  // names: "sk" and a number, which is also that of its WAL service
    std::uint16_t api_port = 8432;
    std::uint16_t sql_port = 55432;
    std::uint64_t wal_keep_bytes = 0;  // of each branch on each safekeeper, although nothing of Bough needs it
    bool operator==(const SystemSettings&) const = default;
};

class SystemFiles {
public:
    explicit SystemFiles(std::filesystem::path root) : root_(std::move(root)) {}
    const std::filesystem::path& root() const { return root_; }
    std::filesystem::path settings() const { return root_ / "bough.json"; }
    std::filesystem::path api_key() const { return root_ / "api-key"; }
    std::filesystem::path lock() const { return root_ / "supervisor.lock"; }
    std::filesystem::path control_lock() const { return root_ / "control" / "lock"; }
    std::filesystem::path supervisor() const { return root_ / "supervisor.json"; }
    std::filesystem::path log_directory() const { return root_ / "log"; }
    std::filesystem::path run_directory() const { return root_ / "run"; }
    std::filesystem::path computes() const { return root_ / "computes"; }

    // not_found when nothing was ever started here; unsupported when another version of Bough wrote it.
    Result<SystemSettings> read_settings() const;
    Result<void> write_settings(const SystemSettings& settings) const;

private:
    std::filesystem::path root_;
};

// "sk1" to "skN", as a new system has them.
std::vector<std::string> first_safekeepers(unsigned count);
// The number of such a name; nothing when it is none.
std::optional<unsigned> safekeeper_number(const std::string& name);

struct DaemonStatus {
    std::string name;
    int pid = 0;
    std::string state;  // "running", "restarting", "stopped"
    unsigned restarts = 0;
};

struct SupervisorStatus {
    int pid = 0;
    std::vector<DaemonStatus> daemons;
};

Result<void> write_supervisor_status(const SystemFiles& files, const SupervisorStatus& status);
Result<SupervisorStatus> read_supervisor_status(const SystemFiles& files);

// Whether a supervisor runs on this directory.
bool supervisor_runs(const SystemFiles& files);
// Whether control does: under systemd or in containers it has no supervisor.
bool control_runs(const SystemFiles& files);

}  // namespace bough::cli
