// How a compute's Postgres is configured.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "bough/lsn.hpp"

namespace bough::compute {

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
    std::vector<std::string> safekeepers;     // their names; a commit waits for a majority of them
};

// The superuser's name in every cluster.
inline constexpr const char* kSuperuser = "postgres";

// Writes postgresql.conf (defaults that a user may override by ALTER SYSTEM), pg_hba.conf and pg_ident.conf.
Result<void> write_settings(const std::filesystem::path& directory, const Settings& settings);

// Command line options ("-c name=value" pairs) for what correctness rests on: they win over every file.
std::vector<std::string> fixed_settings(const Settings& settings);

// A libpq connection string of the superuser through the Unix socket.
std::string local_conninfo(const Settings& settings, const std::string& database);

}  // namespace bough::compute
