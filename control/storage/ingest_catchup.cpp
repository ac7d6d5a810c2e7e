#include "control/storage/ingest_catchup.hpp"

namespace bough::control {

Result<void> IngestCatchup::follow(const BranchRow& branch) {
    return pageserver_.follow(branch.project, branch.id, quorum_.wal_sources(branch.project, branch.id));
}

void IngestCatchup::announce_commit(const BranchRow& branch, Lsn lsn) {
    quorum_.ask_all<SafekeeperPosition>([&](SafekeeperClient& client) -> Result<SafekeeperPosition> {
        BOUGH_ASSIGN(auto position, client.position(branch.project, branch.id));
        if (position.commit_lsn < lsn) BOUGH_TRY(client.commit(branch.project, branch.id, position.last_term, lsn));
        return position;
    });
}

Result<void> IngestCatchup::up_to(const BranchRow& branch, Lsn lsn, std::chrono::milliseconds timeout) {
    BOUGH_ASSIGN(auto known, pageserver_.branch(branch.project, branch.id));
    if (known.ingest_lsn >= lsn) return {};
    announce_commit(branch, lsn);
    BOUGH_TRY(follow(branch));
    auto waited = pageserver_.wait(branch.project, branch.id, lsn, timeout);
    if (!branch.compute_wanted) BOUGH_TRY(pageserver_.unfollow(branch.project, branch.id));
    return waited;
}

Result<void> IngestCatchup::ancestors_of(const BranchRow& branch, std::chrono::milliseconds timeout) {
    auto child = branch;
    while (child.parent) {
        BOUGH_ASSIGN(auto parent, catalog_.branch(child.project, child.parent->str()));
        BOUGH_TRY(up_to(parent, child.lsn, timeout));
        child = parent;
    }
    return {};
}

}  // namespace bough::control
