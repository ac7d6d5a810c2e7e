// How a branch comes from the safekeepers that keep it to others while its compute writes (docs/decisions/0010-joint-membership.md). What
// safekeepers say in, steps out; no I/O, no clock, no threads.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "bough/configuration.hpp"
#include "bough/ids.hpp"
#include "bough/lsn.hpp"

namespace bough::election {

// What an exchange goes by of how a safekeeper says that it stands.
struct Participation {
    Term configured_in;  // the newest term that has begun there, and the configuration that came with it
    Configuration configuration;
    Term last_term;      // that its log's last byte belongs to
    Lsn end;             // of its last whole record
    Lsn flush;
    bool streaming = false;
};

// By name; who does not answer is not among them.
using Participants = std::map<std::string, Participation>;

// Who is in `term`, has all the term's orders, and takes WAL from its compute now.
std::set<std::string> streaming_in(Term term, const Participants& told);

struct ExchangeGoal {
    std::vector<std::string> members;
    bool called_off = false;  // these were the members before a change that was called off
    // It cannot be called off (any more), so who left is put to rest. One that rests could not come back in the running term: it has promised
    // another one.
    bool settled = false;
};

// --- steps ---------------------------------------------------------------------------------------------------------------------

// Bring it into the term as one that does not count yet; then ask all once more. An error that is not merely slowness ends the attempt.
struct LetFollow {
    std::string name;
};
// Make this configuration durable on a quorum of itself: ordered(). Then ask all once more. What fails ends the attempt.
struct OrderConfiguration {
    Configuration configuration;
};
// Make the compute wait for a quorum of this configuration with all that it acknowledges from now on: required().
struct RequireQuorum {
    Configuration configuration;
};
// Ask all once more, until next() has another step or it has taken too long.
struct AwaitCommit {
    Lsn lsn;
};
// Put to rest whoever is none of the members. Who does not answer is told later, for as long as it takes.
struct LetRest {
    Configuration configuration;
};
struct Arrived {};
// Nothing more can be done now: what it waits for.
struct Waiting {
    std::string what;
};

using ExchangeStep = std::variant<LetFollow, OrderConfiguration, RequireQuorum, AwaitCommit, LetRest, Arrived, Waiting>;

// One attempt, which goes as far as it can. It remembers nothing that the next one needs: that asks the safekeepers. So it may end, or be
// forgotten, after any step. Nobody else may order in the term meanwhile. Not thread-safe.
class MemberExchange {
public:
    // `term` is the running one and began at `begin`; `written` when a compute writes in it.
    MemberExchange(Term term, Lsn begin, ExchangeGoal goal, bool written);

    // What is to be done now, by what the safekeepers said last and the newest configuration among that.
    ExchangeStep next(const Participants& told, const Configuration& in_force);
    void ordered();
    // Nothing that was acknowledged for less lies beyond `reached`.
    void required(Lsn reached);

    // The newest that is known to be in force; of generation 0 while none is.
    const Configuration& configuration() const { return configuration_; }

private:
    enum class Stage { looking, renewing, joining, joint, simple, arriving };
    bool in_term(const Participants& told, const std::string& name) const;
    // Whether configuration_ is on a quorum of itself.
    bool on_quorum(const Participants& told) const;
    bool doubtful(const Participants& told) const;
    std::optional<ExchangeStep> let_follow(const Participants& told);
    ExchangeStep order(Configuration configuration, Stage then);
    ExchangeStep leave_joint(const Participants& told);
    ExchangeStep arrive(const Participants& told);

    const Term term_;
    const ExchangeGoal goal_;
    const bool written_;
    Stage stage_ = Stage::looking;
    Configuration configuration_;
    Configuration ordering_;
    Configuration ordered_;  // is on a quorum of itself since
    Stage then_ = Stage::looking;
    std::set<std::string> asked_to_follow_;
    std::optional<Lsn> reached_;  // in the stage `joint`
    bool rested_ = false;
    bool required_ = false;       // in the stage `arriving`
};

}  // namespace bough::election
