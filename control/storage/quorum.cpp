#include "control/storage/quorum.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "bough/check.hpp"
#include "election/tip.hpp"

namespace bough::control {
namespace {

std::vector<std::shared_ptr<SafekeeperClient>> clients_of(std::vector<SafekeeperAddress> addresses) {
    std::vector<std::shared_ptr<SafekeeperClient>> clients;
    for (auto& address : addresses) clients.push_back(std::make_shared<SafekeeperClient>(std::move(address)));
    return clients;
}

}  // namespace

Quorum::Quorum(std::vector<std::shared_ptr<SafekeeperClient>> members, Configuration initial)
    : members_(std::move(members)), initial_(std::move(initial)) {
    for (const auto& member : members_) names_.push_back(member->address().name);
    if (initial_.generation == 0) initial_ = {1, names_, {}};
}

Quorum::Quorum(std::vector<SafekeeperAddress> addresses) : Quorum(clients_of(std::move(addresses)), {}) {}

std::size_t Quorum::index_of(const std::string& name) const {
    auto found = std::find(names_.begin(), names_.end(), name);
    BOUGH_CHECK(found != names_.end());
    return static_cast<std::size_t>(found - names_.begin());
}

SafekeeperClient* Quorum::find(const std::string& name) const {
    auto found = std::find(names_.begin(), names_.end(), name);
    return found == names_.end() ? nullptr : members_[static_cast<std::size_t>(found - names_.begin())].get();
}

std::vector<SafekeeperAddress> Quorum::addresses(const std::vector<std::string>& names, const std::string& except) const {
    std::vector<SafekeeperAddress> result;
    for (const auto& name : names)
        if (auto* client = find(name); client != nullptr && name != except) result.push_back(client->address());
    return result;
}

Positions Quorum::positions(const ProjectId& project, const BranchId& branch) const {
    return ask_all<SafekeeperPosition>([&](SafekeeperClient& client) { return client.position(project, branch); });
}

Configuration Quorum::in_force(const Positions& positions) const {
    std::vector<election::Standing> told;
    for (const auto& position : positions)
        if (position) told.push_back(position->standing());
    return election::in_force(told, initial_);
}

std::optional<Configuration> Quorum::surely_in_force(const Positions& positions) const {
    std::set<std::string> there;
    for (std::size_t i = 0; i < positions.size(); ++i)
        if (positions[i]) there.insert(names_[i]);
    auto newest = in_force(positions);
    return is_quorum(newest, there) ? std::optional(std::move(newest)) : std::nullopt;
}

std::vector<std::string> Quorum::wal_sources(const ProjectId& project, const BranchId& branch) const {
    std::vector<const SafekeeperClient*> ordered;
    for (const auto& member : members_) ordered.push_back(member.get());
    if (members_.size() > 1) {
        auto answers = positions(project, branch);
        auto counting = in_force(answers);
        std::erase_if(ordered, [&](const auto* member) { return !is_member(counting, member->address().name); });
        Term newest;
        for (const auto& answer : answers)
            if (answer) newest = std::max(newest, answer->last_term);
        std::stable_partition(ordered.begin(), ordered.end(), [&](const SafekeeperClient* member) {
            const auto& answer = answers[index_of(member->address().name)];
            return answer && answer->last_term == newest;
        });
    }
    std::vector<std::string> result;
    for (const auto* member : ordered) {
        result.push_back(member->address().wal + " options='-c bough.project=" + project.str() + " -c bough.branch=" + branch.str() + "'");
    }
    return result;
}

Result<Quorum::Newest> Quorum::newest_logs(const ProjectId& project, const BranchId& branch) const {
    auto answers = positions(project, branch);
    Newest newest;
    std::set<std::string> known;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (!answers[i]) continue;
        known.insert(names_[i]);
        if (answers[i]->last_term > newest.term) newest = {answers[i]->last_term, {}};
        if (answers[i]->last_term == newest.term) newest.members.push_back(members_[i].get());
    }
    if (!is_quorum(in_force(answers), known))
        return Error{ErrorCode::unavailable, "no majority of the safekeepers answers", "`bough status` shows which daemons run"};
    return newest;
}

bool Quorum::source_lost(const ProjectId& project, const BranchId& branch) const {
    auto answers = positions(project, branch);
    std::set<std::string> lost;
    for (std::size_t i = 0; i < answers.size(); ++i)
        if (answers[i] && answers[i]->source_lost) lost.insert(names_[i]);
    return is_quorum(in_force(answers), lost);
}

Result<Tip> Quorum::tip(const ProjectId& project, const BranchId& branch) const {
    auto answers = positions(project, branch);
    std::vector<Result<election::Standing>> standings;
    for (const auto& answer : answers)
        standings.push_back(answer ? Result<election::Standing>(answer->standing()) : Result<election::Standing>(answer.error()));
    BOUGH_ASSIGN(auto found, election::find_tip(standings, names_, initial_));
    Tip tip{{}, found.committed, found.none};
    if (!tip.none) tip.end = answers[found.member]->end;
    return tip;
}

}  // namespace bough::control
