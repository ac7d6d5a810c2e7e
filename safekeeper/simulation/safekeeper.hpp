// One safekeeper: the real consensus core, with a shell around it that performs its actions on a simulated disk and network, as
// branch/, receive/ and exchange/ do on real ones.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "election/election.hpp"
#include "safekeeper/consensus/core.hpp"
#include "safekeeper/consensus/invariants.hpp"
#include "safekeeper/simulation/system.hpp"

namespace bough::safekeeper::simulation {

// How a safekeeper stands, with what its log holds then, which no real one could send in an answer.
struct Answer {
    bool granted = false;
    election::Standing standing;
    Lsn flush;
    bool streaming = false;
    Content log{Lsn{}};
};

class Safekeeper {
public:
    Safekeeper(System& system, std::size_t number);

    Node node() const { return number_; }
    const std::string& name() const { return name_; }
    bool up() const { return core_ != nullptr; }
    // Synced bytes and what the process would find after a power cut at its worst.
    const Content& durable_log() const { return durable_log_; }
    // As on disk.
    const consensus::Durable& control() const { return control_; }
    const consensus::Core& core() const { return *core_; }
    bool idle_and_streaming() const;

    // --- faults -----------------------------------------------------------------------------------------------------------------
    void stop(bool power_cut);
    void start();
    void set_slow(bool slow) { slow_ = slow; }
    void set_full(bool full) { full_ = full; }
    void heal_disk() { slow_ = full_ = failing_ = false; }
    // The next sync does not succeed: the process ends.
    void fail_next_sync() { failing_ = true; }

    // --- requests; an answer may never come ---------------------------------------------------------------------------------------
    using Reply = std::function<void(Result<Answer>)>;
    void position(Reply reply);
    void vote(Term term, Reply reply);
    void begin(consensus::BeginRequested request, Reply reply);
    void learn_commit(Term term, Lsn lsn);
    // That the pageserver has all below durably.
    void learn_durable(Lsn lsn);

    // What a reader of committed WAL gets from `from` on: a log, and up to where it may be read. Nothing: there is no more.
    struct Served {
        Content log;
        Lsn end;
    };
    std::optional<Served> read_committed(Lsn from) const;

    // --- from a compute -----------------------------------------------------------------------------------------------------------
    // Of the connection `task`.
    void connected(std::uint64_t task, Compute& compute, std::uint64_t connection);
    void refused(std::uint64_t task, bool wal_gone);
    void received(std::uint64_t task, const Writer& writer, Lsn from, Lsn to);
    void disconnected(std::uint64_t task);

    // --- from a peer ----------------------------------------------------------------------------------------------------------------
    struct Told {
        std::size_t from = 0;
        Term last_term;
        Lsn end;
        Lsn commit;
        std::uint64_t generation = 0;
    };
    void peer_told(const Told& told);
    Told told_to_peers() const;
    // WAL for a peer that catches up. An error: not now.
    struct Wanted {
        Term term;
        bool begun;
        bool uncommitted;
        Lsn from;
    };
    // out_of_range: what follows `wanted.from` was dropped.
    Result<Served> read_for_peer(const Wanted& wanted) const;
    // What a log holds that begins anew where this one begins.
    Result<Content> beginning_for_peer(const Wanted& wanted) const;

private:
    using Task = std::variant<std::monostate, consensus::StartStream, consensus::StartCatchUp>;

    void step(const consensus::Event& event);
    void perform(const std::vector<consensus::Action>& actions);
    void perform(const consensus::Action& action);
    void persist(const consensus::Persist& action);
    void cut_tail(Lsn at);
    void answer(consensus::RequestId request, Result<Answer> answer);
    Answer standing(const consensus::Position& position, bool granted) const;
    Microseconds disk_delay();
    Result<void> check_wanted(const Wanted& wanted) const;
    // After the delay, unless the process has ended since.
    void later(Microseconds delay, std::function<void()> task);
    void note(const std::string& text) const;
    void check();

    // the follower
    void follow(Task task);
    void stop_following(std::function<void()> then);
    void connect();
    void hang_up(Compute& compute, std::uint64_t connection, bool said);
    void retry();
    void catch_up();
    void ask_donor(const Wanted& wanted, Lsn limit, std::vector<std::size_t> donors);
    void begin_anew_from(const Safekeeper& donor, const Wanted& wanted, std::function<void()> otherwise);
    void begin_anew(const Content& log);
    void write_beginning(const Content& log);
    void append(const Content& from_log, Lsn from, Lsn to);
    void sync();
    void synced(Lsn up_to);
    consensus::LogPosition log_position() const;
    void report_flush();

    // what is no longer needed
    void drop_wal();
    bool can_save() const;

    // the exchange of positions
    void tell_peers();
    void exchange();

    System& system_;
    const std::size_t number_;
    const std::string name_;

    // On disk.
    consensus::Durable control_;
    Lsn scan_;            // the control file says that the log reaches so far
    Content log_;         // as written
    Content durable_log_; // as synced
    std::optional<consensus::Durable> being_persisted_;
    std::optional<Content> beginning_anew_;  // the log that is about to be written over the old one
    Lsn kept_by_pageserver_;                 // as far as is known here; lost with the process

    // In the process.
    std::unique_ptr<consensus::Core> core_;
    std::unique_ptr<consensus::Invariants> invariants_;
    std::uint64_t boot_ = 0;
    std::map<consensus::RequestId, Reply> waiting_;
    consensus::RequestId last_request_ = 0;
    Task task_;
    std::uint64_t task_number_ = 0;  // of the connection; what comes of an older one is ignored
    Compute* compute_ = nullptr;     // connected to
    std::uint64_t connection_ = 0;
    Lsn flush_;                      // told to the core; may lie above durable record ends
    bool syncing_ = false;
    bool stopping_ = false;
    std::function<void()> after_sync_;
    bool saving_ = false;
    bool lying_ = false;             // defect: the stream goes on behind the core's back
    bool pages_lost_ = false;        // defect: a sync failed, and what was written since is in no file
    std::map<std::size_t, bool> untold_;
    bool exchange_planned_ = false;

    bool slow_ = false, full_ = false, failing_ = false;
};

}  // namespace bough::safekeeper::simulation
