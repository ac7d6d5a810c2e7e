#include "control/storage/quorum.hpp"

#include <algorithm>

#include "election/tip.hpp"

namespace bough::control {

Quorum::Quorum(std::vector<SafekeeperAddress> addresses) {
    for (auto& address : addresses) members_.push_back(std::make_unique<SafekeeperClient>(std::move(address)));
}

std::vector<std::string> Quorum::names() const {
    std::vector<std::string> result;
    for (const auto& member : members_) result.push_back(member->address().name);
    return result;
}

std::vector<std::string> Quorum::wal_sources(const ProjectId& project, const BranchId& branch) const {
    std::vector<const SafekeeperClient*> ordered;
    for (const auto& member : members_) ordered.push_back(member.get());
    if (auto newest = members_.size() > 1 ? newest_logs(project, branch) : Result<Newest>(Newest{})) {
        std::stable_partition(ordered.begin(), ordered.end(), [&](const SafekeeperClient* member) {
            return std::find(newest->members.begin(), newest->members.end(), member) != newest->members.end();
        });
    }
    std::vector<std::string> result;
    for (const auto* member : ordered) {
        result.push_back(member->address().wal + " options='-c bough.project=" + project.str() + " -c bough.branch=" + branch.str() + "'");
    }
    return result;
}

Result<Quorum::Newest> Quorum::newest_logs(const ProjectId& project, const BranchId& branch) const {
    auto answers = ask_all<SafekeeperPosition>([&](SafekeeperClient& client) { return client.position(project, branch); });
    Newest newest;
    std::size_t known = 0;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (!answers[i]) continue;
        ++known;
        if (answers[i]->last_term > newest.term) newest = {answers[i]->last_term, {}};
        if (answers[i]->last_term == newest.term) newest.members.push_back(members_[i].get());
    }
    if (known < majority()) return Error{ErrorCode::unavailable, "no majority of the safekeepers answers", "`bough status` shows which daemons run"};
    return newest;
}

Result<Tip> Quorum::tip(const ProjectId& project, const BranchId& branch) const {
    auto answers = ask_all<SafekeeperPosition>([&](SafekeeperClient& client) { return client.position(project, branch); });
    std::vector<Result<election::Standing>> standings;
    for (const auto& answer : answers)
        standings.push_back(answer ? Result<election::Standing>(answer->standing()) : Result<election::Standing>(answer.error()));
    BOUGH_ASSIGN(auto found, election::find_tip(standings));
    Tip tip{{}, found.committed, found.none};
    if (!tip.none) tip.end = answers[found.member]->end;
    return tip;
}

}  // namespace bough::control
