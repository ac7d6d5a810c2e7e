// Receives one branch's WAL: below its term's beginning from another safekeeper, then from the compute, for as long as the term
// lasts. Connects again when a connection breaks; without a compute to connect to it costs no thread.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "safekeeper/consensus/messages.hpp"
#include "safekeeper/receive/reserve.hpp"
#include "safekeeper/receive/stop_signal.hpp"
#include "safekeeper/receive/upstream.hpp"
#include "safekeeper/segment/wal_log.hpp"

namespace bough::safekeeper::receive {

// Told what was received, on the follower's thread. May call Follower::follow() from there.
class FollowerListener {
public:
    virtual ~FollowerListener() = default;
    // Before the first byte is written.
    virtual Result<void> before_receiving() = 0;
    // Before it is acknowledged: who asks once a commit was acknowledged is told of it.
    virtual void log_flushed(const consensus::LogPosition& log) = 0;
    // Afterwards, since a commit waits for the acknowledgement: whoever waits for that log is woken.
    virtual void pass_on() = 0;
    // What a majority of the branch's safekeepers is known to have without this one.
    virtual Lsn kept_by_others() const = 0;
    // What follows the log's end can be had nowhere; a peer's begins further on, at `begin`, a committed record boundary of this term.
    // Makes the log begin and end there, durably; `prefix` is what precedes it in its segment.
    virtual Result<void> begin_log_anew(const segment::RecordBoundary& begin, std::span<const std::byte> prefix) = 0;
    virtual void catch_up_failed(const Error& error) = 0;
};

// What a safekeeper does that shares its machine with the compute and its peers, to leave CPU to them.
struct SharedMachine {
    std::chrono::milliseconds reserve_step{0};  // ReservePace's, for branches in whose reserve it is
    bool send_when_answered = false;            // computes are to send a little WAL only when what came before is answered
};

struct FollowerSettings {
    ProjectId project;
    BranchId branch;
    SystemId system_id;
    std::string application_name;               // in the compute's synchronous_standby_names
    std::string own_address;                    // what peers call this safekeeper
    SharedMachine shared_machine;
};

// follow(), stop() and revive() are called by one thread at a time (follow() by the follower's own too). While it runs, the log
// is its; stop() gives it back, synced and closed.
class Follower {
public:
    using Task = std::variant<consensus::StartCatchUp, consensus::StartStream>;

    Follower(FollowerSettings settings, segment::WalLog& log, FollowerListener& listener);
    ~Follower();
    Follower(const Follower&) = delete;
    Follower& operator=(const Follower&) = delete;

    // From now on does this. With `now` false it first waits asleep for somebody to listen at the source (revive()).
    void follow(Task task, bool now = true);
    // Nothing is received or acknowledged any more once this returns.
    void stop();

    // Asleep: looks whether there is somebody to connect to, and goes on if so. Cheap; called every now and then.
    void revive(std::chrono::steady_clock::time_point now);

    // Bytes are coming in, or would if there were any.
    bool connected() const { return connected_.load(std::memory_order_relaxed); }
    bool asleep() const { return asleep_.load(std::memory_order_relaxed); }
    // The compute has removed WAL that follows the log's end, and no peer that answered has it: this compute can never be followed again.
    bool source_lost() const { return source_lost_.load(std::memory_order_relaxed); }

private:
    void start_thread();
    void join_thread();
    void run();
    bool task_changed() const;
    Result<void> perform(const Task& task);
    Result<void> catch_up(const consensus::StartCatchUp& task);
    Result<void> stream(const consensus::StartStream& task);
    Result<void> catch_up_from_peers(const consensus::StartStream& task);
    Result<void> receive_from_peer(const consensus::Peer& peer, Term term, bool begun, bool uncommitted, Lsn limit);
    Result<void> begin_anew_from(const consensus::Peer& peer, Term term, bool begun);
    Result<std::vector<std::byte>> fetch(Upstream& upstream, Lsn from, Lsn to);
    Result<void> check_compute(Upstream& upstream, Term term);
    Result<Upstream> connect_to_peer(const consensus::Peer& peer, Term term, bool begun, bool uncommitted);
    Result<void> receive(Upstream& upstream, std::optional<Lsn> limit,
                         ReservePace pace = ReservePace{std::chrono::milliseconds{0}});
    struct Arrived {
        bool any = false;  // message
        bool reply_requested = false;
        std::size_t bytes = 0;  // of WAL
    };
    Result<void> take_arrived(Upstream& upstream, std::optional<Lsn> limit, Arrived& arrived);
    Result<void> gather_arrived(Upstream& upstream, std::optional<Lsn> limit, Arrived& arrived);
    Result<void> append_gathered();
    void report_failure(const Error& error);

    const FollowerSettings settings_;
    segment::WalLog& log_;
    FollowerListener& listener_;

    mutable std::mutex task_mutex_;  // guards task_ and task_number_
    std::optional<Task> task_;
    std::uint64_t task_number_ = 0;

    std::unique_ptr<StopSignal> stop_;  // while there is a thread: asleep, no file is open
    std::atomic<bool> stopping_{false};
    std::atomic<bool> connected_{false};
    std::atomic<bool> asleep_{false};
    std::atomic<bool> source_lost_{false};
    std::thread thread_;
    std::atomic<std::thread::id> runner_{};  // the follower's thread while it runs
    std::chrono::steady_clock::time_point next_probe_{};
    std::chrono::milliseconds probe_interval_{0};

    // Of the follower's thread.
    std::uint64_t performing_ = 0;  // the number of the task under way
    std::vector<std::byte> gathered_;  // arrived and not yet appended; empty but within take_arrived()
    Lsn gathered_at_;
    std::string last_failure_;      // a failure that repeats is logged once
};

}  // namespace bough::safekeeper::receive
