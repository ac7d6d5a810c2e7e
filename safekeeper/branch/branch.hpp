// One branch on this safekeeper: performs what the consensus core decides, with the log, the control file and the follower.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "bough/error.hpp"
#include "safekeeper/branch/branch_name.hpp"
#include "safekeeper/branch/retention.hpp"
#include "safekeeper/consensus/core.hpp"
#include "safekeeper/receive/follower.hpp"
#include "safekeeper/segment/control_file.hpp"
#include "safekeeper/segment/wal_log.hpp"
#include "safekeeper/serve/wal_source.hpp"

namespace bough::safekeeper {

class Branch;

// What branches need of the process they live in.
struct BranchEnvironment {
    segment::Preallocator& preallocator;
    std::string name;              // of this safekeeper, as configurations know it
    std::string application_name;  // "bough_<name>", as computes know us
    std::string own_address;       // as peers know us
    receive::SharedMachine shared_machine;
    // A branch whose first segment another one inherits; nothing when it is not (or no longer) here.
    std::function<std::shared_ptr<Branch>(const BranchName&)> find_parent;
    RetentionSettings retention;
    RetentionCounters& counters;
    // Its position has changed in a way that its peers want to know, or somebody has begun to read it. Called on hot paths: returns
    // at once.
    std::function<void(Branch&)> tell_peers;
};

struct BranchOrigin {
    Lsn start_lsn;
    Lsn start_record;  // start of the record that ends there
    SystemId system_id;
    std::uint32_t segment_bytes = 16u << 20;
    std::optional<BranchId> parent;
    bool operator==(const BranchOrigin&) const = default;
};

struct BranchPosition : consensus::Position {
    bool streaming = false;    // connected to the compute or a donor
    bool source_lost = false;  // as Follower::source_lost()
    Lsn begin;               // of the log on this disk
    Lsn durable;             // how far the pageserver is known to have the branch durably
    std::uint64_t retained_bytes = 0;  // of WAL on this disk, from the first segment's beginning on
};

struct BranchVote {
    bool granted = false;
    BranchPosition position;
};

// All methods are thread-safe. operation_mutex_ is held by whoever changes term, tail or follower, across I/O; state_mutex_ by
// whoever looks at or steps the core, briefly. The follower's thread takes only the latter.
class Branch : public serve::WalSource, private receive::FollowerListener {
public:
    // Makes the directory and its control file, durably.
    static Result<std::shared_ptr<Branch>> create(const std::filesystem::path& directory, const BranchName& name,
                                                  const BranchOrigin& origin, const BranchEnvironment& environment);
    // After a restart. corrupt, unsupported: this branch is refused.
    static Result<std::shared_ptr<Branch>> open(const std::filesystem::path& directory, const BranchName& name,
                                                const BranchEnvironment& environment);
    ~Branch() override;

    // Goes on with the term that had begun. Once, after open().
    void start();
    // Stops receiving and writes the control file. Afterwards votes and begins are refused.
    void stop();

    const BranchName& name() const { return name_; }
    const BranchOrigin& origin() const { return origin_; }
    BranchPosition position() const;
    std::vector<consensus::Peer> peers() const;
    std::vector<std::pair<std::string, std::optional<Lsn>>> peer_ends() const;  // as Core::peer_ends()
    bool has_peers() const { return has_peers_.load(std::memory_order_relaxed); }

    Result<BranchVote> vote(Term term);
    // Answers when the log has reached the term's beginning; timeout: it goes on trying.
    Result<BranchPosition> begin(consensus::BeginRequested request, std::chrono::milliseconds timeout);
    // `peer`: address of who knows it; empty: the launcher.
    void learn_commit(Term term, Lsn lsn, const std::string& peer = {});
    // The pageserver has all below `lsn` durably and never reads it again. Monotone: an older announcement changes nothing.
    void learn_durable(Lsn lsn);
    void peer_reported(const consensus::PeerReported& report);

    // The last record that ends at or before `at`. out_of_range beyond the log's end or before its beginning.
    Result<segment::RecordBoundary> boundary(Lsn at) const;
    // The bytes of [from, to).
    Result<std::string> read_wal(Lsn from, Lsn to);

    // Called a few times a second: wakes a sleeping follower, drops WAL, writes the control file when it has been stale for long.
    void housekeep(std::chrono::steady_clock::time_point now);

    // Somebody reads here what is committed, and waits for more.
    bool has_readers() const { return has_readers_.load(std::memory_order_relaxed); }
    // All that is whole here is known to be committed.
    bool all_committed() const { return committed_end_.load() >= whole_end_.load(); }

    // Whether a change waits to be told to peers, and how long it may; set and cleared by the exchange.
    enum class Telling { nothing, at_leisure, soon };
    std::atomic<Telling> exchange_pending{Telling::nothing};

    // serve::WalSource
    const segment::WalPlace& place() const override { return place_; }
    Result<Lsn> first_lsn() override;
    segment::RecordBoundary log_begin() const override;
    Lsn readable_end(bool uncommitted) const override;
    std::uint64_t term_generation() const override { return term_generation_.load(); }
    std::uint64_t log_number() const override { return log_number_.load(); }
    Result<void> check_term(const serve::ReadOptions& options) const override;
    void add_reader(serve::NewWalSignal& signal) override;
    void remove_reader(serve::NewWalSignal& signal) override;

private:
    using Answer = std::variant<consensus::AnswerVote, consensus::AnswerBegin, Error>;

    Branch(const std::filesystem::path& directory, segment::ControlFile control, const BranchEnvironment& environment,
           std::unique_ptr<segment::WalLog> log);

    // receive::FollowerListener
    Result<void> before_receiving() override;
    void log_flushed(const consensus::LogPosition& log) override;
    void pass_on() override;
    Lsn kept_by_others() const override;
    Result<void> begin_log_anew(const segment::RecordBoundary& begin, std::span<const std::byte> prefix) override;
    void catch_up_failed(const Error& error) override;

    std::vector<consensus::Action> step(const consensus::Event& event);
    void perform(std::vector<consensus::Action> actions);      // with operation_mutex_
    bool perform_at_once(const consensus::Action& action);     // those without I/O; false: not one of them
    std::optional<consensus::Event> perform_io(const consensus::Action& action);
    void publish();                                            // with state_mutex_
    void change_generation();
    void notify_readers();
    Result<void> save();
    Result<void> expect_log_up_to(Lsn at);
    // What is to be in the control file now; with control_mutex_.
    segment::ControlFile control_now() const;
    Result<void> write_control(segment::ControlFile control);  // with control_mutex_
    Result<void> drop_wal();                                   // with operation_mutex_
    Result<void> remove_files_below_begin();
    RetentionView retention_view() const;
    Result<void> make_first_segment();
    std::optional<segment::WalPlace> inheritable_place() const;
    BranchPosition extended(consensus::Position position) const;
    consensus::RequestId next_request();

    const BranchName name_;
    const BranchOrigin origin_;
    const std::filesystem::path directory_;
    const segment::WalPlace place_;
    const BranchEnvironment& environment_;

    mutable std::mutex operation_mutex_;
    // Taken after operation_mutex_ and before state_mutex_, also by the follower's thread, which never has operation_mutex_.
    std::mutex control_mutex_;
    segment::ControlFile control_;  // as last written, but for what the core knows better; under control_mutex_
    bool stopped_ = false;
    std::chrono::steady_clock::time_point saved_at_{};
    std::chrono::steady_clock::time_point drop_again_at_{};
    Lsn drop_in_vain_;                    // the limit for which nothing was found to drop; 0/0: none
    std::atomic<bool> remains_{false};    // there are files of segments below the log's beginning

    std::unique_ptr<segment::WalLog> log_;  // the follower's while it runs

    mutable std::mutex state_mutex_;
    std::condition_variable answered_;
    consensus::Core core_;
    segment::RecordBoundary begin_;  // of the log on this disk
    Lsn durable_;                    // as the pageserver's was told
    std::map<consensus::RequestId, Answer> answers_;
    std::map<consensus::RequestId, bool> awaited_;  // whose answers are kept
    consensus::RequestId last_request_ = 0;

    std::atomic<std::uint64_t> committed_end_{0};
    std::atomic<std::uint64_t> whole_end_{0};
    std::atomic<std::uint64_t> term_generation_{0};
    std::atomic<std::uint64_t> log_number_{0};
    std::atomic<bool> has_peers_{false};
    std::atomic<bool> unsaved_{false};
    std::atomic<bool> closing_{false};  // nobody waits for an answer any more

    std::mutex readers_mutex_;
    std::vector<serve::NewWalSignal*> readers_;
    std::atomic<bool> has_readers_{false};

    std::mutex first_segment_mutex_;
    std::atomic<bool> first_segment_made_{false};

    // The follower's, between log_flushed() and pass_on().
    std::vector<consensus::Action> flushed_actions_;
    bool peers_wait_ = false;

    receive::Follower follower_;  // last: its thread uses all of the above
};

}  // namespace bough::safekeeper
