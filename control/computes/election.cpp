#include "control/computes/election.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "json/fields.hpp"

namespace bough::control {
namespace {

template <class T>
Error no_majority(const std::vector<Result<T>>& answers, const std::string& what) {
    std::string reasons;
    for (const auto& answer : answers)
        if (!answer) reasons += (reasons.empty() ? "" : "; ") + answer.error().message;
    return {ErrorCode::unavailable, "no majority of the safekeepers " + what + (reasons.empty() ? "" : ": " + reasons),
            "`bough status` shows which daemons run"};
}

template <class T>
std::size_t good(const std::vector<Result<T>>& answers) {
    return static_cast<std::size_t>(std::count_if(answers.begin(), answers.end(), [](const auto& answer) { return answer.has_value(); }));
}

// The members but `self`.
std::vector<const SafekeeperAddress*> others(const Quorum& quorum, const SafekeeperClient& self) {
    std::vector<const SafekeeperAddress*> result;
    for (const auto& member : quorum.members())
        if (member.get() != &self) result.push_back(&member->address());
    return result;
}

}  // namespace

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
    if (good(answers) < quorum.majority()) return no_majority(answers, "keeps the branch's WAL");
    return {};
}

Result<Elected> elect(const Quorum& quorum, const BranchRow& branch, const std::string& source) {
    const auto& members = quorum.members();
    auto known = quorum.ask_all<SafekeeperPosition>([&](SafekeeperClient& client) { return client.position(branch.project, branch.id); });
    if (good(known) < quorum.majority()) return no_majority(known, "answers");
    Elected elected;
    for (const auto& position : known)
        if (position) elected.term = std::max(elected.term, position->term);
    elected.term.value += 1;

    auto votes = quorum.ask_all<SafekeeperPosition>([&](SafekeeperClient& client) -> Result<SafekeeperPosition> {
        BOUGH_ASSIGN(auto position, client.vote(branch.project, branch.id, elected.term));
        if (!position.granted) {
            return Error{ErrorCode::failed_precondition,
                         client.address().name + " has promised term " + std::to_string(position.term.value) + " to another launcher", {}};
        }
        return position;
    });
    if (good(votes) < quorum.majority()) return no_majority(votes, "votes for term " + std::to_string(elected.term.value));

    // The most advanced log by (last term, end), not by length alone: a longer log of an older term may hold what was never acknowledged.
    std::size_t best = members.size();
    for (std::size_t i = 0; i < votes.size(); ++i) {
        if (!votes[i]) continue;
        if (best == members.size() ||
            std::pair(votes[i]->last_term, votes[i]->end.lsn) > std::pair(votes[best]->last_term, votes[best]->end.lsn))
            best = i;
    }
    elected.donor = members[best].get();
    elected.start = votes[best]->end;
    elected.order.term = elected.term;
    elected.order.at = elected.start;
    elected.order.history = votes[best]->history;
    elected.order.history.push_back(json::object{{"term", elected.term.value}, {"begin_lsn", elected.start.lsn.to_string()}});
    elected.order.source = source;
    elected.order.donors = {&elected.donor->address()};

    auto begun = quorum.ask_all<SafekeeperPosition>([&](SafekeeperClient& client) -> Result<SafekeeperPosition> {
        std::size_t index = 0;
        while (members[index].get() != &client) ++index;
        if (!votes[index]) return votes[index].error();
        auto order = elected.order;
        order.peers = others(quorum, client);
        return client.begin(branch.project, branch.id, order);
    });
    if (good(begun) < quorum.majority()) return no_majority(begun, "begins term " + std::to_string(elected.term.value));
    for (std::size_t i = 0; i < begun.size(); ++i) {
        elected.joined.push_back(begun[i].has_value());
        if (!begun[i]) {
            spdlog::warn("project {} branch {}: safekeeper {} is not in term {}: {}", branch.project.str(), branch.id.str(),
                         members[i]->address().name, elected.term.value, begun[i].error().message);
        } else if (i != best) {
            elected.order.donors.push_back(&members[i]->address());
        }
    }
    return elected;
}

Result<void> join(const Quorum& quorum, SafekeeperClient& member, const BranchRow& branch, const BranchStart& start, BeginOrder order) {
    BOUGH_TRY(member.create_branch(branch.project, branch.id, start));
    BOUGH_ASSIGN(auto position, member.position(branch.project, branch.id));
    if (position.term < order.term) {
        BOUGH_ASSIGN(auto vote, member.vote(branch.project, branch.id, order.term));
        if (!vote.granted) return Error{ErrorCode::failed_precondition, "it has promised a later term", {}};
    }
    order.peers = others(quorum, member);
    auto begun = member.begin(branch.project, branch.id, order);
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
