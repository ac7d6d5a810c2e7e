#include "pageserver/page_store/sealer.hpp"

#include <algorithm>
#include <chrono>

namespace bough::pageserver {
namespace {

using namespace std::chrono_literals;

constexpr auto kLookInterval = 100ms;
constexpr std::chrono::nanoseconds kPauseAfterFailure = 1s;
constexpr std::chrono::nanoseconds kPauseWhenLater = 20ms;

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

Sealer::Sealed* Sealer::in_the_way(Clock::time_point now) const {
    Sealed* largest = nullptr;
    std::size_t most = 0;
    std::size_t held_back = 0;  // by stores that cannot be sealed now
    for (const Entry& entry : stores_) {
        const std::size_t bytes = entry.store->bytes_in_layers();
        if (entry.not_before > now) held_back += bytes;
        if (entry.not_before > now || bytes <= most) continue;
        most = bytes;
        largest = entry.store;
    }
    // Half is kept for what comes in while the rest is being sealed.
    const std::size_t room = open_bytes_.max() - std::min(open_bytes_.max(), held_back);
    const std::size_t open = open_bytes_.now();
    return open > held_back && open - held_back > room / 2 ? largest : nullptr;
}

std::pair<Sealer::Sealed*, bool> Sealer::next(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const auto requested = [&] {
        return std::ranges::find_if(stores_, [now = Clock::now()](const Entry& e) { return e.requested && e.not_before <= now; });
    };
    changed_.wait_for(lock, stop, kLookInterval, [&] { return requested() != stores_.end(); });
    if (stop.stop_requested()) return {};
    if (open_bytes_.now() > open_bytes_.max() / 2) {
        busy_ = in_the_way(Clock::now());
        if (busy_ != nullptr) return {busy_, true};
    }
    const auto found = requested();
    if (found == stores_.end()) return {};
    found->requested = false;
    // Fairness: it waits behind the others next time.
    std::rotate(found, found + 1, stores_.end());
    busy_ = stores_.back().store;
    return {busy_, false};
}

void Sealer::finish(Outcome outcome) {
    const std::lock_guard lock(mutex_);
    for (Entry& entry : stores_) {
        if (entry.store != busy_ || outcome == Outcome::done) continue;
        entry.requested = true;
        // What made it fail, a full disk mostly, lasts.
        entry.not_before = Clock::now() + (outcome == Outcome::failed ? kPauseAfterFailure : kPauseWhenLater);
    }
    busy_ = nullptr;
    changed_.notify_all();
}

void Sealer::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        const auto [store, all] = next(stop);
        if (store != nullptr) finish(store->seal(all));
    }
}

}  // namespace bough::pageserver
