// A client of a WAL service: Postgres's physical replication protocol, over libpq. docs/protocols/wal_service.md
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "pageserver/ingest/stop_signal.hpp"

namespace bough::pageserver {

// One connection, used by one thread. A raised stop signal makes waits return early.
class ReplicationClient {
public:
    // Errors: unavailable, with what the server or the network said. `stop` must outlive the client.
    static Result<std::unique_ptr<ReplicationClient>> connect(const std::string& conninfo, const StopSignal& stop);
    ~ReplicationClient();
    ReplicationClient(const ReplicationClient&) = delete;
    ReplicationClient& operator=(const ReplicationClient&) = delete;

    Result<void> start_replication(Lsn begin);

    struct Message {
        Lsn begin;                        // of `wal`
        std::span<const std::byte> wal;   // empty in a keepalive; valid until the next call
        Lsn server_end;                   // how far the server has WAL to send
        bool reply_requested = false;
    };
    // The next message; nullopt when the time was over (0: only what is there already) or the stop signal was raised. An error
    // ends the connection: corrupt for a message that breaks the protocol, else unavailable.
    Result<std::optional<Message>> next(std::chrono::milliseconds timeout);

    // Standby status update.
    Result<void> send_status(Lsn written, Lsn flushed, Lsn applied);

private:
    struct Impl;
    explicit ReplicationClient(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace bough::pageserver
