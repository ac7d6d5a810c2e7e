// The streaming part of a session: from START_REPLICATION until the client has enough.
#pragma once

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "safekeeper/serve/connection.hpp"
#include "safekeeper/serve/wal_source.hpp"

namespace bough::safekeeper::serve {

// Sends WAL from `start` on as it becomes readable. Returns once the client ended the copy; an error ends the session
// (unavailable: the client left, or the service stops; failed_precondition: the branch's term changed).
Result<void> send_wal(Connection& connection, WalSource& source, const ReadOptions& options, Lsn start);

}  // namespace bough::safekeeper::serve
