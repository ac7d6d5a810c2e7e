#include "pageserver/page_store/sealer.hpp"

#include <algorithm>
#include <chrono>

namespace bough::pageserver {
namespace {

using namespace std::chrono_literals;

constexpr auto kLookInterval = 100ms;
constexpr auto kPauseAfterFailure = 1s;

}  // namespace

Sealer::Sealer(OpenBytes& open_bytes) : open_bytes_(open_bytes), thread_([this](const std::stop_token& stop) { run(stop); }) {}

Sealer::~Sealer() {
    thread_.request_stop();
    thread_.join();
}

void Sealer::add(Sealed& store) {
    const std::lock_guard lock(mutex_);
    stores_.push_back({&store});
}

void Sealer::remove(Sealed& store) {
    std::unique_lock lock(mutex_);
    std::erase_if(stores_, [&](const Entry& entry) { return entry.store == &store; });
    changed_.wait(lock, [&] { return busy_ != &store; });
}

void Sealer::request(Sealed& store) {
    const std::lock_guard lock(mutex_);
    for (Entry& entry : stores_)
        if (entry.store == &store) entry.requested = true;
    changed_.notify_all();
}

Sealer::Sealed* Sealer::largest() {
    Sealed* found = nullptr;
    std::size_t most = 0;
    for (const Entry& entry : stores_) {
        const std::size_t bytes = entry.store->bytes_in_layers();
        if (bytes <= most) continue;
        most = bytes;
        found = entry.store;
    }
    return found;
}

std::pair<Sealer::Sealed*, bool> Sealer::next(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const auto requested = [&] { return std::ranges::find(stores_, true, &Entry::requested); };
    changed_.wait_for(lock, stop, kLookInterval, [&] { return requested() != stores_.end(); });
    if (stop.stop_requested()) return {};
    // Half is kept for what comes in while the rest is being sealed.
    if (open_bytes_.now() > open_bytes_.max() / 2) {
        busy_ = largest();
        return {busy_, true};
    }
    const auto found = requested();
    if (found == stores_.end()) return {};
    found->requested = false;
    // Fairness: it waits behind the others next time.
    std::rotate(found, found + 1, stores_.end());
    busy_ = stores_.back().store;
    return {busy_, false};
}

void Sealer::finish(const std::stop_token& stop, bool sealed) {
    std::unique_lock lock(mutex_);
    if (!sealed)
        for (Entry& entry : stores_)
            if (entry.store == busy_) entry.requested = true;
    busy_ = nullptr;
    changed_.notify_all();
    // What hindered it, a full disk mostly, lasts.
    if (!sealed) changed_.wait_for(lock, stop, kPauseAfterFailure, [] { return false; });
}

void Sealer::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        const auto [store, all] = next(stop);
        if (store != nullptr) finish(stop, store->seal(all));
    }
}

}  // namespace bough::pageserver
