// The pageserver's redo: pages brought forward by WAL records, by stock Postgres's own redo routines in pooled, sandboxed workers,
// and by our own for the records that are most frequent.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "bough/error.hpp"
#include "pageserver/redo/redo_request.hpp"
#include "pg/page_tag.hpp"

namespace bough::pageserver {

class WorkerSet;
struct WorkerCall;

enum class RedoEngine : std::uint8_t {
    stock,  // workers do everything
    both,   // requests whose records are all known to src/pg/v15/redo*.cpp need no worker
};

struct RedoPoolOptions {
    RedoEngine engine = RedoEngine::both;
    std::filesystem::path postgres_bindir;               // with the program `postgres`
    std::filesystem::path library;                       // bough.so; an absolute path
    std::filesystem::path work_directory;                // the pool's own: workers' directories in it are made anew
    std::vector<std::byte> control_file;                 // the content of pg_control of any Postgres 15 cluster
    unsigned workers = 0;                                // at most so many at a time; 0: as many as there are cores
    std::chrono::milliseconds request_timeout{10'000};   // for one request, and for waiting for a free worker
    std::uint64_t worker_memory_bytes_max = 2ull << 30;  // of address space, each; 0: no limit
    std::chrono::milliseconds idle_stop{300'000};        // a worker idle for so long is stopped, but for the last one; 0: never
};

// Read at any time; each counts from the start of the pool.
struct RedoMetrics {
    std::atomic<std::uint64_t> requests{0};  // by either engine
    std::atomic<std::uint64_t> records{0};
    std::atomic<std::uint64_t> native_requests{0};  // of these, by the native engine
    std::atomic<std::uint64_t> native_records{0};
    std::atomic<std::uint64_t> native_declined{0};  // requests that the native engine left to the workers
    std::atomic<std::uint64_t> errors{0};           // requests that ended in an error
    std::atomic<std::uint64_t> retries{0};          // requests sent again because their worker died or hung
    std::atomic<std::uint64_t> worker_starts{0};
    std::atomic<std::uint64_t> worker_deaths{0};      // while starting or at work, or killed for hanging
    std::atomic<std::uint64_t> busy_microseconds{0};  // summed over workers: in the hands of a caller
};

// Owns the workers and one thread that starts them, restarts those that died, and stops idle ones. All methods are thread-safe and
// synchronous: the caller's thread does the talking, so callers are the limit of what runs at once. Nothing else in the process
// may wait for any child (waitpid(-1)) or ignore SIGCHLD.
//
// Workers start when they are needed. One that dies or hangs is replaced, and what it was asked is asked of another, once; a
// request that ends two workers is ErrorCode::corrupt and names the page, the LSN range and the worker's last words, as does
// one that the worker refuses. ErrorCode::unavailable: no worker could be had in time.
class RedoPool {
public:
    // Returns when one worker is ready, so that a wrong setting is told at once. ErrorCode::failed_precondition as root: Postgres
    // refuses to run as root.
    static Result<std::unique_ptr<RedoPool>> start(RedoPoolOptions options);

    // Waits for the requests under way, ends all workers. No method may be called after it began.
    ~RedoPool();
    RedoPool(const RedoPool&) = delete;
    RedoPool& operator=(const RedoPool&) = delete;

    // On an error `out` holds anything. `out` may be the memory of request.base.
    Result<void> apply(const RedoRequest& request, pg::Page out);

    // Each job succeeds or fails by itself. Many jobs are pipelined to one worker and spread over idle ones.
    void apply_many(std::span<RedoJob> jobs);

    // The page as Postgres's own comparison masks it (rm_mask of the resource manager): for tests and checks.
    Result<void> mask(std::uint8_t resource_manager, std::uint32_t block, pg::Page page);

    const RedoMetrics& metrics() const { return metrics_; }

private:
    explicit RedoPool(RedoPoolOptions options);
    bool done_natively(RedoJob& job);
    void run(std::span<WorkerCall> calls);
    void run_alone(WorkerCall& call);
    Result<void> apply_in_parts(const RedoRequest& request, pg::Page out);

    RedoPoolOptions options_;
    RedoMetrics metrics_;
    std::unique_ptr<WorkerSet> workers_;
};

}  // namespace bough::pageserver
