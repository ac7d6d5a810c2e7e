#include "safekeeper/receive/reserve.hpp"

#include <algorithm>
#include <span>
#include <tuple>

#include "base/crc32c.hpp"

namespace bough::safekeeper::receive {
namespace {

using namespace std::chrono_literals;

// Longer than safekeepers take to hear of one another at leisure.
constexpr auto kMarkInterval = 500ms;
// More than that in one batch is no stream of small commits.
constexpr std::size_t kSmallBatchBytes = 128 << 10;

}  // namespace

bool is_reserve(const BranchId& branch, const std::string& own, const std::vector<consensus::Peer>& peers) {
    auto place = [&](const std::string& member) {
        auto text = branch.str() + ' ' + member;
        return std::make_tuple(crc32c(std::as_bytes(std::span(text))), member);
    };
    auto before_us = std::count_if(peers.begin(), peers.end(), [&](const auto& peer) { return place(peer.admin) < place(own); });
    auto majority = (peers.size() + 1) / 2 + 1;
    return static_cast<std::size_t>(before_us) >= majority;
}

std::chrono::milliseconds ReservePace::after_batch(Lsn flush, Lsn kept_by_others, std::size_t bytes, Clock::time_point now) {
    if (now - mark_time_ >= kMarkInterval) {
        others_keep_up_ = mark_.valid() && kept_by_others >= mark_;
        mark_ = flush;
        mark_time_ = now;
    }
    return others_keep_up_ && bytes < kSmallBatchBytes ? step_ : 0ms;
}

}  // namespace bough::safekeeper::receive
