#include "compute/launcher/postmaster.hpp"

#include <fcntl.h>
#include <libpq-fe.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <memory>
#include <thread>

#include "files/files.hpp"

namespace bough::compute {
namespace {

std::string last_lines(const std::filesystem::path& log) {
    auto content = files::read(log);
    if (!content) return {};
    constexpr std::size_t kTailBytes = 1500;
    std::string tail = content->size() > kTailBytes ? content->substr(content->size() - kTailBytes) : *content;
    for (auto newline = tail.find('\n'); newline != std::string::npos; newline = tail.find('\n', newline)) tail.replace(newline, 1, "; ");
    return tail;
}

bool accepts_connections(const Settings& settings) {
    auto conninfo = local_conninfo(settings, "postgres") + " connect_timeout=2";
    return PQping(conninfo.c_str()) == PQPING_OK;
}

}  // namespace

Result<pid_t> start_postmaster(const std::filesystem::path& bindir, const std::filesystem::path& directory, const Settings& settings,
                               const std::filesystem::path& log) {
    std::vector<std::string> arguments{(bindir / "postgres").string(), "-D", directory.string()};
    for (auto& option : fixed_settings(settings)) arguments.push_back(std::move(option));
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    // Left by a server that was killed. Postgres would go by the pid in the lock file, which may be another process's by now, or that
    // of a dead one that nobody has waited for. The caller has made sure that this branch's former server is gone.
    auto socket = settings.socket_directory / (".s.PGSQL." + std::to_string(settings.port));
    ::unlink(socket.c_str());
    ::unlink((socket.string() + ".lock").c_str());
    // Of our environment Postgres gets nothing but a locale and a path: no PG* variable may change what runs.
    std::string path = "PATH=/usr/bin:/bin", locale = "LC_ALL=C.UTF-8";
    char* environment[] = {path.data(), locale.data(), nullptr};

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_CREAT | O_APPEND | O_WRONLY, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    // Nothing else of ours: a client's connection would stay open as long as the server runs.
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    pid_t pid = -1;
    int failed = ::posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failed != 0) {
        Error error = io_error("cannot start " + arguments[0], failed);
        error.hint = "is Debian's package postgresql-15 installed?";
        return error;
    }
    return pid;
}

Result<void> wait_until_ready(pid_t pid, const Settings& settings, const std::filesystem::path& log, std::chrono::milliseconds timeout,
                              const std::stop_token& stop) {
    auto deadline = std::chrono::steady_clock::now() + timeout;
    while (std::chrono::steady_clock::now() < deadline) {
        if (accepts_connections(settings)) return {};
        if (stop.stop_requested()) return Error{ErrorCode::unavailable, "postgres was still starting when the system was shut down", {}};
        if (!alive(pid)) return Error{ErrorCode::unavailable, "postgres ended during its start: " + last_lines(log), "see " + log.string()};
        std::this_thread::sleep_for(std::chrono::milliseconds(3));
    }
    return Error{ErrorCode::timeout, "postgres did not accept connections in time: " + last_lines(log), "see " + log.string()};
}

void stop_postmaster(pid_t pid, Shutdown how, std::chrono::milliseconds timeout) {
    ::kill(pid, how == Shutdown::fast ? SIGINT : SIGQUIT);
    auto deadline = std::chrono::steady_clock::now() + timeout;
    auto immediate = deadline;
    bool killed = false;
    while (alive(pid)) {
        auto now = std::chrono::steady_clock::now();
        if (!killed && now >= immediate) {
            // SIGQUIT first, so that the postmaster takes its children along; then the whole group.
            ::kill(pid, SIGQUIT);
            std::this_thread::sleep_for(std::chrono::milliseconds(500));
            ::kill(-pid, SIGKILL);
            ::kill(pid, SIGKILL);
            killed = true;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
}

std::optional<pid_t> running_postmaster(const std::filesystem::path& directory) {
    auto content = files::read(directory / "postmaster.pid");
    if (!content) return std::nullopt;
    pid_t pid = 0;
    auto [end, failed] = std::from_chars(content->data(), content->data() + content->size(), pid);
    if (failed != std::errc{} || pid <= 1 || end == content->data()) return std::nullopt;
    // The pid may have been given to another process since: it must run in this directory.
    std::error_code error;
    auto cwd = std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/cwd", error);
    if (error || cwd != std::filesystem::weakly_canonical(directory, error)) return std::nullopt;
    return pid;
}

bool alive(pid_t pid) {
    int status = 0;
    pid_t reaped = ::waitpid(pid, &status, WNOHANG);
    if (reaped == pid) return false;
    if (reaped == 0) return true;
    return ::kill(pid, 0) == 0 || errno == EPERM;  // not our child
}

}  // namespace bough::compute
