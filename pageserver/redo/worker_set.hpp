// The workers of a pool: which exist, who uses them, and the thread that starts, restarts and stops them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "bough/error.hpp"
#include "pageserver/redo/redo_pool.hpp"
#include "pageserver/redo/worker_channel.hpp"
#include "pageserver/redo/worker_process.hpp"

namespace bough::pageserver {

// All methods are thread-safe. Leases must be gone before the set is.
class WorkerSet {
    struct Slot;

public:
    using Clock = std::chrono::steady_clock;

    // A worker in one caller's hands: given back by the destructor, or discarded.
    class Lease {
    public:
        Lease(Lease&& other) noexcept : set_(other.set_), slot_(std::exchange(other.slot_, nullptr)), since_(other.since_) {}
        Lease& operator=(Lease&& other) noexcept;
        ~Lease() { give_back(); }

        WorkerChannel& channel();
        // The worker is broken: it is buried (killed first, if `at_once`) and another started in its place.
        WorkerProcess::Death discard(bool at_once);

    private:
        friend class WorkerSet;
        Lease(WorkerSet& set, Slot& slot) : set_(&set), slot_(&slot), since_(Clock::now()) {}
        void give_back();

        WorkerSet* set_;
        Slot* slot_;  // nullptr when moved from or discarded
        Clock::time_point since_;
    };

    // `options` and `metrics` must outlive the set.
    WorkerSet(const RedoPoolOptions& options, RedoMetrics& metrics);
    ~WorkerSet();

    // Makes the directories and returns when the first worker is ready, or with the reason why it is not.
    Result<void> start();

    Result<Lease> acquire(std::chrono::milliseconds timeout);
    // One that is idle; if there is none, one more is started for another time.
    std::optional<Lease> try_acquire();

    std::size_t size() const { return slots_.size(); }

private:
    enum class State { stopped, starting, idle, busy, dead };
    struct Slot {
        WorkerCommand command;
        State state = State::stopped;
        std::unique_ptr<WorkerProcess> process;
        std::unique_ptr<WorkerChannel> channel;
        unsigned deaths_in_a_row = 0;
        Clock::time_point start_not_before;  // of a dead one
        Clock::time_point idle_since;
    };

    // All called with the mutex held.
    Slot* take_idle();
    void died(Slot& slot);
    Slot* due_to_start(Clock::time_point now);
    void stop_idle_ones(Clock::time_point now);
    Clock::time_point next_event() const;
    bool any(State state) const;

    void keep();  // the thread
    void start_worker(Slot& slot, std::unique_lock<std::mutex>& lock);

    const RedoPoolOptions& options_;
    RedoMetrics& metrics_;

    std::mutex mutex_;
    std::condition_variable wake_keeper_;
    std::condition_variable changed_;           // a worker is idle, or a start failed
    std::vector<std::unique_ptr<Slot>> slots_;  // fixed after start()
    std::size_t waiting_ = 0;                   // callers in acquire()
    bool more_wanted_ = false;                  // start a stopped one though nobody waits
    std::optional<Error> start_error_;          // of the last start, if it failed
    bool stopping_ = false;
    std::thread keeper_;
};

}  // namespace bough::pageserver
