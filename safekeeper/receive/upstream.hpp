// A connection to a Postgres walsender, or to a WAL service of another safekeeper: physical replication over libpq.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "bough/lsn.hpp"
#include "safekeeper/receive/stop_signal.hpp"

struct pg_conn;
struct pg_result;

namespace bough::safekeeper::receive {

struct UpstreamOptions {
    std::string conninfo;
    std::string application_name;  // what synchronous_standby_names calls us
    std::string options;           // added to the startup options: "-c name=value ..."
};

// Who answers, as IDENTIFY_SYSTEM says.
struct Identity {
    SystemId system_id;
    std::uint32_t timeline = 0;
    Lsn end;
};

struct Incoming {
    enum class Kind { wal, keepalive };
    Kind kind = Kind::wal;
    Lsn at;                            // wal: of its first byte
    std::span<const std::byte> bytes;  // wal: valid until the next call of receive()
    bool reply_requested = false;
};

// Used by one thread. Every wait ends early, with ErrorCode::unavailable, when `stop` is raised.
class Upstream {
public:
    static Result<Upstream> connect(const UpstreamOptions& options, const StopSignal& stop);
    ~Upstream();
    Upstream(Upstream&&) noexcept;
    Upstream& operator=(Upstream&&) noexcept;

    Result<Identity> identify();
    // The setting's value; nothing when the server does not know it.
    Result<std::optional<std::string>> show(const std::string& setting);
    // Makes sure that no other connection counts as this standby: Postgres counts walsenders, not names, so one that lingers after a
    // reconnect would let a single safekeeper pass for two. unavailable: an older one of ours is still there.
    Result<void> take_name(const std::string& name);
    // From here on there is only receive(), reply() and wait(). out_of_range: the server no
    // longer has that WAL.
    Result<void> start_replication(Lsn from);

    // The next message, or nothing when none has arrived. unavailable: the server has ended the
    // stream; out_of_range as above.
    Result<std::optional<Incoming>> receive();
    // Reports what is durable here.
    Result<void> reply(Lsn flush, bool request_answer);
    // Until something can be received, `timeout` is over, or stop.
    Result<void> wait(std::chrono::milliseconds timeout);

private:
    struct Close {
        void operator()(pg_conn* connection) const;
        void operator()(pg_result* result) const;
    };
    using ResultPointer = std::unique_ptr<pg_result, Close>;

    Upstream(pg_conn* connection, const StopSignal& stop) : connection_(connection), stop_(&stop) {}
    Result<void> finish_connecting();
    Result<void> wait_for(short events, std::chrono::steady_clock::time_point deadline);
    Result<ResultPointer> execute(const std::string& command);
    Error connection_error(const std::string& what) const;
    void free_message();
    Result<void> flush_output();

    std::unique_ptr<pg_conn, Close> connection_;
    const StopSignal* stop_;
    char* message_ = nullptr;   // libpq's, of the last receive()
    bool output_left_ = false;  // the socket took only a part of the last reply
};

}  // namespace bough::safekeeper::receive
