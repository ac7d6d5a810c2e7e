// The decisions of one branch on one safekeeper: votes, terms, cutting, what is committed. Events in, actions out; no I/O, no
// clock, no threads.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "safekeeper/consensus/messages.hpp"
#include "safekeeper/consensus/state.hpp"

namespace bough::safekeeper::consensus {

// At most one of DropStream, CutTail and Persist is under way at a time; requests that come meanwhile wait in line.
// The caller performs the actions of one step in order, and feeds what they lead to as further events.
// README.md says why it is right and what each crash leaves behind. Not thread-safe.
class Core {
public:
    // As recovered after a start: `log` is what a scan found on disk. `name` is what configurations call this safekeeper.
    Core(Durable durable, LogPosition log, std::string name = {});

    // What to do first after a start: a term that has begun goes on.
    std::vector<Action> start();

    std::vector<Action> step(const Event& event);

    // At the end of the log or what is committed, whichever is lower: what may be served.
    Lsn readable_end() const;
    Position position() const;
    State state() const { return state_; }
    const Durable& durable() const { return durable_; }
    const LogPosition& log() const { return log_; }
    // The highest position known to be committed; may lie beyond the log's end.
    Lsn commit_lsn() const { return durable_.commit_lsn; }
    // What enough others have reported for a majority without us, in the newest term; 0/0 if they are too few.
    Lsn kept_by_others() const;
    // All that decides what it does next: of two with the same text neither does what the other would not. To tell states apart when
    // they are explored.
    std::string fingerprint() const;
    // Up to where every peer is known to have this log. 0/0 while one of them has not reported in the newest term: its log may part
    // from this one anywhere above what is committed, or be empty.
    Lsn peers_have() const;
    // How far each peer's log goes; nothing for one that has not reported in the newest term.
    std::vector<std::pair<std::string, std::optional<Lsn>>> peer_ends() const;

private:
    // The request that the action under way belongs to.
    struct Vote {
        RequestId request;
        Term term;
    };
    struct Begin {
        BeginRequested request;
        Durable durable;      // as it shall be
        bool cut = true;      // false when only the assignment changes
    };
    using Work = std::variant<std::monostate, Vote, Begin>;

    void on(const VoteRequested& event);
    void on(const BeginRequested& event);
    void on(const StreamDropped& event);
    void on(const TailCut& event);
    void on(const Persisted& event);
    void on(const PersistFailed& event);
    void on(const LogFlushed& event);
    void on(const LogBegunAnew& event);
    void on(const CatchUpFailed& event);
    void on(const PeerReported& event);
    void on(const CommitLearnt& event);

    bool busy() const { return state_ == State::dropping || state_ == State::cutting || state_ == State::persisting; }
    bool following() const { return state_ == State::streaming || state_ == State::catching_up; }
    void take(const Event& event);
    void begin_again(const BeginRequested& event);
    void begin_new(const BeginRequested& event);
    void persist(Durable durable);
    bool begun() const { return !durable_.history.empty() && durable_.history.last().term == durable_.promised; }
    void follow(const std::vector<Peer>& chosen_donors);
    void end_work(State state);
    void answer_waiting_begins();
    void refuse_waiting_begins(const Error& error);
    void count_quorum();
    Lsn reached_by_quorum(Term term) const;
    std::map<std::string, Lsn> reported_ends(Term term) const;
    void learn_commit(Lsn lsn);
    Term last_term() const { return durable_.history.last_at(log_.end).term; }

    const std::string name_;
    Durable durable_;
    Durable durable_before_;  // while persisting: what certainly is on disk
    LogPosition log_;
    State state_ = State::resting;
    Work work_;
    std::vector<Peer> chosen_donors_;        // that the catch-up under way was given; empty: any in which the term has begun
    Term counted_in_;                        // newest term in which a majority was seen to have reached its begin
    std::vector<RequestId> waiting_begins_;  // answered once caught up
    std::deque<Event> waiting_;              // requests that came while busy
    struct Report {
        Term last_term;
        Lsn end;
        std::uint64_t generation = 0;
    };
    bool is_peer(const std::string& admin) const;
    std::map<std::string, Report> reports_;  // by Peer::admin
    std::vector<Action> actions_;
};

// The highest position that at least a majority of `members` has reached, of which those in `ends` reported; 0/0 if none.
Lsn quorum_end(std::vector<Lsn> ends, std::size_t members);

}  // namespace bough::safekeeper::consensus
