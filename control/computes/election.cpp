#include "control/computes/election.hpp"

#include <future>
#include <utility>

#include <spdlog/spdlog.h>

#include "election/election.hpp"

namespace bough::control {

BranchStart branch_start(const BranchRow& branch, SystemId system_id) {
    return {{branch.lsn, branch.prev_lsn}, system_id, branch.parent};
}

Result<void> ensure_kept(const Quorum& quorum, Catalog& catalog, const BranchRow& branch) {
    // Ancestors first: the first segment of a branch begins with bytes of its parent's.
    if (branch.parent) {
        BOUGH_ASSIGN(auto parent, catalog.branch(branch.project, branch.parent->str()));
        BOUGH_TRY(ensure_kept(quorum, catalog, parent));
    }
    BOUGH_ASSIGN(auto project, catalog.project(branch.project.str()));
    auto start = branch_start(branch, project.system_id);
    auto answers = quorum.ask_all<bool>([&](SafekeeperClient& client) -> Result<bool> {
        BOUGH_TRY(client.create_branch(branch.project, branch.id, start));
        return true;
    });
    // It may be in another configuration already; the election goes by that one. This is for those that were never in any.
    std::set<std::string> kept;
    std::string reasons;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (answers[i]) kept.insert(quorum.names()[i]);
        else reasons += (reasons.empty() ? ": " : "; ") + answers[i].error().message;
    }
    if (is_quorum(quorum.initial(), kept)) return {};
    if (is_quorum(quorum.in_force(quorum.positions(branch.project, branch.id)), kept)) return {};
    return Error{ErrorCode::unavailable, "no majority of the safekeepers keeps the branch's WAL" + reasons,
                 "`bough status` shows which daemons run"};
}

namespace {

// What the election asks of its members, performed for all at once; the outcomes are in the order of the actions.
class Ballot {
public:
    Ballot(const Quorum& quorum, const BranchRow& branch, const std::string& source) : quorum_(quorum), branch_(branch), source_(source) {
        ends_.resize(quorum.members().size());
    }

    std::vector<election::Event> perform(const std::vector<election::Action>& actions) {
        if (actions.size() == 1) return {perform(actions.front())};  // no thread for the commonest case
        std::vector<std::future<election::Event>> asked;
        for (const auto& action : actions) asked.push_back(std::async(std::launch::async, [this, &action] { return perform(action); }));
        std::vector<election::Event> events;
        for (auto& answer : asked) events.push_back(answer.get());
        return events;
    }

    BeginOrder order_of(const election::Order& order, Position at) const {
        BeginOrder result{order.term, at, order.history, source_, {}, {}, order.configuration};
        for (auto donor : order.donors) result.donors.push_back(client(donor).address());
        return result;
    }

    // Where the member's log ended when it voted.
    Position end_of(election::Member member) const { return ends_[member]; }

private:
    SafekeeperClient& client(election::Member member) const { return *quorum_.members()[member]; }

    election::Event perform(const election::Action& action) {
        if (const auto* ask = std::get_if<election::AskStanding>(&action)) {
            auto position = client(ask->member).position(branch_.project, branch_.id);
            if (!position) return election::Told{ask->member, position.error()};
            return election::Told{ask->member, position->standing()};
        }
        if (const auto* ask = std::get_if<election::AskVote>(&action)) {
            auto vote = client(ask->member).vote(branch_.project, branch_.id, ask->term);
            if (!vote) return election::Voted{ask->member, vote.error()};
            ends_[ask->member] = vote->end;
            return election::Voted{ask->member, election::Vote{vote->granted, vote->standing()}};
        }
        const auto& ask = std::get<election::AskBegin>(action);
        auto order = order_of(ask.order, ends_[ask.order.donors.front()]);
        order.peers = quorum_.addresses(everybody(order.configuration), client(ask.member).address().name);
        auto begun = client(ask.member).begin(branch_.project, branch_.id, order);
        if (!begun) {
            spdlog::warn("project {} branch {}: safekeeper {} does not begin term {}: {}", branch_.project.str(), branch_.id.str(),
                         client(ask.member).address().name, order.term.value, begun.error().to_string());
            return election::Begun{ask.member, begun.error()};
        }
        return election::Begun{ask.member, {}};
    }

    const Quorum& quorum_;
    const BranchRow& branch_;
    const std::string& source_;
    std::vector<Position> ends_;  // each written by the one that asks this member
};

}  // namespace

Result<Elected> elect(const Quorum& quorum, const BranchRow& branch, const std::string& source) {
    election::Election election(quorum.names(), quorum.initial());
    Ballot ballot(quorum, branch, source);
    auto actions = election.start();
    while (election.state() != election::Election::State::won) {
        if (const auto* lost = std::get_if<election::Lost>(&actions.front())) return lost->error;
        std::vector<election::Action> next;
        for (const auto& event : ballot.perform(actions))
            for (auto& action : election.step(event)) next.push_back(std::move(action));
        actions = std::move(next);
    }
    const auto& members = quorum.members();
    Elected elected{.term = election.term(), .start = ballot.end_of(election.chosen()), .donor = members[election.chosen()],
                    .order = {}, .joined = {}};
    elected.order = ballot.order_of(election.late_order(), elected.start);
    const auto begun = election.begun();
    for (std::size_t i = 0; i < members.size(); ++i) {
        const auto& name = members[i]->address().name;
        if (begun[i]) elected.joined.insert(name);
        else if (is_member(elected.order.configuration, name))
            spdlog::warn("project {} branch {}: safekeeper {} is not in term {}", branch.project.str(), branch.id.str(),
                         name, elected.term.value);
    }
    return elected;
}

Result<void> join(const Quorum& quorum, const std::string& name, const BranchRow& branch, const BranchStart& start, BeginOrder order,
                  std::chrono::milliseconds patience) {
    auto& member = *quorum.members()[quorum.index_of(name)];
    BOUGH_TRY(member.create_branch(branch.project, branch.id, start));
    BOUGH_ASSIGN(auto position, member.position(branch.project, branch.id));
    if (position.term < order.term) {
        BOUGH_ASSIGN(auto vote, member.vote(branch.project, branch.id, order.term));
        if (!vote.granted) return Error{ErrorCode::failed_precondition, "it has promised a later term", {}};
    }
    // Who had the log when the term began may have left since, and rests: it would give nothing. Without any, those that count give it.
    std::erase_if(order.donors, [&](const SafekeeperAddress& donor) {
        return donor.name == name || (order.configuration.generation != 0 && !is_member(order.configuration, donor.name));
    });
    order.peers = quorum.addresses(everybody(order.configuration), name);
    auto begun = member.begin(branch.project, branch.id, order, patience);
    if (!begun) return begun.error();
    return {};
}

void fence(const Quorum& quorum, const BranchRow& branch) {
    quorum.ask_all<SafekeeperPosition>([&](SafekeeperClient& client) -> Result<SafekeeperPosition> {
        BOUGH_ASSIGN(auto position, client.position(branch.project, branch.id));
        return client.vote(branch.project, branch.id, Term{position.term.value + 1});
    });
}

}  // namespace bough::control
