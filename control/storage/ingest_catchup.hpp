// Sees to it that the pageserver has a branch's history up to a position.
#pragma once

#include <chrono>

#include "control/catalog/catalog.hpp"
#include "control/storage/pageserver_client.hpp"
#include "control/storage/quorum.hpp"

namespace bough::control {

// Thread-safe.
class IngestCatchup {
public:
    IngestCatchup(Catalog& catalog, PageserverClient& pageserver, const Quorum& quorum)
        : catalog_(catalog), pageserver_(pageserver), quorum_(quorum) {}

    // The branch's pageserver follows its safekeepers (idempotent).
    Result<void> follow(const BranchRow& branch);

    // Waits until the branch's own WAL is ingested up to `lsn`, which is known to be committed; follows it for that if needed,
    // and stops following when its compute is not wanted. timeout when it takes longer.
    Result<void> up_to(const BranchRow& branch, Lsn lsn, std::chrono::milliseconds timeout);

    // All ancestors have what this branch inherits from them.
    Result<void> ancestors_of(const BranchRow& branch, std::chrono::milliseconds timeout);

    // Tells the safekeepers that `lsn` is committed: they keep that knowledge lazily and may have forgotten.
    void announce_commit(const BranchRow& branch, Lsn lsn);

private:
    Catalog& catalog_;
    PageserverClient& pageserver_;
    const Quorum& quorum_;
};

}  // namespace bough::control
