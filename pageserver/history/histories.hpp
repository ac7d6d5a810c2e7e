// What a project's branches need of their own histories: what compactions drop versions by.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "pageserver/history/fork_reach.hpp"
#include "pageserver/history/kept_points.hpp"
#include "pageserver/page_store/version_key.hpp"

namespace bough::pageserver {

struct BranchHistory {
    std::shared_ptr<const KeptPoints> kept;
    std::shared_ptr<const ForkReach> reach;  // nullptr: not known
};

// Of a branch that is not in it, everything is kept.
//
// A view may be acted on long after it was taken: cutoffs only rise, and a point is only ever added where the cutoff of that
// moment, or a point of that moment, keeps history. What a view says is not needed will not be needed later.
using HistoryView = std::map<BranchNumber, BranchHistory>;

// Thread-safe. What is set here must be durable already, or follow from what is. Its lock is held for moments only, so that
// RocksDB's threads may take views.
class Histories {
public:
    void set_kept(BranchNumber branch, std::shared_ptr<const KeptPoints> kept) {
        const std::lock_guard lock(mutex_);
        view_[branch].kept = std::move(kept);
    }
    // Of a branch that has kept points; nullptr forgets.
    void set_reach(BranchNumber branch, std::shared_ptr<const ForkReach> reach) {
        const std::lock_guard lock(mutex_);
        if (const auto found = view_.find(branch); found != view_.end()) found->second.reach = std::move(reach);
    }
    void erase(BranchNumber branch) {
        const std::lock_guard lock(mutex_);
        view_.erase(branch);
    }
    std::shared_ptr<const HistoryView> view() const {
        const std::lock_guard lock(mutex_);
        return std::make_shared<const HistoryView>(view_);
    }

private:
    mutable std::mutex mutex_;
    HistoryView view_;  // under mutex_
};

}  // namespace bough::pageserver
