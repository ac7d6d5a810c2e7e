#include "pageserver/branching/branch.hpp"

#include <algorithm>
#include <vector>

#include "bough/check.hpp"

namespace bough::pageserver {

Branch::Branch(ProjectId project, BranchRow row, std::shared_ptr<const Branch> parent, std::shared_ptr<Store> store,
               LogPosition ingested, bool hint_bits_logged)
    : project_(std::move(project)),
      row_(std::move(row)),
      store_(std::move(store)),
      hint_bits_logged_(hint_bits_logged),
      held_parent_(std::move(parent)),
      parent_(held_parent_.get()),
      start_(row_.start.lsn),
      ingest_lsn_(ingested.lsn.value),
      generation_(parent_ != nullptr ? parent_->generation_ + 1 : 0),
      history_begin_(parent_ != nullptr ? parent_->history_begin() : start_),
      cutoff_(start_.value),
      ingested_(ingested) {
    BOUGH_CHECK(row_.parent.has_value() == (parent_ != nullptr));
    BOUGH_CHECK(ingested.lsn >= row_.start.lsn);
}

std::string Branch::name() const { return project_.str() + "/" + row_.id.str(); }

LogPosition Branch::ingested() const {
    const std::lock_guard lock(mutex_);
    return ingested_;
}

void Branch::publish(LogPosition position) {
    {
        const std::lock_guard lock(mutex_);
        BOUGH_CHECK(position.lsn >= ingested_.lsn);
        ingested_ = position;
        ingest_lsn_.store(position.lsn.value, std::memory_order_release);
    }
    wake(nullptr);
}

void Branch::mark_deleted() {
    deleted_.store(true, std::memory_order_release);
    // Those who wait for it are where it is behind, which may be an ancestor.
    for (const Branch* branch = this; branch != nullptr; branch = branch->parent()) branch->wake(this);
}

std::shared_ptr<const KeptPoints> Branch::kept() const {
    const std::lock_guard lock(mutex_);
    return kept_ != nullptr ? kept_ : std::make_shared<const KeptPoints>(row_.start.lsn, std::vector<Lsn>{});
}

void Branch::publish_kept(std::shared_ptr<const KeptPoints> kept) {
    const std::lock_guard lock(mutex_);
    BOUGH_CHECK(kept->cutoff() >= cutoff());
    cutoff_.store(kept->cutoff().value, std::memory_order_release);
    kept_ = std::move(kept);
}

void Branch::wake(const Branch* deleted) const {
    std::vector<std::function<void()>> due;
    {
        const std::lock_guard lock(mutex_);
        for (auto at = waiters_.begin(); at != waiters_.end();) {
            if (at->second.lsn <= ingested_.lsn || at->second.reader == deleted) {
                due.push_back(std::move(at->second.callback));
                at = waiters_.erase(at);
            } else {
                ++at;
            }
        }
    }
    advanced_.notify_all();
    for (const auto& callback : due) callback();
}

std::pair<const Branch*, Lsn> Branch::first_behind(Lsn lsn) const {
    if (ingest_lsn() < lsn) return {this, lsn};
    if (ancestors_complete_.load(std::memory_order_acquire)) return {nullptr, Lsn{}};
    bool complete = true;
    Lsn needed = lsn;
    for (const Branch* branch = this; branch->parent() != nullptr; branch = branch->parent()) {
        const Lsn start = branch->start_;
        complete = complete && branch->parent()->ingest_lsn() >= start;
        needed = std::min(needed, start);
        if (branch->parent()->ingest_lsn() < needed) return {branch->parent(), needed};
    }
    if (complete) ancestors_complete_.store(true, std::memory_order_release);
    return {nullptr, Lsn{}};
}

const AncestorSkip* Branch::ancestor_skip() const {
    if (generation_ % AncestorSkip::kReaches.front() != 0 || generation_ == 0) return nullptr;
    for (std::size_t level = AncestorSkip::kReaches.size(); level > 0; --level)
        if (generation_ % AncestorSkip::kReaches[level - 1] == 0)
            if (const AncestorSkip* skip = ancestor_skip(level - 1)) return skip;
    return nullptr;
}

const AncestorSkip* Branch::ancestor_skip(std::size_t level) const {
    if (const AncestorSkip* skip = ancestor_skips_[level].load(std::memory_order_acquire)) return skip;
    auto skip = AncestorSkip::make(*this, AncestorSkip::kReaches[level]);
    if (skip == nullptr) return nullptr;
    const std::lock_guard lock(mutex_);
    auto& owned = owned_ancestor_skips_[level];
    if (owned == nullptr) owned = std::move(skip);
    ancestor_skips_[level].store(owned.get(), std::memory_order_release);
    return owned.get();
}

bool Branch::readable_at(Lsn lsn) const { return first_behind(lsn).first == nullptr; }

Result<void> Branch::wait_readable(Lsn lsn, std::chrono::steady_clock::time_point deadline) const {
    while (true) {
        const auto [behind, needed] = first_behind(lsn);
        if (deleted()) return Error{ErrorCode::not_found, "branch \"" + row_.id.str() + "\" was deleted", {}};
        if (behind == nullptr) return {};
        std::unique_lock lock(behind->mutex_);
        const bool reached = behind->advanced_.wait_until(
            lock, deadline, [&, behind = behind, needed = needed] { return behind->ingested_.lsn >= needed || deleted(); });
        if (!reached)
            return Error{ErrorCode::timeout,
                         "branch \"" + behind->row_.id.str() + "\" has been ingested up to " + behind->ingested_.lsn.to_string() +
                             " only, not up to " + needed.to_string(),
                         {}};
    }
}

std::optional<Branch::Ticket> Branch::when_readable(Lsn lsn, std::function<void()> callback) const {
    while (true) {
        const auto [behind, needed] = first_behind(lsn);
        if (behind == nullptr || deleted()) return std::nullopt;
        const std::lock_guard lock(behind->mutex_);
        if (behind->ingested_.lsn >= needed || deleted()) continue;
        const std::uint64_t ticket = behind->next_ticket_++;
        behind->waiters_.emplace(ticket, Waiter{needed, this, std::move(callback)});
        return Ticket{behind, ticket};
    }
}

void Branch::cancel(const Ticket& ticket) {
    const std::lock_guard lock(ticket.first->mutex_);
    ticket.first->waiters_.erase(ticket.second);
}

}  // namespace bough::pageserver
