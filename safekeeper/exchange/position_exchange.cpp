#include "safekeeper/exchange/position_exchange.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "base/thread_name.hpp"
#include "safekeeper/branch/branch_set.hpp"

namespace bough::safekeeper::exchange {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Changes are collected for so long where there are readers: the first after a pause shortly, longer and longer while they keep coming.
// Who waits for a certain commit to be read is not served by this: control tells all safekeepers of it (POST .../commit).
constexpr std::chrono::milliseconds kGatherMin = 8ms;
constexpr std::chrono::milliseconds kGatherMax = 128ms;
// And where there are none.
constexpr std::chrono::milliseconds kGatherAtLeisure = 200ms;
constexpr auto kTimeout = 2s;
constexpr auto kRetryMin = 50ms;
constexpr auto kRetryMax = 2000ms;

}  // namespace

PositionExchange::PositionExchange(std::string own_address) : own_address_(std::move(own_address)) {}

PositionExchange::~PositionExchange() { stop(); }

void PositionExchange::start(const BranchSet& branches) {
    std::lock_guard lock(mutex_);
    branches_ = &branches;
}

void PositionExchange::stop() {
    std::map<std::string, std::unique_ptr<Peer>> peers;
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
        peers.swap(peers_);
        for (auto& [address, peer] : peers) peer->wake.notify_all();
    }
    for (auto& [address, peer] : peers) peer->thread.join();
}

void PositionExchange::tell_peers(Branch& branch) {
    if (!branch.has_peers()) return;
    auto wanted = branch.has_readers() ? Branch::Telling::soon : Branch::Telling::at_leisure;
    auto pending = branch.exchange_pending.load();
    do {
        if (pending >= wanted) return;
    } while (!branch.exchange_pending.compare_exchange_weak(pending, wanted));
    auto members = branch.peers();
    std::lock_guard lock(mutex_);
    if (stopping_ || branches_ == nullptr) return;
    for (const auto& member : members) {
        auto& peer = peers_[member.admin];
        if (!peer) {
            peer = std::make_unique<Peer>();
            peer->address = member.admin;
            peer->thread = std::thread([this, &its = *peer] { run(its); });
        }
        bool soon = wanted == Branch::Telling::soon && !peer->soon;
        bool idle = peer->changed.empty();
        peer->changed.insert(branch.name());
        peer->soon |= soon;
        if (idle || soon) peer->wake.notify_one();
    }
    // Nobody would clear it.
    if (members.empty()) branch.exchange_pending = Branch::Telling::nothing;
}

void PositionExchange::run(Peer& peer) {
    name_thread("exchange");
    auto address = net::Address::parse(peer.address);
    if (!address) {
        spdlog::error("peer {}: {}", peer.address, address.error().to_string());
        return;
    }
    http::Client client(*address);
    auto retry = std::chrono::milliseconds(kRetryMin);
    auto ask_again = kGatherAtLeisure;
    auto gather = kGatherMin;
    auto last_told = Clock::time_point{};
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        peer.wake.wait(lock, [&] { return stopping_ || !peer.changed.empty(); });
        peer.wake.wait_for(lock, ask_again, [&] { return stopping_ || peer.soon; });
        if (peer.soon) {
            gather = Clock::now() - last_told < kGatherMax ? std::min(gather * 2, kGatherMax) : kGatherMin;
            peer.wake.wait_for(lock, gather, [&] { return stopping_; });
            ask_again = kGatherMin;
        }
        if (stopping_) return;
        auto names = std::exchange(peer.changed, {});
        peer.soon = false;
        lock.unlock();
        std::set<BranchName> unsettled;
        bool sent = names.empty() || send(client, peer.address, names, unsettled);
        lock.lock();
        if (sent) {
            retry = kRetryMin;
            peer.changed.insert(unsettled.begin(), unsettled.end());
            // The longer they do not settle the less it is worth to ask: a majority may be away.
            ask_again = unsettled.empty() ? kGatherAtLeisure : std::min(ask_again * 2, kGatherAtLeisure);
            last_told = Clock::now();
            continue;
        }
        peer.changed.insert(names.begin(), names.end());
        peer.wake.wait_for(lock, retry, [&] { return stopping_; });
        retry = std::min<std::chrono::milliseconds>(retry * 2, kRetryMax);
    }
}

bool PositionExchange::send(http::Client& client, const std::string& address, const std::set<BranchName>& names,
                            std::set<BranchName>& unsettled) {
    std::vector<PeerPosition> positions;
    for (const auto& name : names) {
        auto branch = branches_->find_branch(name);
        if (!branch) continue;
        // A peer may have left since: one that does not answer would be told for ever.
        auto peers = (*branch)->peers();
        if (std::none_of(peers.begin(), peers.end(), [&](const auto& peer) { return peer.admin == address; })) continue;
        // Before the position is read: a change after that is told once more.
        (*branch)->exchange_pending = Branch::Telling::nothing;
        positions.push_back(told_to_peers(**branch));
    }
    if (positions.empty()) return true;
    auto answered = client.call("POST", "/v1/positions", positions_text(own_address_, positions), kTimeout);
    if (!answered) {
        spdlog::debug("peer {}: {}", address, answered.error().to_string());
        return false;
    }
    auto received = parse_positions(*answered);
    if (!received) {
        spdlog::warn("peer {}: {}", address, received.error().to_string());
        return true;
    }
    for (const auto& position : received->positions) take_report(address, position);
    for (const auto& position : positions) {
        auto branch = branches_->find_branch(position.name);
        if (branch && (*branch)->has_readers() && !(*branch)->all_committed()) unsettled.insert(position.name);
    }
    return true;
}

void PositionExchange::take_report(const std::string& from, const PeerPosition& position) {
    auto branch = branches_->find_branch(position.name);
    if (!branch) return;
    (*branch)->peer_reported({from, position.last_term, position.end, position.generation});
    (*branch)->learn_commit(position.last_term, position.commit_lsn, from);
}

Result<std::string> PositionExchange::answer(const std::string& body) {
    BOUGH_ASSIGN(auto received, parse_positions(body));
    std::vector<PeerPosition> positions;
    for (const auto& position : received.positions) {
        take_report(received.from, position);
        auto branch = branches_->find_branch(position.name);
        if (!branch) continue;
        // The answer tells them: no need to do so again. Taken back before the position is read, so that what changes after it is
        // told anew.
        {
            std::lock_guard lock(mutex_);
            if (auto peer = peers_.find(received.from); peer != peers_.end()) peer->second->changed.erase(position.name);
        }
        (*branch)->exchange_pending = Branch::Telling::nothing;
        positions.push_back(told_to_peers(**branch));
    }
    return positions_text(own_address_, positions);
}

}  // namespace bough::safekeeper::exchange
