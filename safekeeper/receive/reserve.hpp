// A branch's reserve: those of its safekeepers that are not needed for a majority while the others keep up. Every one of them receives
// all WAL all the same; a reserve only takes it in larger steps, which on one machine leaves CPU and disk to those that a commit
// waits for.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "bough/ids.hpp"
#include "bough/lsn.hpp"
#include "safekeeper/consensus/state.hpp"

namespace bough::safekeeper::receive {

// Whether the safekeeper that its peers call `own` is of the reserve of that branch. All members come to the same answer; over many
// branches each of them has its share.
bool is_reserve(const BranchId& branch, const std::string& own, const std::vector<consensus::Peer>& peers);

// How long a reserve lets WAL gather. No I/O, no clock; used by one thread.
class ReservePace {
public:
    using Clock = std::chrono::steady_clock;

    // `step`: how long at most; 0: never.
    explicit ReservePace(std::chrono::milliseconds step) : step_(step) {}

    bool active() const { return step_.count() > 0; }
    // After `bytes` were made durable and acknowledged, up to `flush`; `kept_by_others`: what a majority without us is known to
    // have. Nothing while that does not keep up, so that one that is gone, or slow, is stood in for; nothing in a bulk load either.
    std::chrono::milliseconds after_batch(Lsn flush, Lsn kept_by_others, std::size_t bytes, Clock::time_point now);

private:
    const std::chrono::milliseconds step_;
    bool others_keep_up_ = false;
    Lsn mark_;  // our flush position at mark_time_: the others have to have it a while later
    Clock::time_point mark_time_{};
};

}  // namespace bough::safekeeper::receive
