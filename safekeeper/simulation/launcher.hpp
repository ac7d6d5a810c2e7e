// A control process that wants a compute for the branch: the real election, with the network between it and the safekeepers.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "election/election.hpp"
#include "safekeeper/consensus/messages.hpp"
#include "safekeeper/simulation/safekeeper.hpp"
#include "safekeeper/simulation/system.hpp"

namespace bough::safekeeper::simulation {

class Changer;

class Launcher {
public:
    Launcher(System& system, std::size_t number);
    ~Launcher();

    // Starts an election, unless one is under way.
    void take_over();
    // Forgets all but the computes that run; a moment later it is there again.
    void crash();
    void stop_compute();
    // Wins a term in which no compute runs, to exchange members in it.
    void take_over_for_exchange();
    // What it does now and then: joins members that are not in the term of its compute, goes on with a change of them.
    void look_after();

    Compute* compute() const { return compute_; }
    // It holds an election, is about to start the compute it has won, or exchanges members.
    bool busy() const;
    // From now on it stops a compute that a member has been fenced off from, and starts another.
    void be_diligent() { diligent_ = true; }
    // The end of the branch, as "branch at the tip" asks for it; checked against what was acknowledged before.
    void ask_tip();

    // --- for the Changer ----------------------------------------------------------------------------------------------------------
    Node node() const { return node_; }
    // With which the running term is begun.
    election::Order& order() { return order_; }
    // Once: the answer, or an error when none comes in time. Nothing after a crash.
    using Ask = std::function<void(Safekeeper&, Safekeeper::Reply)>;
    void call(std::size_t member, Microseconds timeout, Ask ask, Safekeeper::Reply then);
    void ask_position(std::size_t member, Safekeeper::Reply then);
    void ask_begin(std::size_t member, const consensus::BeginRequested& request, Safekeeper::Reply then);
    consensus::BeginRequested request_of(const election::Order& order, std::size_t member) const;
    // Brings it into the running term, whether it counts or not.
    void join(std::size_t member, std::function<void(Result<void>)> then);
    // It promises a term that nobody writes in. An error: it did not answer.
    void let_rest(std::size_t member, std::function<void(Result<void>)> then);
    // Other members count: who missed it is told.
    void forget_joined() { joined_.clear(); }
    void note(const std::string& text) const;

private:
    void start_election(bool for_exchange);
    void perform(const std::vector<election::Action>& actions);
    void ask_standing(election::Member member);
    void ask_vote(election::Member member, Term term);
    void ask_begin(election::Member member, const election::Order& order);
    void feed(const election::Event& event);
    void won();
    void start_compute();
    void announce_commit(Lsn lsn);
    void let_join();
    void stop_fenced();
    void run_errands();
    void ask_who_counts();
    election::Order by_number(election::Order order) const;

    System& system_;
    const std::size_t number_;
    const Node node_;
    const std::string address_;
    std::uint64_t boot_ = 0;
    std::uint64_t attempt_ = 0;
    std::unique_ptr<election::Election> election_;
    std::vector<std::size_t> asked_;  // the safekeepers of the election, by its numbers of them
    std::map<election::Member, Content> voted_logs_;
    bool for_exchange_ = false;       // no compute is to start
    bool decided_ = false;
    bool starting_ = false;
    bool diligent_ = false;

    Compute* compute_ = nullptr;
    election::Order order_;  // with which its term is begun; donors are numbers of safekeepers
    std::map<std::size_t, bool> joined_;
    std::size_t joining_ = 0;  // under way: members are exchanged before or after, not meanwhile
    bool joined_last_ = false;
    std::unique_ptr<Changer> changer_;
};

}  // namespace bough::safekeeper::simulation
