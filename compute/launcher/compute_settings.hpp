// How a compute's Postgres is configured.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "bough/lsn.hpp"
#include "election/standby_quorum.hpp"

namespace bough::compute {

using election::StandbyQuorum;

struct Settings {
    ProjectId project;
    BranchId branch;
    Lsn start_lsn;
    Term term;                                // that the safekeepers began for this compute
    std::string pageserver;                   // address of the page service, e.g. "unix:/run/bough/pageserver.sock"
    std::string extension;                    // absolute path of bough.so
    std::filesystem::path socket_directory;   // of mode 0700: who can reach it is the operator
    std::string listen_address = "127.0.0.1"; // for SQL clients, who authenticate with SCRAM
    std::uint16_t port = 0;
    StandbyQuorum quorum;                     // at its start; write_quorum() changes it
};

// The superuser's name in every cluster.
inline constexpr const char* kSuperuser = "postgres";

// Writes postgresql.conf (defaults that a user may override by ALTER SYSTEM), pg_hba.conf and pg_ident.conf, and the quorum's file.
Result<void> write_settings(const std::filesystem::path& directory, const Settings& settings);

// The value of synchronous_standby_names: "ANY 2 (bough_sk1,bough_sk2,bough_sk3)".
std::string synchronous_standby_names(const StandbyQuorum& quorum);
// Whom such a value names; nobody, if it is another one.
std::vector<std::string> standbys_of(const std::string& synchronous_standby_names);

// Rewrites the file of the one correctness setting that changes while the server runs, whole or not at all. It is in force once the
// server has read it (SIGHUP), in processes that began after that.
Result<void> write_quorum(const std::filesystem::path& directory, const StandbyQuorum& quorum);

// Command line options ("-c name=value" pairs) for what correctness rests on and does not change: they win over every file. (The quorum
// has a file instead; the extension refuses to have it overridden by ALTER SYSTEM.)
std::vector<std::string> fixed_settings(const Settings& settings);

// A libpq connection string of the superuser through the Unix socket.
std::string local_conninfo(const Settings& settings, const std::string& database);

}  // namespace bough::compute
