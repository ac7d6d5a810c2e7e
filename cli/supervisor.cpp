#include "cli/supervisor.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "files/files.hpp"

namespace bough::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kRestartPauseMin{100};
constexpr milliseconds kRestartPauseMax{5000};
constexpr auto kSteadyAfter = std::chrono::seconds(30);  // then it is started again at once, and pauses begin small
constexpr auto kStopTimeout = std::chrono::seconds(60);

struct Daemon {
    DaemonCommand command;
    pid_t pid = 0;
    unsigned restarts = 0;
    Clock::time_point started;
    Clock::time_point restart_at;
    milliseconds pause = kRestartPauseMin;
};

pid_t spawn(const DaemonCommand& command, const std::filesystem::path& log) {
    std::vector<char*> argv;
    for (const auto& argument : command.arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    pid_t supervisor = ::getpid();
    pid_t pid = ::fork();
    if (pid != 0) return pid;
    // A daemon without its supervisor would be found by nobody: it ends with it, cleanly.
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != supervisor) ::_exit(1);
    int fd = ::open(log.c_str(), O_CREAT | O_APPEND | O_WRONLY, 0600);
    if (fd >= 0) {
        ::dup2(fd, 1);
        ::dup2(fd, 2);
    }
    ::close_range(3, ~0u, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execv(argv[0], argv.data());
    const char* why = std::strerror(errno);
    (void)!::write(2, why, std::strlen(why));
    ::_exit(127);
}

class Supervisor {
public:
    Supervisor(const SystemFiles& files, const std::vector<DaemonCommand>& commands, const CommandsOf& commands_of)
        : files_(files), commands_of_(commands_of) {
        for (const auto& command : commands) daemons_.push_back({command, 0, 0, {}, {}, kRestartPauseMin});
    }

    int run() {
        for (auto& daemon : daemons_) start(daemon);
        publish();
        sigset_t signals;
        sigemptyset(&signals);
        for (int signal : {SIGTERM, SIGINT, SIGCHLD, SIGHUP}) sigaddset(&signals, signal);
        for (;;) {
            timespec tick{0, 100'000'000};
            int signal = ::sigtimedwait(&signals, nullptr, &tick);
            if (signal == SIGTERM || signal == SIGINT) break;
            if (signal == SIGHUP) take_settings();
            if (reap()) publish();
            if (restart_due()) publish();
        }
        stop_all();
        publish();
        return 0;
    }

private:
    void start(Daemon& daemon) {
        daemon.pid = spawn(daemon.command, files_.log_directory() / (daemon.command.name + ".log"));
        daemon.started = Clock::now();
        if (daemon.pid < 0) {
            spdlog::error("cannot start {}: {}", daemon.command.name, std::strerror(errno));
            daemon.pid = 0;
            daemon.restart_at = Clock::now() + daemon.pause;
            return;
        }
        spdlog::info("{} started (pid {})", daemon.command.name, daemon.pid);
    }

    void take_settings() {
        auto settings = files_.read_settings();
        if (!settings) {
            spdlog::error("the settings stay as they were: {}", settings.error().message);
            return;
        }
        auto commands = commands_of_(*settings);
        auto listed = [&](const Daemon& daemon) {
            return std::any_of(commands.begin(), commands.end(), [&](const auto& command) { return command.name == daemon.command.name; });
        };
        for (auto& daemon : daemons_)
            if (!listed(daemon)) stop(daemon);
        std::erase_if(daemons_, [&](const Daemon& daemon) { return !listed(daemon); });
        for (auto& command : commands) {
            auto running = std::find_if(daemons_.begin(), daemons_.end(), [&](const auto& daemon) { return daemon.command.name == command.name; });
            if (running != daemons_.end()) {
                running->command = std::move(command);  // for its next start
                continue;
            }
            // Before those that use it, as at the start: all stop in the reverse order.
            start(*daemons_.insert(daemons_.begin(), Daemon{std::move(command), 0, 0, {}, {}, kRestartPauseMin}));
        }
        publish();
    }

    // Notes which daemons have ended and when each is to start again.
    bool reap() {
        bool changed = false;
        int status = 0;
        for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0; pid = ::waitpid(-1, &status, WNOHANG)) {
            for (auto& daemon : daemons_) {
                if (daemon.pid != pid) continue;
                auto now = Clock::now();
                if (now - daemon.started > kSteadyAfter) daemon.pause = milliseconds{0};
                daemon.restart_at = now + daemon.pause;
                daemon.pause = std::clamp(daemon.pause * 2, kRestartPauseMin, kRestartPauseMax);
                daemon.pid = 0;
                ++daemon.restarts;
                spdlog::error("{} (pid {}) ended {} {}, see its log", daemon.command.name, pid, WIFSIGNALED(status) ? "by signal" : "with status",
                              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
                changed = true;
            }
        }
        return changed;
    }

    bool restart_due() {
        bool changed = false;
        for (auto& daemon : daemons_) {
            if (daemon.pid != 0 || Clock::now() < daemon.restart_at) continue;
            start(daemon);
            changed = true;
        }
        return changed;
    }

    void stop_all() {
        for (auto daemon = daemons_.rbegin(); daemon != daemons_.rend(); ++daemon) stop(*daemon);
        stopped_ = true;
    }

    void stop(Daemon& daemon) {
        if (daemon.pid == 0) return;
        ::kill(daemon.pid, SIGTERM);
        auto deadline = Clock::now() + kStopTimeout;
        bool killed = false;
        while (::waitpid(daemon.pid, nullptr, WNOHANG) == 0) {
            if (!killed && Clock::now() > deadline) {
                spdlog::error("{} does not stop, killing it", daemon.command.name);
                ::kill(daemon.pid, SIGKILL);
                killed = true;
            }
            ::usleep(5'000);
        }
        spdlog::info("{} stopped", daemon.command.name);
        daemon.pid = 0;
    }

    void publish() {
        SupervisorStatus status{static_cast<int>(::getpid()), {}};
        for (const auto& daemon : daemons_)
            status.daemons.push_back({daemon.command.name, daemon.pid, daemon.pid ? "running" : stopped_ ? "stopped" : "restarting", daemon.restarts});
        if (auto written = write_supervisor_status(files_, status); !written) spdlog::warn("{}", written.error().message);
    }

    const SystemFiles& files_;
    const CommandsOf& commands_of_;
    std::vector<Daemon> daemons_;
    bool stopped_ = false;
};

// In milliseconds. They share CPU and disk here: the one that no commit needs takes its WAL in larger steps.
constexpr const char* kReserveStep = "12";

}  // namespace

SafekeeperSockets safekeeper_sockets(const SystemFiles& files, const std::string& name) {
    auto run = files.run_directory().string();
    // The number after ".s.PGSQL." is what libpq calls the port; the branches' SQL ports are all above 1023.
    auto port = std::to_string(safekeeper_number(name).value_or(0));
    return {"unix:" + run + "/" + name + ".sock", "host='" + run + "' port=" + port, "unix:" + run + "/.s.PGSQL." + port};
}

std::vector<DaemonCommand> daemon_commands(const SystemFiles& files, const SystemSettings& settings, const std::filesystem::path& programs,
                                           const std::string& bindir) {
    auto run = files.run_directory().string();
    auto socket = [&](const std::string& name) { return "unix:" + run + "/" + name + ".sock"; };
    std::vector<DaemonCommand> commands;
    std::vector<std::string> safekeepers;
    for (const auto& name : settings.safekeepers) {
        auto sockets = safekeeper_sockets(files, name);
        commands.push_back({"safekeeper-" + name,
                            {(programs / "bough-safekeeper").string(), "--name", name, "--data-dir", (files.root() / "safekeepers" / name).string(), "--admin",
                             sockets.admin, "--wal-listen", sockets.wal_listen, "--reserve-step", kReserveStep, "--send-when-answered", "--wal-keep-size",
                             std::to_string(settings.wal_keep_bytes)},
                            sockets.admin});
        safekeepers.push_back("name=" + name + ",admin=" + sockets.admin + ",wal=" + sockets.wal);
    }
    commands.push_back({"pageserver",
                        {(programs / "bough-pageserver").string(), "--data-dir", (files.root() / "pageserver").string(), "--admin", socket("pageserver-admin"),
                         "--listen", socket("pageserver"), "--pg-bindir", bindir, "--extension", (programs / "bough.so").string()},
                        socket("pageserver-admin")});
    auto api = "127.0.0.1:" + std::to_string(settings.api_port);
    DaemonCommand control{"control",
                          {(programs / "bough-control").string(), "--data-dir", (files.root() / "control").string(), "--compute-dir", files.computes().string(),
                           "--log-dir", files.log_directory().string(), "--socket-dir", run, "--api", api, "--api-key-file", files.api_key().string(), "--sql-port",
                           std::to_string(settings.sql_port), "--pageserver-admin", socket("pageserver-admin"), "--pageserver", socket("pageserver"),
                           "--pg-bindir", bindir, "--extension", (programs / "bough.so").string()},
                          api};
    for (const auto& safekeeper : safekeepers) {
        control.arguments.push_back("--safekeeper");
        control.arguments.push_back(safekeeper);
    }
    commands.push_back(std::move(control));
    return commands;
}

void end_left_daemons(const SystemFiles& files) {
    auto status = read_supervisor_status(files);
    if (!status) return;
    // The pid may be another process's by now: a daemon of ours names the data directory on its command line.
    auto ours = [&](int pid) {
        auto command = bough::files::read("/proc/" + std::to_string(pid) + "/cmdline");
        return command && command->find("bough-") != std::string::npos && command->find(files.root().string()) != std::string::npos;
    };
    auto deadline = Clock::now() + kStopTimeout;
    for (const auto& daemon : status->daemons) {
        if (daemon.pid <= 1 || !ours(daemon.pid)) continue;
        ::kill(daemon.pid, SIGTERM);
        while (ours(daemon.pid)) {
            if (Clock::now() > deadline) ::kill(daemon.pid, SIGKILL);
            ::usleep(10'000);
        }
    }
}

int supervise(const SystemFiles& files, const std::vector<DaemonCommand>& commands, const CommandsOf& commands_of) {
    spdlog::set_default_logger(spdlog::stdout_logger_st("supervisor"));
    spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%f%z %l %n %v");
    spdlog::flush_on(spdlog::level::info);
    return Supervisor(files, commands, commands_of).run();
}

}  // namespace bough::cli
