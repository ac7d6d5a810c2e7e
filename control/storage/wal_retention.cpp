#include "control/storage/wal_retention.hpp"

#include <spdlog/spdlog.h>

namespace bough::control {
namespace {

constexpr auto kInterval = std::chrono::seconds(5);

}  // namespace

WalRetention::WalRetention(Catalog& catalog, PageserverClient& pageserver, Safekeepers& safekeepers)
    : catalog_(catalog), pageserver_(pageserver), safekeepers_(safekeepers), thread_([this](const std::stop_token& stop) { run(stop); }) {}

void WalRetention::run(const std::stop_token& stop) {
    for (const auto& branch : catalog_.branches()) told_.try_emplace({branch.project, branch.id});
    while (!stop.stop_requested()) {
        round();
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, stop, kInterval, [] { return false; });
        for (const auto& key : std::exchange(new_, {})) told_.try_emplace(key);
    }
}

void WalRetention::watch(const BranchRow& branch) {
    std::lock_guard lock(mutex_);
    new_.insert({branch.project, branch.id});
}

void WalRetention::round() {
    away_.clear();
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
