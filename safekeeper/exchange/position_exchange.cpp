#include "safekeeper/exchange/position_exchange.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "safekeeper/branch/branch_set.hpp"

namespace bough::safekeeper::exchange {
namespace {

using namespace std::chrono_literals;

constexpr auto kGather = 8ms;  // changes are collected for so long: what is committed is known that much later at most
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
    if (!branch.has_peers() || branch.exchange_pending.exchange(true)) return;
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
        bool idle = peer->changed.empty();
        peer->changed.insert(branch.name());
        if (idle) peer->wake.notify_one();
    }
    // Nobody would clear it.
    if (members.empty()) branch.exchange_pending = false;
}

void PositionExchange::run(Peer& peer) {
    auto address = net::Address::parse(peer.address);
    if (!address) {
        spdlog::error("peer {}: {}", peer.address, address.error().to_string());
        return;
    }
    http::Client client(*address);
    auto retry = std::chrono::milliseconds(kRetryMin);
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        peer.wake.wait(lock, [&] { return stopping_ || !peer.changed.empty(); });
        peer.wake.wait_for(lock, kGather, [&] { return stopping_; });
        if (stopping_) return;
        auto names = std::exchange(peer.changed, {});
        lock.unlock();
        bool sent = names.empty() || send(client, peer.address, names);
        lock.lock();
        if (sent) {
            retry = kRetryMin;
            continue;
        }
        peer.changed.insert(names.begin(), names.end());
        peer.wake.wait_for(lock, retry, [&] { return stopping_; });
        retry = std::min<std::chrono::milliseconds>(retry * 2, kRetryMax);
    }
}

// False when the peer could not be told.
bool PositionExchange::send(http::Client& client, const std::string& address, const std::set<BranchName>& names) {
    std::vector<PeerPosition> positions;
    for (const auto& name : names) {
        auto branch = branches_->find_branch(name);
        if (!branch) continue;
        // Before the position is read: a change after that is told once more.
        (*branch)->exchange_pending = false;
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
    return true;
}

void PositionExchange::take_report(const std::string& from, const PeerPosition& position) {
    auto branch = branches_->find_branch(position.name);
    if (!branch) return;
    (*branch)->peer_reported(from, position.last_term, position.end);
    (*branch)->learn_commit(position.last_term, position.commit_lsn);
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
        (*branch)->exchange_pending = false;
        positions.push_back(told_to_peers(**branch));
    }
    return positions_text(own_address_, positions);
}

}  // namespace bough::safekeeper::exchange
