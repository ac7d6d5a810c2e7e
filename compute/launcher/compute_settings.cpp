#include "compute/launcher/compute_settings.hpp"

#include "files/files.hpp"

namespace bough::compute {
namespace {

// One item of a setting that is a list of paths, as the command line takes it: in double quotes, since a path may hold a comma.
std::string list_item(const std::string& path) {
    std::string result = "\"";
    for (char c : path) {
        if (c == '"') result += c;
        result += c;
    }
    return result + "\"";
}

constexpr std::string_view kDefaults =
    "# Written by Bough at every start; ALTER SYSTEM is where changes of your own persist.\n"
    "max_connections = 100\n"
    "shared_buffers = '128MB'\n"
    "max_prepared_transactions = 64\n"
    "max_wal_senders = 16\n"
    "max_replication_slots = 16\n"
    "dynamic_shared_memory_type = posix\n"
    // Dirty pages go to local files that nobody fsyncs, and recovery never starts here: a checkpoint serves only to
    // let local WAL go.
    "checkpoint_timeout = '5min'\n"
    "max_wal_size = '1GB'\n"
    "min_wal_size = '80MB'\n"
    // A safekeeper that was away finds here what it missed, before it has to ask a peer. While a majority is away, no commit is
    // acknowledged and this much unacknowledged WAL waits for it; a compute that writes more is started anew from the last commit.
    "wal_keep_size = '512MB'\n"
    "password_encryption = 'scram-sha-256'\n"
    "log_timezone = 'UTC'\n"
    "timezone = 'UTC'\n"
    "datestyle = 'iso, mdy'\n"
    "lc_messages = 'C.UTF-8'\n"
    "lc_monetary = 'C.UTF-8'\n"
    "lc_numeric = 'C.UTF-8'\n"
    "lc_time = 'C.UTF-8'\n"
    "default_text_search_config = 'pg_catalog.english'\n"
    "log_line_prefix = '%m [%p] %q%u@%d '\n"
    "include 'bough/quorum.conf'\n";

constexpr const char* kQuorumFile = "bough/quorum.conf";

// The Unix socket lies in a directory of mode 0700: who reaches it is the operator. Over TCP nobody becomes superuser.
std::string host_based_authentication() {
    std::string user = kSuperuser;
    return "local all " + user + " trust\n"
           "local replication " + user + " trust\n"
           "local all all scram-sha-256\n"
           "host all " + user + " all reject\n"
           "host replication all all reject\n"
           "host all all all scram-sha-256\n";
}

}  // namespace

std::string synchronous_standby_names(const StandbyQuorum& quorum) {
    std::string names;
    for (const auto& name : quorum.standbys) names += (names.empty() ? "" : ",") + ("bough_" + name);
    return "ANY " + std::to_string(quorum.count) + " (" + names + ")";
}

std::vector<std::string> standbys_of(const std::string& synchronous_standby_names) {
    std::vector<std::string> names;
    const std::string prefix = "bough_";
    auto at = synchronous_standby_names.find('(');
    while (at != std::string::npos) {
        auto begin = at + 1;
        auto end = synchronous_standby_names.find_first_of(",)", begin);
        if (end == std::string::npos) return {};
        if (synchronous_standby_names.compare(begin, prefix.size(), prefix) == 0)
            names.push_back(synchronous_standby_names.substr(begin + prefix.size(), end - begin - prefix.size()));
        at = synchronous_standby_names[end] == ',' ? end : std::string::npos;
    }
    return names;
}

Result<void> write_quorum(const std::filesystem::path& directory, const StandbyQuorum& quorum) {
    BOUGH_TRY(files::make_directories((directory / kQuorumFile).parent_path()));
    return files::write_atomically(directory / kQuorumFile, "synchronous_standby_names = '" + synchronous_standby_names(quorum) + "'\n");
}

Result<void> write_settings(const std::filesystem::path& directory, const Settings& settings) {
    BOUGH_TRY(write_quorum(directory, settings.quorum));
    BOUGH_TRY(files::write(directory / "postgresql.conf", kDefaults));
    BOUGH_TRY(files::write(directory / "pg_hba.conf", host_based_authentication()));
    BOUGH_TRY(files::write(directory / "pg_ident.conf", ""));
    if (!std::filesystem::exists(directory / "postgresql.auto.conf")) BOUGH_TRY(files::write(directory / "postgresql.auto.conf", ""));
    return {};
}

std::vector<std::string> fixed_settings(const Settings& settings) {
    const std::pair<const char*, std::string> fixed[] = {
        {"shared_preload_libraries", list_item(settings.extension)},
        {"bough.pageserver", settings.pageserver},
        {"bough.project", settings.project.str()},
        {"bough.branch", settings.branch.str()},
        {"bough.start_lsn", settings.start_lsn.to_string()},
        {"bough.term", std::to_string(settings.term.value)},
        {"listen_addresses", settings.listen_address},
        {"port", std::to_string(settings.port)},
        {"unix_socket_directories", list_item(settings.socket_directory.string())},
        {"unix_socket_permissions", "0700"},
        // Durability is the quorum's (write_quorum); local files are never recovered from (design: full_page_writes and fsync off).
        {"fsync", "off"},
        {"full_page_writes", "off"},
        {"wal_level", "replica"},
        // A compute whose process crashed is started afresh from storage.
        {"restart_after_crash", "off"},
        {"archive_mode", "off"},
        {"logging_collector", "off"},
        {"log_destination", "stderr"},
    };
    std::vector<std::string> options;
    for (const auto& [name, value] : fixed) {
        options.push_back("-c");
        options.push_back(std::string(name) + "=" + value);
    }
    return options;
}

std::string local_conninfo(const Settings& settings, const std::string& database) {
    return "host='" + settings.socket_directory.string() + "' port=" + std::to_string(settings.port) + " user=" + kSuperuser +
           " dbname=" + database;
}

}  // namespace bough::compute
