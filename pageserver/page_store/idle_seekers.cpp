#include "pageserver/page_store/idle_seekers.hpp"

#include <utility>

namespace bough::pageserver {

std::unique_ptr<Seeker> IdleSeekers::take(std::uint64_t seals) {
    if (!used_.load(std::memory_order_relaxed)) used_.store(true, std::memory_order_relaxed);
    for (auto& place : seekers_) {
        if (place.load(std::memory_order_relaxed) == nullptr) continue;
        std::unique_ptr<Seeker> taken(place.exchange(nullptr, std::memory_order_acq_rel));
        if (taken != nullptr && taken->seals == seals && taken->changes == changes()) return taken;
    }
    return nullptr;
}

void IdleSeekers::give(std::unique_ptr<Seeker> seeker) {
    if (seeker == nullptr || closed_ || seeker->changes != changes() || !seeker->iterator->status().ok()) return;
    const std::uint64_t made_at = seeker->changes;
    for (auto& place : seekers_) {
        Seeker* none = nullptr;
        if (place.load(std::memory_order_relaxed) != nullptr || !place.compare_exchange_strong(none, seeker.get(), std::memory_order_acq_rel))
            continue;
        (void)seeker.release();
        // What changed in between may have passed by here before it was put.
        if (changes() != made_at) delete place.exchange(nullptr, std::memory_order_acq_rel);
        return;
    }
}

void IdleSeekers::note_change() {
    changes_.fetch_add(1, std::memory_order_acq_rel);
    for (auto& place : seekers_) delete place.exchange(nullptr, std::memory_order_acq_rel);
}

void IdleSeekers::close() {
    closed_ = true;
    note_change();
}

void IdleSeekers::drop_unused() {
    const bool used = used_.exchange(false, std::memory_order_relaxed);
    for (auto& place : seekers_) {
        std::unique_ptr<Seeker> idle(place.exchange(nullptr, std::memory_order_acq_rel));
        if (used) give(std::move(idle));
    }
}

}  // namespace bough::pageserver
