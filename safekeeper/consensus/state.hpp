// What the consensus core knows of one branch: the part that survives a crash, and the part that the log itself tells.
#pragma once

#include <string>
#include <vector>

#include "bough/configuration.hpp"
#include "bough/ids.hpp"
#include "bough/lsn.hpp"
#include "election/term_history.hpp"

namespace bough::safekeeper::consensus {

using election::TermBegin;
using election::TermHistory;

// Another safekeeper of the branch. Peers know one another by `admin`, its address; configurations by `name`. `wal` is a libpq
// conninfo.
struct Peer {
    std::string admin;
    std::string wal;
    std::string name = {};
    bool operator==(const Peer&) const = default;
};

// Who writes in the current term and who keeps it beside us.
struct Assignment {
    std::string source;       // libpq conninfo of the compute
    std::vector<Peer> peers;  // the other safekeepers of the configuration
    // Whose positions count. Of generation 0: those of this safekeeper and its peers.
    Configuration configuration = {};
    bool operator==(const Assignment&) const = default;
};

// Survives a crash: written to the control file before anything is answered that depends on it.
struct Durable {
    Lsn start_lsn;  // where the branch begins; a record end of its parent
    Term promised;  // no vote below or at this is granted, no WAL of a lower term is accepted
    // Ends with `promised` once that term has begun here. May reach beyond the log while it catches up.
    TermHistory history;
    Assignment assignment;
    Lsn commit_lsn;  // known to be on a majority; written lazily, so it may trail
    bool operator==(const Durable&) const = default;
};

// The log on this safekeeper's disk. start_lsn <= end <= flush.
struct LogPosition {
    Lsn flush;        // every byte below is durable
    Lsn end;          // of the last whole record at or below flush
    Lsn last_record;  // its start
    bool operator==(const LogPosition&) const = default;
};

enum class State {
    resting,      // no stream is wanted: nothing began yet, or a higher term was promised
    dropping,     // DropStream is being performed
    cutting,      // CutTail is being performed
    persisting,   // Persist is being performed
    catching_up,  // the term has begun, the log below its begin is still coming from a donor
    streaming,    // the log follows the compute
};
const char* to_string(State state);

// What is told to others.
struct Position {
    Term promised;
    Term last_term;       // that the last byte of the log belongs to
    TermHistory history;  // of the log as far as it goes
    Lsn start_lsn;
    LogPosition log;
    Lsn commit_lsn;  // what of it may be served
    State state = State::resting;
    // What a launcher must win: the configuration of the newest term that began here, and where its members are.
    Term configured_in = {};
    Configuration configuration = {};
    std::vector<Peer> peers = {};
    std::string source = {};  // of that term: it tells one launcher's terms from another's
    // Up to where this log counts for what is committed in `last_term`: it was reached while that term was followed. A log that catches
    // up in a newer term brings bytes of older ones, which are of that newer term then. 0/0: nothing counts.
    Lsn counted_end() const { return configured_in > last_term ? Lsn{} : log.end; }
};

}  // namespace bough::safekeeper::consensus
