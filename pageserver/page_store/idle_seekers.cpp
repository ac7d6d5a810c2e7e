#include "pageserver/page_store/idle_seekers.hpp"

#include <utility>

namespace bough::pageserver {

Seeker IdleSeekers::take(std::uint64_t seals) {
    std::vector<Seeker> stale;  // goes after the lock
    const std::lock_guard lock(mutex_);
    used_ = true;
    if (seekers_.empty()) return {};
    if (seekers_.back().seals != seals) {
        stale.swap(seekers_);
        return {};
    }
    Seeker taken = std::move(seekers_.back());
    seekers_.pop_back();
    return taken;
}

void IdleSeekers::give(Seeker seeker) {
    if (seeker.iterator == nullptr || !seeker.iterator->status().ok()) return;
    const std::lock_guard lock(mutex_);
    if (seeker.changes != changes_ || seekers_.size() >= kSeekersMax) return;
    seekers_.push_back(std::move(seeker));
}

std::uint64_t IdleSeekers::changes() const {
    const std::lock_guard lock(mutex_);
    return changes_;
}

void IdleSeekers::note_change() {
    std::vector<Seeker> stale;
    const std::lock_guard lock(mutex_);
    ++changes_;
    stale.swap(seekers_);
}

void IdleSeekers::drop_unused() {
    std::vector<Seeker> unused;
    const std::lock_guard lock(mutex_);
    if (!std::exchange(used_, false)) unused.swap(seekers_);
}

}  // namespace bough::pageserver
