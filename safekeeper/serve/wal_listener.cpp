#include "safekeeper/serve/wal_listener.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include <spdlog/spdlog.h>

#include "base/thread_name.hpp"
#include "pgwire/reply.hpp"
#include "safekeeper/serve/session.hpp"

namespace bough::safekeeper::serve {

Result<std::unique_ptr<WalListener>> WalListener::start(WalListenerOptions options, WalCatalog& catalog) {
    if (!options.address.is_loopback())
        return Error{ErrorCode::failed_precondition, "refusing to serve WAL on " + options.address.to_string() + ": it is not encrypted",
                     "listen on a Unix socket or on 127.0.0.1"};
    if (!options.address.is_unix() && options.token.empty())
        return Error{ErrorCode::failed_precondition, "refusing to serve WAL over TCP without a token", "give --token-file"};
    if (options.address.is_unix()) options.token.clear();  // the file's mode admits its owner alone
    BOUGH_ASSIGN(int fd, net::listen(options.address));
    return std::unique_ptr<WalListener>(new WalListener(std::move(options), catalog, segment::FileDescriptor{fd}));
}

WalListener::WalListener(WalListenerOptions options, WalCatalog& catalog, segment::FileDescriptor socket)
    : options_(std::move(options)), catalog_(catalog), socket_(std::move(socket)), accepting_([this] { accept_sessions(); }) {}

WalListener::~WalListener() {
    stop_.raise();
    accepting_.join();
    for (auto& running : running_) running.thread.join();
    if (options_.address.is_unix()) ::unlink(options_.address.unix_path.c_str());
}

void WalListener::accept_sessions() {
    for (;;) {
        pollfd watched[] = {{socket_.get(), POLLIN, 0}, {stop_.descriptor(), POLLIN, 0}};
        ::poll(watched, 2, 1000);
        if (watched[1].revents != 0) return;
        join_ended();
        if (watched[0].revents == 0) continue;
        segment::FileDescriptor client{::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
        if (!client) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
                spdlog::error("WAL service: could not accept a connection: {}", std::strerror(errno));
                ::poll(&watched[1], 1, 100);  // until some session gives its descriptor back
            }
            continue;
        }
        begin_session(std::move(client));
    }
}

void WalListener::begin_session(segment::FileDescriptor client) {
    if (session_count_ >= options_.sessions_max) {
        std::string out;
        pgwire::append_error(out, {.severity = "FATAL", .sqlstate = "53300", .message = "too many clients of the WAL service already"});
        (void)::send(client.get(), out.data(), out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        spdlog::warn("WAL service: refused a client beyond the {} allowed", options_.sessions_max);
        return;
    }
    int one = 1;
    if (!options_.address.is_unix()) ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    ++session_count_;
    auto& running = running_.emplace_back();
    try {
        running.thread = std::thread([this, &running, fd = client.get()] {
            run_session(segment::FileDescriptor{fd});
            --session_count_;
            running.ended = true;
        });
        (void)client.release();
    } catch (const std::system_error& error) {
        running_.pop_back();
        --session_count_;
        spdlog::error("WAL service: could not start a thread for a client: {}", error.what());
    }
}

void WalListener::run_session(segment::FileDescriptor client) {
    name_thread("wal session");
    Session session(Connection(std::move(client), stop_), catalog_, options_.token);
    auto done = session.run();
    if (!done && !stop_.raised()) {
        // A client that went away is no event.
        auto level = done.error().code == ErrorCode::unavailable ? spdlog::level::debug : spdlog::level::warn;
        spdlog::log(level, "WAL service: {}: {}", session.described(), done.error().to_string());
    }
}

void WalListener::join_ended() {
    for (auto it = running_.begin(); it != running_.end();) {
        if (!it->ended) {
            ++it;
            continue;
        }
        it->thread.join();
        it = running_.erase(it);
    }
}

}  // namespace bough::safekeeper::serve
