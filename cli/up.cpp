// bough up
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>

#include <boost/json/serialize.hpp>

#include "cli/connect.hpp"
#include "cli/privileges.hpp"
#include "cli/supervisor.hpp"
#include "files/files.hpp"
#include "json/fields.hpp"

namespace bough::cli {
namespace {

constexpr auto kStartTimeout = std::chrono::seconds(60);
constexpr const char* kFirstProject = "default";

struct UpOptions {
    unsigned safekeepers = 0;  // 0: as before, or 1
    std::uint16_t api_port = 0;
    std::uint16_t sql_port = 0;
    std::optional<std::uint64_t> wal_keep_bytes;
    std::string bindir;
    bool foreground = false;
};

std::string postgres_bindir(const UpOptions& options) {
    if (!options.bindir.empty()) return options.bindir;
    const char* from_environment = std::getenv("BOUGH_PG_BINDIR");
    return from_environment && *from_environment ? from_environment : "/usr/lib/postgresql/15/bin";
}

Result<void> check_postgres(const std::string& bindir) {
    for (const char* program : {"postgres", "initdb"}) {
        if (::access((bindir + "/" + program).c_str(), X_OK) == 0) continue;
        return Error{ErrorCode::failed_precondition, "PostgreSQL 15 is not installed: there is no " + bindir + "/" + program,
                     "apt-get install postgresql-15, or say where it is with --pg-bindir"};
    }
    return {};
}

// Asks the program itself: a directory of another major version has the same names in it.
Result<void> check_postgres_version(const std::string& bindir) {
    std::unique_ptr<FILE, int (*)(FILE*)> output(::popen(("'" + bindir + "/postgres' --version 2>&1").c_str(), "r"), ::pclose);
    char line[200] = {};
    if (output && std::fgets(line, sizeof line, output.get()) &&
        std::string_view(line).find("(PostgreSQL) 15.") != std::string_view::npos)
        return {};
    std::string said(line);
    while (!said.empty() && said.back() == '\n') said.pop_back();
    return Error{ErrorCode::unsupported, bindir + "/postgres is not PostgreSQL 15: it says \"" + said + "\"",
                 "name the directory of version 15 with --pg-bindir"};
}

// A directory that somebody uses for something else is not ours to fill.
Result<void> check_empty_or_ours(const SystemFiles& files) {
    std::error_code failed;
    if (std::filesystem::exists(files.settings(), failed)) return {};
    if (failed) return io_error("cannot look into " + files.root().string(), failed.value());
    for (const auto& entry : std::filesystem::directory_iterator(files.root(), failed)) {
        // What a first start that was interrupted leaves, and what a file system has at its root.
        auto name = entry.path().filename().string();
        if (name == "supervisor.lock" || name == "log" || name == "run" || name == "computes" || name == "bough.json.new" ||
            name == "lost+found")
            continue;
        return Error{ErrorCode::failed_precondition, files.root().string() + " is not empty and is no data directory of Bough",
                     "choose another --data-dir"};
    }
    if (failed) return io_error("cannot read " + files.root().string(), failed.value());
    return {};
}

Result<void> check_port_free(std::uint16_t port, const char* option) {
    net::Address address;
    address.host = "127.0.0.1";
    address.port = port;
    auto fd = net::listen(address);
    if (!fd) {
        Error error = fd.error();
        error.message = "port " + std::to_string(port) + " is taken: " + error.message;
        error.hint = std::string("choose another with ") + option + ", or stop the program that has it";
        return error;
    }
    ::close(*fd);
    return {};
}

// The settings this system has or gets: options override defaults of a new one, and must not contradict those of a running one.
Result<SystemSettings> settle(const SystemFiles& files, const UpOptions& options, bool running) {
    auto stored = files.read_settings();
    if (!stored && stored.error().code != ErrorCode::not_found) return stored.error();
    auto wanted = stored ? *stored : SystemSettings{};
    if (options.safekeepers != 0 && (!stored || options.safekeepers != stored->safekeepers.size()))
        wanted.safekeepers = first_safekeepers(options.safekeepers);
    if (options.api_port != 0) wanted.api_port = options.api_port;
    if (options.sql_port != 0) wanted.sql_port = options.sql_port;
    if (options.wal_keep_bytes) wanted.wal_keep_bytes = *options.wal_keep_bytes;
    if (stored && wanted.safekeepers != stored->safekeepers) {
        return Error{ErrorCode::failed_precondition,
                     "the system in " + files.root().string() + " has " + std::to_string(stored->safekeepers.size()) +
                         " safekeeper(s), not " + std::to_string(wanted.safekeepers.size()),
                     "the number is chosen when a system is first started; `bough safekeeper` changes it while it runs"};
    }
    if (running && stored && wanted != *stored) {
        auto status = read_supervisor_status(files);
        return Error{ErrorCode::failed_precondition,
                     files.root().string() + " is in use by another `bough up`" +
                         (status ? " (pid " + std::to_string(status->pid) + ")" : "") + " with other settings",
                     "`bough down` stops it"};
    }
    return wanted;
}

std::string tail_of(const std::filesystem::path& log) {
    auto content = files::read(log);
    if (!content) return {};
    return content->size() > 800 ? content->substr(content->size() - 800) : *content;
}

Result<void> wait_until_ready(const SystemFiles& files, const std::vector<DaemonCommand>& commands, pid_t supervisor) {
    auto deadline = std::chrono::steady_clock::now() + kStartTimeout;
    for (const auto& command : commands) {
        BOUGH_ASSIGN(auto address, net::Address::parse(command.admin));
        http::Client client(address);
        while (!client.call("GET", "/status", {}, std::chrono::seconds(2))) {
            auto status = read_supervisor_status(files);
            bool failing = false;
            if (status)
                for (const auto& daemon : status->daemons)
                    failing = failing || (daemon.name == command.name && daemon.restarts >= 3);
            bool supervisor_ended = supervisor > 0 && ::waitpid(supervisor, nullptr, WNOHANG) == supervisor;
            if (failing || supervisor_ended || std::chrono::steady_clock::now() > deadline) {
                auto log = files.log_directory() / ((supervisor_ended ? "supervisor" : command.name) + ".log");
                return Error{ErrorCode::unavailable, command.name + " does not start; its log ends with:\n" + tail_of(log),
                             "see " + log.string()};
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
    }
    return {};
}

// The first project, if there is none yet, and a connection string of its default branch.
Result<void> introduce(const CommonOptions& common, const SystemSettings& settings) {
    BOUGH_ASSIGN(auto api, ApiClient::of(common.data_dir));
    BOUGH_ASSIGN(auto listed, api.get("/api/v2/projects"));
    if (listed["projects"].as_array().empty()) {
        BOUGH_TRY(api.post("/api/v2/projects", {{"project", boost::json::object{{"name", kFirstProject}}}}));
        listed = *api.get("/api/v2/projects");
    }
    CommonOptions first = common;
    BOUGH_ASSIGN(auto project_id, json::string_field(listed["projects"].as_array().front().as_object(), "id"));
    BOUGH_ASSIGN(auto project_name, json::string_field(listed["projects"].as_array().front().as_object(), "name"));
    if (first.project.empty()) first.project = project_id;
    BOUGH_ASSIGN(auto url, connection_string(api, first, "", false));
    auto api_url = "http://127.0.0.1:" + std::to_string(settings.api_port);
    if (common.json) {
        std::cout
            << boost::json::serialize(boost::json::object{
                   {"data_dir", common.data_dir}, {"api", api_url}, {"project", project_id}, {"branch", "main"}, {"url", url}})
            << "\n";
        return {};
    }
    auto self = std::filesystem::read_symlink("/proc/self/exe").string();
    std::string here = common.data_dir == resolve_data_dir("") ? "" : " --data-dir " + common.data_dir;
    std::cout << "Bough runs in " << common.data_dir << " (API " << api_url << ", project \"" << project_name << "\")\n\n"
              << "  " << url << "\n\n"
              << "branch it:  " << self << " branch create dev" << here << "\n"
              << "connect:    " << self << " psql dev" << here << "\n"
              << "stop:       " << self << " down" << here << "\n";
    return {};
}

// The daemons may have as many files open as the units of packaging/systemd give them, as far as whoever starts them may decide that: a
// login's usual 1,024 are few for the open projects' stores.
void allow_open_files() {
    constexpr rlim_t kOpenFiles = 65536;
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kOpenFiles) return;
    limit.rlim_cur = std::min(limit.rlim_max, kOpenFiles);
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

// In the child: the supervisor's process, detached from the terminal unless in the foreground.
[[noreturn]] void run_supervisor(const SystemFiles& files, const std::vector<DaemonCommand>& commands, const files::Lock& lock,
                                 const std::filesystem::path& programs, const std::string& bindir) {
    ::setsid();
    int null = ::open("/dev/null", O_RDONLY);
    int log = ::open((files.log_directory() / "supervisor.log").c_str(), O_CREAT | O_APPEND | O_WRONLY, 0600);
    ::dup2(null, 0);
    if (log >= 0) {
        ::dup2(log, 1);
        ::dup2(log, 2);
    }
    if (::chdir("/") != 0) ::_exit(1);
    allow_open_files();
    auto pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(lock.descriptor(), 0) != 0 || ::pwrite(lock.descriptor(), pid.data(), pid.size(), 0) < 0) ::_exit(1);
    // What changes later are the safekeepers; the rest stays as this command was given it.
    ::_exit(supervise(files, commands,
                      [&](const SystemSettings& changed) { return daemon_commands(files, changed, programs, bindir); }));
}

int stay_in_foreground(pid_t supervisor, const sigset_t& signals) {
    for (;;) {
        int signal = 0;
        ::sigwait(&signals, &signal);
        if (signal == SIGCHLD) {
            int status = 0;
            if (::waitpid(supervisor, &status, WNOHANG) == supervisor) return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        } else {
            ::kill(supervisor, SIGTERM);
        }
    }
}

Result<int> up(const CommonOptions& common, const UpOptions& options) {
    auto bindir = postgres_bindir(options);
    BOUGH_TRY(check_postgres(bindir));
    BOUGH_TRY(become_unprivileged(common.data_dir));
    SystemFiles files{std::filesystem::path(common.data_dir)};
    BOUGH_TRY(files::make_directories(files.root()));
    BOUGH_TRY(check_empty_or_ours(files));
    BOUGH_TRY(check_postgres_version(bindir));
    bool running = supervisor_runs(files);
    BOUGH_ASSIGN(auto settings, settle(files, options, running));
    auto programs = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    auto commands = daemon_commands(files, settings, programs, bindir);
    for (const auto& command : commands)
        BOUGH_TRY(net::Address::parse(command.admin));  // a path too long for a socket is said now
    if (running) {
        if (options.foreground) {
            auto status = read_supervisor_status(files);
            return Error{ErrorCode::failed_precondition,
                         files.root().string() + " is in use by another `bough up`" +
                             (status ? " (pid " + std::to_string(status->pid) + ")" : ""),
                         "`bough down` stops it"};
        }
        BOUGH_TRY(wait_until_ready(files, commands, 0));
        BOUGH_TRY(introduce(common, settings));
        return 0;
    }
    BOUGH_ASSIGN(auto lock, files::Lock::take(files.lock()));
    end_left_daemons(files);
    BOUGH_TRY(check_port_free(settings.api_port, "--api-port"));
    for (const auto& directory : {files.log_directory(), files.run_directory(), files.computes()})
        BOUGH_TRY(files::make_directories(directory));
    BOUGH_TRY(files.write_settings(settings));

    sigset_t signals;
    sigemptyset(&signals);
    for (int signal : {SIGTERM, SIGINT, SIGCHLD, SIGHUP}) sigaddset(&signals, signal);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    ::unlink(files.supervisor().c_str());
    pid_t supervisor = ::fork();
    if (supervisor < 0) return io_error("fork", errno);
    if (supervisor == 0) run_supervisor(files, commands, lock, programs, bindir);
    auto ready = wait_until_ready(files, commands, supervisor);
    if (ready) ready = introduce(common, settings);
    if (!ready) {
        ::kill(supervisor, SIGTERM);
        ::waitpid(supervisor, nullptr, 0);
        return ready.error();
    }
    std::cout.flush();
    return options.foreground ? stay_in_foreground(supervisor, signals) : 0;
}

}  // namespace

void add_up(CLI::App& app, CommonOptions& common, Action& action) {
    auto options = std::make_shared<UpOptions>();
    auto* verb = app.add_subcommand(
        "up",
        "Start a system on this machine, with a first project, and print a connection string. Does nothing to one that runs");
    verb->add_option("--safekeepers", options->safekeepers,
                     "1 or 3; chosen at the first start (default: 1). `bough safekeeper` changes it later")
        ->check(CLI::IsMember({1, 3}));
    verb->add_option("--api-port", options->api_port, "Port of the HTTP API on 127.0.0.1 (default: 8432)")
        ->check(CLI::Range(1, 65535));
    verb->add_option("--sql-port", options->sql_port,
                     "First SQL port on 127.0.0.1; each branch has the next free one (default: 55432)")
        ->check(CLI::Range(1024, 65535));
    verb->add_option("--wal-keep-size", options->wal_keep_bytes,
                     "How much WAL of each branch safekeepers keep although nothing of Bough needs it, such as 1GB (default: 0)")
        ->transform(CLI::AsSizeValue(false));
    verb->add_option("--pg-bindir", options->bindir,
                     "Directory of Postgres 15's programs (default: $BOUGH_PG_BINDIR, else Debian's)");
    verb->add_flag("--foreground", options->foreground, "Stay, and stop the system on SIGTERM or SIGINT");
    add_common(*verb, common);
    verb->callback([&action, &common, options] { action = [&common, options] { return up(common, *options); }; });
}

}  // namespace bough::cli
