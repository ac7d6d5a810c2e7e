// Safekeepers tell one another how far their logs go, so that each learns what is committed. One thread per peer; a message holds
// all branches that changed since the last, its answer what the peer has of them; nothing is sent while nothing changes.
//
// A message and its answer cost several wake-ups, as much as a commit does. So only who is read from asks often: soon after the first
// change, in longer and longer steps while WAL keeps coming in, and until it knows all of it committed. The others, for whom nobody waits,
// tell at leisure.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "bough/error.hpp"
#include "http/client.hpp"
#include "safekeeper/branch/branch.hpp"
#include "safekeeper/exchange/position_json.hpp"

namespace bough::safekeeper {
class BranchSet;
}

namespace bough::safekeeper::exchange {

// Thread-safe.
class PositionExchange {
public:
    // `own_address`: what peers call this safekeeper.
    explicit PositionExchange(std::string own_address);
    ~PositionExchange();
    PositionExchange(const PositionExchange&) = delete;
    PositionExchange& operator=(const PositionExchange&) = delete;

    // Before anything is told. `branches` outlives the telling: stop() comes before its end.
    void start(const BranchSet& branches);
    void stop();

    // The branch's position changed: its peers will hear. Costs an atomic exchange when they are about to anyway.
    void tell_peers(Branch& branch);

    // What a peer sent (POST /v1/positions), and our answer to it.
    Result<std::string> answer(const std::string& body);

private:
    struct Peer {
        std::string address;
        std::set<BranchName> changed;
        bool soon = false;  // somebody waits for what it will answer
        std::condition_variable wake;
        std::thread thread;
    };
    void run(Peer& peer);
    // False when the peer could not be told. `unsettled`: those that somebody waits for still.
    bool send(http::Client& client, const std::string& address, const std::set<BranchName>& names,
              std::set<BranchName>& unsettled);
    void take_report(const std::string& from, const PeerPosition& position);

    const std::string own_address_;
    const BranchSet* branches_ = nullptr;
    std::mutex mutex_;
    bool stopping_ = false;
    std::map<std::string, std::unique_ptr<Peer>> peers_;
};

}  // namespace bough::safekeeper::exchange
