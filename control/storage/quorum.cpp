#include "control/storage/quorum.hpp"

#include <algorithm>

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
    std::vector<SafekeeperPosition> positions;
    std::size_t without = 0;
    std::string failure;
    for (const auto& answer : answers) {
        if (answer) positions.push_back(*answer);
        else if (answer.error().code == ErrorCode::not_found) ++without;
        else failure = answer.error().message;
    }
    if (positions.size() + without < majority()) {
        return Error{ErrorCode::unavailable, "no majority of the safekeepers answers: " + failure,
                     "`bough status` shows which daemons run"};
    }
    // What fewer than a majority keep has no acknowledged commit only if all could be asked; a branch is made on all of them
    // before its first compute starts, so a majority without it means that none ever did.
    if (without >= majority()) return Tip{{}, true, true};

    // Among logs, the one of the later term is the more advanced whatever its length.
    std::sort(positions.begin(), positions.end(), [](const auto& a, const auto& b) {
        return std::pair(a.last_term, a.end.lsn) > std::pair(b.last_term, b.end.lsn);
    });
    Tip tip;
    if (positions.size() == members_.size() && positions[majority() - 1].last_term == positions.front().last_term) {
        tip.end = positions[majority() - 1].end;  // a majority has it, and every acknowledged commit is on a majority
        tip.committed = true;
    } else {
        tip.end = positions.front().end;  // an acknowledged commit is on at least one of any majority
        tip.committed = positions.front().commit_lsn >= tip.end.lsn;
    }
    return tip;
}

}  // namespace bough::control
