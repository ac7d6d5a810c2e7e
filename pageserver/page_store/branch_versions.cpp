#include "pageserver/page_store/branch_versions.hpp"

#include <algorithm>
#include <utility>

#include "bough/check.hpp"
#include "pageserver/page_store/object_hash.hpp"

namespace bough::pageserver {

std::shared_ptr<const Layers> BranchVersions::snapshot() const {
    const std::lock_guard lock(mutex_);
    return layers_;
}

void BranchVersions::publish(std::shared_ptr<const Layers> layers) {
    // What it takes the place of is freed, if at all, after the lock was given back.
    const std::lock_guard lock(mutex_);
    layers_.swap(layers);
}

OpenLayer& BranchVersions::open_layer() {
    if (open_ == nullptr) {
        open_ = std::make_shared<OpenLayer>(open_bytes_);
        auto layers = std::make_shared<Layers>();
        if (const auto before = snapshot()) layers->frozen = before->frozen;
        layers->open = open_;
        publish(std::move(layers));
    }
    return *open_;
}

void BranchVersions::replace(const ObjectKey& page, Lsn lsn, std::string_view image) {
    bool first = false;
    open_layer().put(page, hash_object(page), lsn, image, /*is_base=*/true, first);
    BOUGH_CHECK(!first);
}

void BranchVersions::freeze() {
    if (open_ == nullptr) return;
    auto layers = std::make_shared<Layers>();
    layers->frozen.push_back(std::exchange(open_, nullptr));
    const auto before = snapshot();
    layers->frozen.insert(layers->frozen.end(), before->frozen.begin(), before->frozen.end());
    publish(std::move(layers));
}

void BranchVersions::drop_all() {
    dropped_.store(true, std::memory_order_release);
    open_.reset();
    written.reset();
    publish(nullptr);
}

void BranchVersions::forget(const std::vector<std::shared_ptr<const OpenLayer>>& sealed) {
    std::shared_ptr<const Layers> old;
    const std::lock_guard writing(writing_);
    old = snapshot();
    if (old == nullptr) return;
    auto layers = std::make_shared<Layers>();
    layers->open = old->open;
    for (const auto& layer : old->frozen)
        if (std::ranges::find(sealed, layer) == sealed.end()) layers->frozen.push_back(layer);
    if (layers->open == nullptr && layers->frozen.empty()) layers.reset();
    publish(std::move(layers));
}

}  // namespace bough::pageserver
