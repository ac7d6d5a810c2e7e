// Sees to it that the pageserver has a branch's history up to a position.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <utility>

#include "control/catalog/catalog.hpp"
#include "control/storage/pageserver_client.hpp"
#include "control/storage/safekeepers.hpp"

namespace bough::control {

// Thread-safe.
class IngestCatchup {
public:
    IngestCatchup(Catalog& catalog, PageserverClient& pageserver, Safekeepers& safekeepers)
        : catalog_(catalog), pageserver_(pageserver), safekeepers_(safekeepers) {}

    // The branch's pageserver follows its safekeepers (idempotent).
    Result<void> follow(const BranchRow& branch);

    // Waits until the branch's own WAL is ingested up to `lsn`, which is known to be committed; follows it for that if needed,
    // and stops following when its compute is not wanted. timeout when it takes longer.
    Result<void> up_to(const BranchRow& branch, Lsn lsn, std::chrono::milliseconds timeout);

    // Whoever waits gives up within a second: timeout.
    void close() { closed_ = true; }

    // All ancestors have what this branch inherits from them.
    Result<void> ancestors_of(const BranchRow& branch, std::chrono::milliseconds timeout);

    // Tells the safekeepers that `lsn` is committed: they keep that knowledge lazily and may have forgotten. Only those are told
    // whose log is of the newest term: the end of an older one may hold what was never committed.
    void announce_commit(const BranchRow& branch, Lsn lsn);

private:
    using Key = std::pair<ProjectId, BranchId>;
    Result<void> wait(const BranchRow& branch, Lsn lsn, std::chrono::milliseconds timeout);
    void release(const BranchRow& branch);

    std::atomic<bool> closed_ = false;
    std::mutex mutex_;
    std::map<Key, int> waiting_;  // calls of up_to() that rely on a branch being followed; guarded by mutex_

    Catalog& catalog_;
    PageserverClient& pageserver_;
    Safekeepers& safekeepers_;
};

}  // namespace bough::control
