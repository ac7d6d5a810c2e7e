#include "safekeeper/serve/connection.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace bough::safekeeper::serve {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kSendTimeout = 60s;  // for one message: a reader that takes nothing for so long is given up

Error gone(const char* why) { return {ErrorCode::unavailable, why, {}}; }

}  // namespace

Connection::Connection(segment::FileDescriptor socket, const receive::StopSignal& stop)
    : socket_(std::move(socket)), stop_(stop) {}

Result<void> Connection::send(std::string_view bytes) {
    auto deadline = Clock::now() + kSendTimeout;
    while (!bytes.empty()) {
        ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent));
            continue;
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) return gone("the client has closed the connection");
        auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        if (left <= 0ms) return Error{ErrorCode::timeout, "the client takes nothing", {}};
        pollfd watched[] = {{socket_.get(), POLLOUT, 0}, {stop_.descriptor(), POLLIN, 0}};
        ::poll(watched, 2, static_cast<int>(left.count()));
        if (watched[1].revents != 0) return gone("the WAL service is stopping");
    }
    return {};
}

void Connection::drop_input(std::size_t bytes) {
    taken_ += bytes;
    if (taken_ == input_.size()) {
        input_.clear();
        taken_ = 0;
    }
}

// False when nothing has arrived.
Result<bool> Connection::read_some() {
    input_.erase(0, taken_);
    taken_ = 0;
    char buffer[8192];
    for (;;) {
        ssize_t got = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
        if (got > 0) {
            input_.append(buffer, static_cast<std::size_t>(got));
            return true;
        }
        if (got == 0) return gone("the client has closed the connection");
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
        return gone("the connection is broken");
    }
}

Result<void> Connection::receive(Clock::time_point deadline) {
    for (;;) {
        BOUGH_ASSIGN(bool got, read_some());
        if (got) return {};
        auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        if (left <= 0ms) return Error{ErrorCode::timeout, "the client sends nothing", {}};
        BOUGH_TRY(wait(-1, left));
    }
}

Result<void> Connection::receive_arrived() {
    BOUGH_TRY(read_some());
    return {};
}

Result<void> Connection::wait(int other, std::chrono::milliseconds timeout) {
    pollfd watched[] = {{socket_.get(), POLLIN, 0}, {stop_.descriptor(), POLLIN, 0}, {other, POLLIN, 0}};
    ::poll(watched, 3, static_cast<int>(timeout.count()));
    if (watched[1].revents != 0) return gone("the WAL service is stopping");
    return {};
}

}  // namespace bough::safekeeper::serve
