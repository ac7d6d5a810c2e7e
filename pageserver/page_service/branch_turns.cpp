#include "pageserver/page_service/branch_turns.hpp"

#include <utility>
#include <vector>

#include "pageserver/page_service/connection.hpp"

namespace bough::pageserver {

bool BranchTurns::begin(std::shared_ptr<PageConnection> connection) {
    const std::lock_guard lock(mutex_);
    if (taken_ < at_once_) {
        ++taken_;
        return true;
    }
    waiting_.push_back(std::move(connection));
    waiting_count_.fetch_add(1, std::memory_order_relaxed);
    return false;
}

void BranchTurns::end() {
    std::shared_ptr<PageConnection> next;
    {
        const std::lock_guard lock(mutex_);
        if (waiting_.empty()) {
            --taken_;
            return;
        }
        next = std::move(waiting_.front());
        waiting_.pop_front();
    }
    waiting_count_.fetch_sub(1, std::memory_order_relaxed);
    next->resume();
}

void BranchTurns::clear() {
    std::deque<std::shared_ptr<PageConnection>> forgotten;
    {
        const std::lock_guard lock(mutex_);
        forgotten.swap(waiting_);
    }
    waiting_count_.fetch_sub(forgotten.size(), std::memory_order_relaxed);
}

std::shared_ptr<BranchTurns> TurnsOfBranches::of(const Branch& branch) {
    const std::lock_guard lock(mutex_);
    auto& known = turns_[&branch];
    if (auto turns = known.lock()) return turns;
    const std::shared_ptr<BranchTurns> turns(new BranchTurns(at_once_, waiting_count_),
                                             [this, key = &branch](BranchTurns* ended) {
                                                 delete ended;
                                                 forget(key);
                                             });
    known = turns;
    return turns;
}

void TurnsOfBranches::forget(const Branch* branch) {
    const std::lock_guard lock(mutex_);
    const auto found = turns_.find(branch);
    if (found != turns_.end() && found->second.expired()) turns_.erase(found);
}

void TurnsOfBranches::clear() {
    std::vector<std::shared_ptr<BranchTurns>> all;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [branch, turns] : turns_)
            if (auto held = turns.lock()) all.push_back(std::move(held));
    }
    for (const auto& turns : all) turns->clear();
}

}  // namespace bough::pageserver
