// The listening socket of the WAL service, and its sessions.
#pragma once

#include <atomic>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "bough/error.hpp"
#include "net/address.hpp"
#include "safekeeper/receive/stop_signal.hpp"
#include "safekeeper/segment/durable_file.hpp"
#include "safekeeper/serve/wal_source.hpp"

namespace bough::safekeeper::serve {

struct WalListenerOptions {
    net::Address address;
    std::string token;  // asked of clients that come over TCP
    std::size_t sessions_max = 1000;
};

// Listens from start() to destruction, with a thread to accept and one for each client. Garbage gets a dropped connection and a
// line in the log.
class WalListener {
public:
    // failed_precondition: an address that is reachable from elsewhere (the protocol is not encrypted), TCP without a token, or
    // an address that is taken. `catalog` outlives the listener.
    static Result<std::unique_ptr<WalListener>> start(WalListenerOptions options, WalCatalog& catalog);
    // Ends all sessions.
    ~WalListener();
    WalListener(const WalListener&) = delete;
    WalListener& operator=(const WalListener&) = delete;

    std::size_t sessions() const { return session_count_.load(std::memory_order_relaxed); }

private:
    struct Running {
        std::thread thread;
        std::atomic<bool> ended{false};
    };
    WalListener(WalListenerOptions options, WalCatalog& catalog, segment::FileDescriptor socket);
    void accept_sessions();
    void begin_session(segment::FileDescriptor client);
    void run_session(segment::FileDescriptor client);
    void join_ended();

    const WalListenerOptions options_;
    WalCatalog& catalog_;
    segment::FileDescriptor socket_;
    receive::StopSignal stop_;
    std::atomic<std::size_t> session_count_{0};
    std::list<Running> running_;  // of the accepting thread
    std::thread accepting_;
};

}  // namespace bough::safekeeper::serve
