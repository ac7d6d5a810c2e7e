// One redo worker: a child process running `postgres --single` in redo mode, the memory shared with it, and the socket to it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include <sys/types.h>

#include "bough/error.hpp"
#include "pageserver/redo/worker_memory.hpp"

namespace bough::pageserver {

struct WorkerCommand {
    std::filesystem::path postgres;      // the server program
    std::filesystem::path directory;     // made by create_worker_directory()
    std::uint64_t memory_bytes_max = 0;  // of address space; 0: no limit
    std::chrono::milliseconds start_timeout{10'000};
};

// Owns the process: the destructor kills it and reaps it. Not thread-safe.
class WorkerProcess {
public:
    // Returns once the worker says it is ready. The worker is killed when the calling *thread* ends (PR_SET_PDEATHSIG), so
    // call from one that lives as long as the worker shall.
    static Result<std::unique_ptr<WorkerProcess>> start(const WorkerCommand& command);

    ~WorkerProcess();
    WorkerProcess(const WorkerProcess&) = delete;
    WorkerProcess& operator=(const WorkerProcess&) = delete;

    int socket() const { return socket_; }  // non-blocking; open for the object's life
    WorkerMemory& memory() { return *memory_; }
    pid_t pid() const { return pid_; }

    // Whether it is there. Wake-ups that came too late are taken off the socket.
    bool idle_and_alive() const;

    struct Death {
        std::string description;           // "was killed by signal 6 (Aborted): PANIC: ..."
        bool killed_from_outside = false;  // by a SIGKILL that was not ours: no fault of what it was working on
    };
    // Ends the process if it has not ended by itself, which it is given a moment for unless `at_once`.
    Death bury(bool at_once);

private:
    WorkerProcess(pid_t pid, int socket, std::unique_ptr<WorkerMemory> memory, std::filesystem::path directory)
        : pid_(pid), socket_(socket), memory_(std::move(memory)), directory_(std::move(directory)) {}
    Result<void> wait_until_ready(std::chrono::milliseconds timeout);

    pid_t pid_;  // -1 once reaped
    int socket_;
    std::unique_ptr<WorkerMemory> memory_;
    std::filesystem::path directory_;
};

}  // namespace bough::pageserver
