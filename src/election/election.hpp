// How a launcher wins a branch's safekeepers for a new compute (design, section 4). Events in, actions out; no I/O, no clock, no threads.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "bough/error.hpp"
#include "election/standing.hpp"

namespace bough::election {

// Members are numbered as in the list given to the Election.
using Member = std::size_t;

// With what a member enters the term.
struct Order {
    Term term;
    Lsn begin;
    TermHistory history;  // of the log that was chosen, and then the term itself
    // Who certainly has that log up to `begin`, best first. Nobody named: any member will do in which the term has begun.
    std::vector<Member> donors;
    Configuration configuration = {};  // who counts in this term
};

struct Vote {
    bool granted = false;
    Standing standing;
};

// --- events: what became of an action. No answer in time is an error, too. -----------------------------------------------------

struct Told {
    Member member = 0;
    Result<Standing> standing;
};
struct Voted {
    Member member = 0;
    Result<Vote> vote;
};
struct Begun {
    Member member = 0;
    Result<void> result;
};

using Event = std::variant<Told, Voted, Begun>;

// --- actions -------------------------------------------------------------------------------------------------------------------

// Ask the member how it stands: Told.
struct AskStanding {
    Member member = 0;
};
// Ask it for its vote: Voted.
struct AskVote {
    Member member = 0;
    Term term;
};
// Make it begin the term: Begun.
struct AskBegin {
    Member member = 0;
    Order order;
};
// A majority has begun the term: the compute may start at its beginning.
struct Won {};
struct Lost {
    Error error;
};

using Action = std::variant<AskStanding, AskVote, AskBegin, Won, Lost>;

// One attempt. Rules:
// - The term is above all that a majority has seen.
// - A quorum of votes for it, each member counted once: of the newest configuration that the votes themselves tell of, since after a
//   vote its safekeeper takes no other one of a lower term. Any two quorums have a member in common.
// - It begins at the end of the most advanced log of those that voted, by (last term, end).
// - Only members that voted are told to begin, in that configuration; the compute starts once a quorum has begun.
// A step of the three (asking, voting, beginning) is over when all who were asked have answered or failed. Not thread-safe.
class Election {
public:
    // `members`: whom to ask, by name. `initial` counts for a branch of which none of them knows a configuration; one without a
    // generation is all of `members`.
    explicit Election(std::vector<std::string> members, Configuration initial = {});

    std::vector<Action> start();
    // What comes late, for a step that is over, or twice changes nothing.
    std::vector<Action> step(const Event& event);

    enum class State { asking, voting, beginning, won, lost };
    State state() const { return state_; }
    Term term() const { return term_; }
    // REQUIRES beginning or won.
    Member chosen() const { return *chosen_; }
    const Order& order() const { return order_; }  // as a member that has all of the log gets it

    // By member: whether it has begun the term.
    std::vector<bool> begun() const;
    // For a member that enters the term later; itself is to be left out of the donors. REQUIRES won.
    Order late_order() const;

private:
    template <class T>
    struct Answers {
        std::vector<std::optional<Result<T>>> of;  // nothing: not asked, or no answer yet
        std::vector<bool> asked;
        bool complete() const;
        std::string reasons() const;
    };

    void on(const Told& event);
    void on(const Voted& event);
    void on(const Begun& event);
    void ask_for_votes();
    std::set<std::string> who_may_count() const;
    void choose_and_begin();
    template <class T>
    bool take(Answers<T>& answers, Member member, const Result<T>& answer);
    template <class T>
    bool majority(const Answers<T>& answers, const std::string& what);

    std::vector<std::string> members_;
    Configuration initial_;
    Configuration configuration_;  // what must be won, as far as is known
    State state_ = State::asking;
    Term term_;
    std::optional<Member> chosen_;
    Order order_;
    Answers<Standing> standings_;
    Answers<Standing> votes_;  // a vote that was refused is an error
    Answers<void> begun_;
    std::vector<Action> actions_;
};

}  // namespace bough::election
