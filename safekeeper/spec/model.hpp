// A small world around the real cores, as a value: what can happen next can be listed, tried and compared. Three safekeepers, two
// launchers; records of one size, so that a log is the row of the terms that wrote it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "election/election.hpp"
#include "safekeeper/consensus/core.hpp"

namespace bough::safekeeper::spec {

constexpr std::size_t kMembers = 3;
constexpr std::size_t kLaunchers = 2;

// A bug, to see that it is found.
enum class Defect {
    none,
    keeps_tail,     // a safekeeper says that it has cut its log, and has not
    forgets_votes,  // it answers a vote that is not on disk
};

// How much may happen in one history.
struct Bounds {
    int attempts = 1;       // elections of each launcher
    int records = 2;        // in all, besides the first of each compute
    int crashes = 0;        // of safekeepers, with restart
    int failed_writes = 0;  // of control files
    int give_ups = 2;       // of launchers on a member that has not answered, in all
    // Anything may happen while a safekeeper drops its stream, cuts its log or persists. Else these take no time: what is asked meanwhile
    // waits for their end in any case, so that only positions that are told, and records that arrive, during them are left out.
    bool slow_actions = false;
    Defect defect = Defect::none;
};

// What happens in one step.
struct Move {
    enum class Kind {
        start_election,  // launcher
        deliver,         // launcher's request to member
        deliver_late,    // launcher's order to a member that did not begin the term it won
        answer,          // member's answer to launcher
        give_up,         // launcher: on member
        finish,          // member: the action under way is done
        fail_write,      // member: it was a Persist, and fails
        crash,           // member; b = 1: what was being persisted is on disk
        write,           // compute of term a
        stream,          // member takes a record from its compute
        catch_up,        // member takes a record from donor b
        tell,            // member tells member b its position, and b learns from it that more is committed
    };
    Kind kind;
    std::size_t a = 0;
    std::size_t b = 0;
};
std::string to_string(const Move& move);

// One letter per record: 'a' for term 1, 'b' for term 2, …
using Log = std::string;

class Model {
public:
    explicit Model(const Bounds& bounds);

    std::vector<Move> moves() const;
    // Aborts with what is wrong when a promise is broken.
    void apply(const Move& move);
    // Equal text: the same future.
    std::string fingerprint() const;

    std::size_t acknowledged() const { return acknowledged_.size(); }

private:
    struct Member {
        std::optional<consensus::Core> core;
        consensus::Durable disk;
        Log log;
        std::optional<consensus::Action> under_way;
        std::optional<consensus::StartStream> stream;
        std::optional<consensus::StartCatchUp> catch_up;
    };
    // A request of a launcher to a member.
    struct Call {
        enum class State { none, waiting, answered, over };  // as the launcher sees it
        State state = State::none;
        std::optional<consensus::Event> request;  // on its way; may arrive when nobody waits any more
        std::optional<election::Event> answer;    // on its way
        Log log;                                  // of the member when it answered
        std::optional<consensus::Event> late;     // to enter the term that was won without it; on its way, its answer is for nobody
    };
    struct Launcher {
        int attempts = 0;
        std::optional<election::Election> election;
        std::array<Call, kMembers> calls;
        std::array<Log, kMembers> voted_logs;
        std::array<std::string, kMembers> heard;  // all that the election knows of each member
    };
    struct Compute {
        bool runs = false;
        Log log;
        std::array<std::size_t, kMembers> flushed{};  // records reported
    };

    void start_election(std::size_t launcher);
    void perform(std::size_t launcher, const std::vector<election::Action>& actions);
    consensus::BeginRequested begin_request(std::size_t launcher, std::size_t member, const election::Order& order) const;
    void feed(std::size_t launcher, std::size_t member, const election::Event& event);
    void step(std::size_t member, const consensus::Event& event);
    void finish(std::size_t member, bool well);
    void restart(std::size_t member);
    void flushed(std::size_t member, const Log& log);
    bool tells_anything(std::size_t member, std::size_t to) const;
    void answer(std::size_t member, consensus::RequestId request, const consensus::Position* position, bool granted);
    void learn_committed(const Log& log, Lsn end);
    void report(std::size_t member);
    consensus::LogPosition position_of(std::size_t member) const;
    std::vector<std::size_t> donors_of(std::size_t member) const;

    Bounds left_;
    std::array<Member, kMembers> members_;
    std::array<Launcher, kLaunchers> launchers_;
    std::map<std::uint64_t, Compute> computes_;  // by term
    std::map<std::uint64_t, Log> decided_;
    std::map<std::uint64_t, Log> acknowledged_of_;  // by term: the longest log that its compute has acknowledged
    Log acknowledged_;                              // the longest of all
    Log committed_;
};

}  // namespace bough::safekeeper::spec
