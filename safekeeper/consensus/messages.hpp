// What goes into the consensus core and what comes out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "bough/error.hpp"
#include "safekeeper/consensus/state.hpp"

namespace bough::safekeeper::consensus {

// Pairs a request with its answer; the caller's to choose.
using RequestId = std::uint64_t;

// --- events -----------------------------------------------------------------------------------------------------------------

// A launcher asks for this safekeeper's vote.
struct VoteRequested {
    RequestId request = 0;
    Term term;
};
// A launcher that won a majority says where its term begins. `history` is that of the log it chose, with or without the new term.
struct BeginRequested {
    RequestId request = 0;
    Term term;
    Lsn begin_lsn;
    TermHistory history;
    Assignment assignment;
    std::vector<Peer> donors;  // who has the log up to begin_lsn
};
// The action of that name is done.
struct StreamDropped {
    LogPosition log;  // nothing was or will be acknowledged beyond it
};
struct TailCut {
    Result<LogPosition> log;  // an error: the log is not what the history says
};
struct Persisted {};
// What was durable before still is, and nothing else.
struct PersistFailed {
    Error error;
};
// The stream, or the catch-up, has brought durable bytes.
struct LogFlushed {
    LogPosition log;
};
// The log now begins and ends at `log`, a position beyond its old end and committed in the followed term: nobody who could be asked has
// what lies between any more, because the pageserver has it durably.
struct LogBegunAnew {
    LogPosition log;
};
// No donor could help now; the shell goes on trying, but who waits is told.
struct CatchUpFailed {
    Error error;
};
// A peer told its position.
struct PeerReported {
    std::string peer;  // Peer::admin
    Term last_term;
    Lsn end;  // Position::counted_end()
    std::uint64_t generation = 0;  // of the configuration that it holds
};
// Somebody knows that `lsn` is committed in the log of `term`.
struct CommitLearnt {
    Term term;
    Lsn lsn;
    std::string peer = {};  // Peer::admin of who knows it; empty: the launcher, who has asked a majority
};

using Event = std::variant<VoteRequested, BeginRequested, StreamDropped, TailCut, Persisted, PersistFailed, LogFlushed, LogBegunAnew,
                           CatchUpFailed, PeerReported, CommitLearnt>;

// --- actions, to be performed in the order given --------------------------------------------------------------------------

// Stop receiving; when nothing can be acknowledged any more: StreamDropped.
struct DropStream {};
// Make the log end at `lsn`, durably, with zeros behind it: TailCut.
struct CutTail {
    Lsn lsn;
};
// Make this durable: Persisted, PersistFailed.
struct Persist {
    Durable durable;
};
// Receive from donors from the log's end up to `target`, trying until dropped: LogFlushed, LogBegunAnew, CatchUpFailed.
struct StartCatchUp {
    Term term;
    Lsn target;
    std::vector<Peer> donors;
    // The launcher chose them for their logs. Else any peer will do in which the term has begun: before that its log may be
    // another one.
    bool donors_chosen = false;
};
// Receive from the compute from the log's end on, trying until dropped: LogFlushed, LogBegunAnew.
struct StartStream {
    Term term;
    Assignment assignment;
};
struct AnswerVote {
    RequestId request = 0;
    bool granted = false;
    Position position;
};
struct AnswerBegin {
    RequestId request = 0;
    Position position;
};
struct Refuse {
    RequestId request = 0;
    Error error;
};
// More may be served: everything below `lsn`.
struct CommitAdvanced {
    Lsn lsn;
};

using Action =
    std::variant<DropStream, CutTail, Persist, StartCatchUp, StartStream, AnswerVote, AnswerBegin, Refuse, CommitAdvanced>;

// One line each, for transcripts.
std::string to_string(const Event& event);
std::string to_string(const Action& action);

}  // namespace bough::safekeeper::consensus
