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

class Launcher {
public:
    Launcher(System& system, std::size_t number);

    // Starts an election, unless one is under way.
    void take_over();
    // Forgets all but the computes that run; a moment later it is there again.
    void crash();
    void stop_compute();
    // What it does now and then: joins members that are not in the term of its compute.
    void look_after();

    Compute* compute() const { return compute_; }
    // It holds an election, or is about to start the compute it has won.
    bool busy() const { return election_ != nullptr || starting_; }
    // From now on it stops a compute that a member has been fenced off from, and starts another.
    void be_diligent() { diligent_ = true; }
    // The end of the branch, as "branch at the tip" asks for it; checked against what was acknowledged before.
    void ask_tip();

private:
    void perform(const std::vector<election::Action>& actions);
    void ask_standing(election::Member member);
    void ask_vote(election::Member member, Term term);
    void ask_begin(election::Member member, const election::Order& order);
    void feed(const election::Event& event);
    void won();
    void announce_commit(Lsn lsn);
    void join(std::size_t member);
    consensus::BeginRequested request_of(const election::Order& order, std::size_t member) const;
    // Once: the answer, or an error when none comes in time. Nothing after a crash.
    using Ask = std::function<void(Safekeeper&, Safekeeper::Reply)>;
    void call(std::size_t member, Microseconds timeout, Ask ask, Safekeeper::Reply then);
    void note(const std::string& text) const;

    System& system_;
    const std::size_t number_;
    const Node node_;
    const std::string address_;
    std::uint64_t boot_ = 0;
    std::uint64_t attempt_ = 0;
    std::unique_ptr<election::Election> election_;
    std::map<election::Member, Content> voted_logs_;
    bool decided_ = false;
    bool starting_ = false;
    bool diligent_ = false;

    Compute* compute_ = nullptr;
    election::Order order_;  // with which its term is begun
    std::map<std::size_t, bool> joined_;
};

}  // namespace bough::safekeeper::simulation
