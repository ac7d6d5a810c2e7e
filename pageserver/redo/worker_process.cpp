#include "pageserver/redo/worker_process.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pageserver/redo/worker_directory.hpp"
#include "proto/redo_worker.h"

namespace bough::pageserver {
namespace {

using Clock = std::chrono::steady_clock;

constexpr rlim_t kOpenFilesMax = 256;
constexpr rlim_t kFileBytesMax = 64u << 20;  // what it may write to its log, in the worst case

class Descriptor {
public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }

private:
    int fd_;
};

// A copy above the numbers that the child rearranges.
int above_standard(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 16); }

struct ChildSetup {
    const char* program;
    char* const* arguments;
    char* const* environment;
    const char* directory;
    int null_fd;
    int log_fd;
    int socket_fd;
    int memory_fd;
    std::uint64_t memory_bytes_max;
};

bool limit(int resource, rlim_t value) {
    rlimit both{};
    if (getrlimit(static_cast<__rlimit_resource>(resource), &both) != 0) return false;
    if (both.rlim_max != RLIM_INFINITY && both.rlim_max < value) value = both.rlim_max;
    both.rlim_cur = both.rlim_max = value;
    return setrlimit(static_cast<__rlimit_resource>(resource), &both) == 0;
}

// Runs in the child of vfork(): the parent's memory, so nothing but system calls. Returns errno of what failed.
int become_postgres(const ChildSetup& setup) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno;
    // A session of its own: the terminal's Ctrl-C is for the pageserver, which stops its workers itself.
    if (setsid() < 0) return errno;
    if (dup2(setup.null_fd, 0) < 0 || dup2(setup.null_fd, 1) < 0 || dup2(setup.log_fd, 2) < 0 ||
        dup2(setup.socket_fd, BOUGH_REDO_FD) < 0 || dup2(setup.memory_fd, BOUGH_REDO_MEMORY_FD) < 0)
        return errno;
    if (close_range(BOUGH_REDO_MEMORY_FD + 1, ~0u, 0) != 0) return errno;
    if (chdir(setup.directory) != 0) return errno;
    if (!limit(RLIMIT_CORE, 0) || !limit(RLIMIT_NOFILE, kOpenFilesMax) || !limit(RLIMIT_FSIZE, kFileBytesMax)) return errno;
    if (setup.memory_bytes_max != 0 && !limit(RLIMIT_AS, setup.memory_bytes_max)) return errno;

    // Handlers go with exec; what is ignored would stay ignored.
    struct sigaction default_action {};
    default_action.sa_handler = SIG_DFL;
    for (int signal : {SIGPIPE, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGCHLD, SIGUSR1, SIGUSR2})
        if (sigaction(signal, &default_action, nullptr) != 0) return errno;
    sigset_t none;
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, nullptr) != 0) return errno;
    execve(setup.program, setup.arguments, setup.environment);
    return errno;
}

// vfork: the pageserver is large, and copying its page tables for each worker would stall it. Signals stay blocked meanwhile,
// so that no handler of the pageserver runs in the child.
Result<pid_t> spawn(const ChildSetup& setup) {
    volatile int child_errno = 0;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = vfork();
    if (pid == 0) {
        child_errno = become_postgres(setup);
        _exit(127);
    }
    const int fork_errno = errno;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) return io_error("could not fork a redo worker", fork_errno);
    if (child_errno != 0) {
        waitpid(pid, nullptr, 0);
        return io_error(fmt::format("could not execute \"{}\"", setup.program), child_errno);
    }
    return pid;
}

std::string describe(int status) {
    if (WIFEXITED(status)) return fmt::format("exited with status {}", WEXITSTATUS(status));
    if (WIFSIGNALED(status)) return fmt::format("was killed by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
    return fmt::format("ended with wait status {}", status);
}

struct Launched {
    pid_t pid;
    int socket;
};

// When this returns only the child holds its end of the socket, so that its death is seen.
Result<Launched> launch(const WorkerCommand& command, const WorkerMemory& memory) {
    if (access(command.postgres.c_str(), X_OK) != 0)
        return io_error(fmt::format("could not execute \"{}\"", command.postgres.string()), errno);
    std::array<int, 2> pair{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
        return io_error("could not create a socket pair", errno);
    Descriptor ours(pair[0]), theirs(pair[1]);
    if (fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0) return io_error("could not make a socket non-blocking", errno);
    Descriptor null(open("/dev/null", O_RDWR | O_CLOEXEC));
    const std::string log_path = command.directory / kWorkerLogName;
    Descriptor log(open(log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
    if (log.get() < 0) return io_error(fmt::format("could not create \"{}\"", log_path), errno);
    Descriptor null_high(above_standard(null.get())), log_high(above_standard(log.get())),
        theirs_high(above_standard(theirs.get())), memory_high(above_standard(memory.descriptor()));
    if (null_high.get() < 0 || log_high.get() < 0 || theirs_high.get() < 0)
        return io_error("could not prepare a redo worker's file descriptors", errno);

    std::string program = command.postgres, directory = command.directory;
    std::string single = "--single", data_option = "-D", database = "postgres";
    std::array<char*, 6> arguments{program.data(), single.data(), data_option.data(), directory.data(), database.data(), nullptr};
    std::string redo = "BOUGH_REDO=1", locale = "LC_ALL=C", zone = "TZ=UTC";
    std::array<char*, 4> environment{redo.data(), locale.data(), zone.data(), nullptr};
    BOUGH_ASSIGN(const pid_t pid,
                 spawn({program.c_str(), arguments.data(), environment.data(), directory.c_str(), null_high.get(), log_high.get(),
                        theirs_high.get(), memory_high.get(), command.memory_bytes_max}));
    return Launched{pid, ours.release()};
}

}  // namespace

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::start(const WorkerCommand& command) {
    BOUGH_TRY(prepare_for_start(command.directory));
    BOUGH_ASSIGN(std::unique_ptr<WorkerMemory> memory, WorkerMemory::create());
    BOUGH_ASSIGN(const Launched launched, launch(command, *memory));
    memory->close_descriptor();
    std::unique_ptr<WorkerProcess> worker(new WorkerProcess(launched.pid, launched.socket, std::move(memory), command.directory));
    BOUGH_TRY(worker->wait_until_ready(command.start_timeout));
    return worker;
}

Result<void> WorkerProcess::wait_until_ready(std::chrono::milliseconds timeout) {
    const auto deadline = Clock::now() + timeout;
    BoughRedoReady ready{};
    std::size_t have = 0;
    while (have < sizeof(ready)) {
        const ssize_t n = recv(socket_, reinterpret_cast<char*>(&ready) + have, sizeof(ready) - have, 0);
        if (n > 0) {
            have += static_cast<std::size_t>(n);
            continue;
        }
        if (n < 0 && errno == EINTR) continue;
        if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
            return Error{ErrorCode::unavailable, fmt::format("redo worker did not start: it {}", bury(false).description), {}};
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
        pollfd wanted{socket_, POLLIN, 0};
        if (left.count() <= 0 || poll(&wanted, 1, static_cast<int>(left.count())) == 0)
            return Error{ErrorCode::timeout,
                         fmt::format("redo worker was not ready within {} ms: it {}", timeout.count(), bury(true).description),
                         {}};
    }
    if (ready.magic != BOUGH_REDO_MAGIC || ready.version != BOUGH_REDO_VERSION)
        return Error{
            ErrorCode::unsupported,
            fmt::format("redo worker speaks protocol version {}, not {}", std::uint32_t{ready.version}, BOUGH_REDO_VERSION),
            "bough.so and the pageserver must be of one build"};
    return {};
}

bool WorkerProcess::idle_and_alive() const {
    std::array<char, 64> bells;
    ssize_t n;
    do n = recv(socket_, bells.data(), bells.size(), MSG_DONTWAIT);
    while (n > 0 || (n < 0 && errno == EINTR));
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

WorkerProcess::Death WorkerProcess::bury(bool at_once) {
    if (pid_ < 0) return {"had ended", false};
    int status = 0;
    pid_t reaped = 0;
    // Its socket closes a little before it can be waited for.
    const auto patience = Clock::now() + std::chrono::milliseconds(at_once ? 0 : 500);
    do {
        reaped = waitpid(pid_, &status, WNOHANG);
        if (reaped != 0) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    } while (Clock::now() < patience);
    const bool ours = reaped == 0;
    if (ours) {
        kill(pid_, SIGKILL);
        do reaped = waitpid(pid_, &status, 0);
        while (reaped < 0 && errno == EINTR);
    }
    pid_ = -1;

    Death death;
    death.killed_from_outside = !ours && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    death.description = ours ? "was stopped" : describe(status);
    if (const std::string words = worker_last_words(directory_); !words.empty()) death.description += ": " + words;
    return death;
}

WorkerProcess::~WorkerProcess() {
    bury(true);
    close(socket_);
}

}  // namespace bough::pageserver
