#include "control/storage/wal_retention.hpp"

#include <spdlog/spdlog.h>

namespace bough::control {
namespace {

constexpr auto kInterval = std::chrono::seconds(5);

}  // namespace

WalRetention::WalRetention(Catalog& catalog, PageserverClient& pageserver, Safekeepers& safekeepers)
    : catalog_(catalog), pageserver_(pageserver), safekeepers_(safekeepers), thread_([this](const std::stop_token& stop) { run(stop); }) {}

void WalRetention::run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
        round();
        wake_.wait_for(lock, stop, kInterval, [] { return false; });
    }
}

void WalRetention::round() {
    away_.clear();
    for (const auto& branch : catalog_.branches())
        if (branch.compute_wanted && branch.state == RowState::ready) told_.try_emplace({branch.project, branch.id});
    for (auto entry = told_.begin(); entry != told_.end();) {
        auto branch = catalog_.branch(entry->first.first, entry->first.second.str());
        bool settled = !branch || branch->state != RowState::ready || tell(*branch, entry->second);
        entry = settled ? told_.erase(entry) : std::next(entry);
    }
}

bool WalRetention::tell(const BranchRow& branch, Told& told) {
    auto known = pageserver_.branch(branch.project, branch.id);
    if (!known) return known.error().code == ErrorCode::not_found;
    auto quorum = safekeepers_.of(branch.project);
    if (!quorum) return false;
    bool all = true;
    for (const auto& member : quorum->members()) {
        const auto& name = member->address().name;
        auto& last = told.durable[name];
        if (last >= known->durable_lsn) continue;
        if (away_.contains(name)) {
            all = false;
            continue;
        }
        auto heard = member->durable(branch.project, branch.id, known->durable_lsn);
        if (heard || heard.error().code == ErrorCode::not_found) {
            last = known->durable_lsn;
            continue;
        }
        all = false;
        away_.insert(name);
        spdlog::debug("branch {}: safekeeper {}: {}", branch.id.str(), name, heard.error().message);
    }
    return all && !branch.compute_wanted && known->durable_lsn >= known->ingest_lsn;
}

}  // namespace bough::control
