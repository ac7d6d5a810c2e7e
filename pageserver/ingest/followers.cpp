#include "pageserver/ingest/followers.hpp"

namespace bough::pageserver {

Followers::~Followers() {
    const std::lock_guard lock(mutex_);
    for (const auto& [branch, follower] : followers_) follower->request_stop();
    followers_.clear();
}

Result<void> Followers::follow(const std::shared_ptr<Branch>& branch, SystemId system_id, std::vector<std::string> safekeepers) {
    if (safekeepers.empty())
        return Error{ErrorCode::invalid_argument, "no safekeeper to follow the branch from", {}};
    const std::lock_guard changing(changing_);
    if (branch->deleted())
        return Error{ErrorCode::not_found, "branch \"" + branch->row().id.str() + "\" was deleted", {}};
    std::unique_ptr<WalFollower> old;
    {
        const std::lock_guard lock(mutex_);
        const auto found = followers_.find(branch.get());
        if (found != followers_.end()) {
            if (found->second->safekeepers() == safekeepers && found->second->status().running) return {};
            old = std::move(found->second);
            followers_.erase(found);
        }
    }
    old.reset();  // there must never be two
    pg::WalGeometry geometry;
    geometry.system_id = system_id;
    auto follower = std::make_unique<WalFollower>(branch, reader_, hot_pages_, geometry, std::move(safekeepers));
    const std::lock_guard lock(mutex_);
    followers_.emplace(branch.get(), std::move(follower));
    return {};
}

void Followers::unfollow(const Branch& branch) {
    const std::lock_guard changing(changing_);
    std::unique_ptr<WalFollower> old;
    {
        const std::lock_guard lock(mutex_);
        const auto found = followers_.find(&branch);
        if (found == followers_.end()) return;
        old = std::move(found->second);
        followers_.erase(found);
    }
    old.reset();
}

std::optional<WalFollower::Status> Followers::status(const Branch& branch) const {
    const std::lock_guard lock(mutex_);
    const auto found = followers_.find(&branch);
    if (found == followers_.end()) return std::nullopt;
    return found->second->status();
}

std::vector<Followers::Entry> Followers::all() const {
    const std::lock_guard lock(mutex_);
    std::vector<Entry> entries;
    for (const auto& [branch, follower] : followers_) entries.push_back({follower->branch(), follower->status()});
    return entries;
}

}  // namespace bough::pageserver
