#include "control/storage/ingest_catchup.hpp"

#include <algorithm>
#include <vector>

#include <spdlog/spdlog.h>

namespace bough::control {

Result<void> IngestCatchup::follow(const BranchRow& branch) {
    BOUGH_ASSIGN(auto quorum, safekeepers_.of(branch.project));
    return pageserver_.follow(branch.project, branch.id, quorum.wal_sources(branch.project, branch.id));
}

void IngestCatchup::announce_commit(const BranchRow& branch, Lsn lsn) {
    auto quorum = safekeepers_.of(branch.project);
    if (!quorum) return;
    auto newest = quorum->newest_logs(branch.project, branch.id);
    if (!newest) return;
    for (auto* member : newest->members) {
        if (auto told = member->commit(branch.project, branch.id, newest->term, lsn); !told)
            spdlog::debug("branch {}: safekeeper {}: {}", branch.id.str(), member->address().name, told.error().message);
    }
}

Result<void> IngestCatchup::up_to(const BranchRow& branch, Lsn lsn, std::chrono::milliseconds timeout) {
    BOUGH_ASSIGN(auto known, pageserver_.branch(branch.project, branch.id));
    if (known.ingest_lsn >= lsn) return {};
    announce_commit(branch, lsn);
    {
        std::lock_guard lock(mutex_);
        ++waiting_[{branch.project, branch.id}];
    }
    auto waited = follow(branch);
    if (waited) waited = wait(branch, lsn, timeout);
    release(branch);
    return waited;
}

Result<void> IngestCatchup::wait(const BranchRow& branch, Lsn lsn, std::chrono::milliseconds timeout) {
    constexpr std::chrono::milliseconds kStep = std::chrono::seconds(1);
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        auto waited = pageserver_.wait(branch.project, branch.id, lsn, std::clamp(left, std::chrono::milliseconds(0), kStep));
        if (waited || waited.error().code != ErrorCode::timeout || left <= kStep || closed_) return waited;
    }
}

// The last one to wait ends the following, unless a compute is wanted by now.
void IngestCatchup::release(const BranchRow& branch) {
    std::lock_guard lock(mutex_);
    auto waiting = waiting_.find({branch.project, branch.id});
    if (--waiting->second > 0) return;
    waiting_.erase(waiting);
    auto row = catalog_.branch(branch.project, branch.id.str());
    if (!row || row->compute_wanted) return;
    if (auto ended = pageserver_.unfollow(branch.project, branch.id); !ended)
        spdlog::warn("branch {}: {}", branch.id.str(), ended.error().message);
}

Result<void> IngestCatchup::ancestors_of(const BranchRow& branch, std::chrono::milliseconds timeout) {
    std::vector<std::pair<BranchRow, Lsn>> chain;  // each ancestor with what its child inherits
    for (auto child = branch; child.parent;) {
        BOUGH_ASSIGN(auto parent, catalog_.branch(child.project, child.parent->str()));
        chain.emplace_back(parent, child.lsn);
        child = parent;
    }
    // From the root on: a branch's own WAL is ingested only once its parent's history is there.
    for (auto ancestor = chain.rbegin(); ancestor != chain.rend(); ++ancestor) BOUGH_TRY(up_to(ancestor->first, ancestor->second, timeout));
    return {};
}

}  // namespace bough::control
