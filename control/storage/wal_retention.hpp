// Tells safekeepers what of a branch's WAL the pageserver has durably, so that they may drop it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "control/catalog/catalog.hpp"
#include "control/storage/pageserver_client.hpp"
#include "control/storage/safekeepers.hpp"

namespace bough::control {

// Runs on a thread of its own from construction to destruction. Looks after the branches that it watches, each until its compute is
// stopped, all that it wrote is durable and every safekeeper knows; idle branches cost nothing. It watches all that there are at
// construction, then those it is told of. A durable LSN never falls, so what is told late or twice does no harm.
class WalRetention {
public:
    // What is referred to outlives this.
    WalRetention(Catalog& catalog, PageserverClient& pageserver, Safekeepers& safekeepers);

    // A compute of the branch is going to write; its row already says that one is wanted. Any thread.
    void watch(const BranchRow& branch);

private:
    using Key = std::pair<ProjectId, BranchId>;
    struct Told {
        std::map<std::string, Lsn> durable;  // by safekeeper
    };
    void run(const std::stop_token& stop);
    void round();
    // True when there is nothing left to tell.
    bool tell(const BranchRow& branch, Told& told);

    Catalog& catalog_;
    PageserverClient& pageserver_;
    Safekeepers& safekeepers_;
    std::map<Key, Told> told_;    // what is watched; of the thread
    std::set<std::string> away_;  // safekeepers; of the thread, in this round
    std::mutex mutex_;
    std::set<Key> new_;           // to be watched from the next round on; under mutex_
    std::condition_variable_any wake_;
    std::jthread thread_;  // last: it uses all of the above
};

}  // namespace bough::control
