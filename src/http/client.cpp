#include "http/client.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace bough::http {
namespace {

namespace beast_http = boost::beast::http;

constexpr std::size_t kReplyBytesMax = 1ull << 30;

class Connection {
public:
    explicit Connection(int fd) : fd_(fd) {}
    ~Connection() {
        if (fd_ >= 0) ::close(fd_);
    }
    Connection(Connection&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Connection& operator=(Connection&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    int fd() const { return fd_; }

private:
    int fd_;
};

using Deadline = std::chrono::steady_clock::time_point;

Result<void> wait_for(int fd, short events, Deadline deadline) {
    for (;;) {
        auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
        if (left <= 0) return Error{ErrorCode::timeout, "no answer in time", {}};
        pollfd wait{fd, events, 0};
        int ready = ::poll(&wait, 1, static_cast<int>(std::min<long long>(left, 60'000)));
        if (ready > 0) return {};
        if (ready < 0 && errno != EINTR) return io_error("poll", errno);
    }
}

Result<void> send_all(int fd, std::string_view bytes, Deadline deadline) {
    while (!bytes.empty()) {
        BOUGH_TRY(wait_for(fd, POLLOUT, deadline));
        ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (sent < 0) return Error{ErrorCode::unavailable, std::string("connection lost: ") + std::strerror(errno), {}};
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return {};
}

struct Reply {
    Response response;
    bool keep_alive = false;
};

// `got_any` tells whether the server sent a byte: when not, an idle connection had been closed under us.
Result<Reply> receive(int fd, Deadline deadline, bool head_only, bool& got_any) {
    beast_http::response_parser<beast_http::string_body> parser;
    parser.body_limit(kReplyBytesMax);
    parser.skip(head_only);
    parser.eager(true);
    boost::beast::flat_buffer buffer;
    boost::system::error_code failed;
    while (!parser.is_done()) {
        BOUGH_TRY(wait_for(fd, POLLIN, deadline));
        auto space = buffer.prepare(64 * 1024);
        ssize_t got = ::recv(fd, space.data(), space.size(), MSG_DONTWAIT);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got < 0) return Error{ErrorCode::unavailable, std::string("connection lost: ") + std::strerror(errno), {}};
        if (got == 0) {
            parser.put_eof(failed);
            if (failed || !parser.is_done()) return Error{ErrorCode::unavailable, "the server closed the connection", {}};
            break;
        }
        got_any = true;
        buffer.commit(static_cast<std::size_t>(got));
        for (;;) {
            auto used = parser.put(buffer.data(), failed);
            buffer.consume(used);
            if (failed == beast_http::error::need_more) break;
            if (failed) return Error{ErrorCode::unavailable, "malformed HTTP answer: " + failed.message(), {}};
            if (parser.is_done() || buffer.size() == 0) break;
        }
    }
    auto message = parser.release();
    Reply reply;
    reply.keep_alive = message.keep_alive();
    reply.response.status = message.result_int();
    reply.response.content_type = std::string(message[beast_http::field::content_type]);
    reply.response.body = std::move(message.body());
    return reply;
}

}  // namespace

struct Client::Impl {
    net::Address address;
    std::string bearer;
    std::mutex mutex;
    std::vector<Connection> idle;  // guarded by mutex

    bool take_idle(Connection& connection) {
        std::lock_guard lock(mutex);
        if (idle.empty()) return false;
        connection = std::move(idle.back());
        idle.pop_back();
        return true;
    }
    void keep(Connection connection) {
        std::lock_guard lock(mutex);
        if (idle.size() < 16) idle.push_back(std::move(connection));
    }
};

Client::Client(net::Address address, std::string bearer) : impl_(std::make_unique<Impl>()) {
    impl_->address = std::move(address);
    impl_->bearer = std::move(bearer);
}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
const net::Address& Client::address() const { return impl_->address; }

Result<Response> Client::request(const std::string& method, const std::string& target, const std::string& body,
                                 std::chrono::milliseconds timeout) {
    auto deadline = std::chrono::steady_clock::now() + timeout;
    std::string message = method + " " + target + " HTTP/1.1\r\nHost: " + (impl_->address.is_unix() ? "localhost" : impl_->address.to_string()) +
                          "\r\nContent-Length: " + std::to_string(body.size()) + "\r\nContent-Type: application/json\r\n";
    if (!impl_->bearer.empty()) message += "Authorization: Bearer " + impl_->bearer + "\r\n";
    message += "\r\n" + body;

    for (;;) {
        Connection connection(-1);
        bool reused = impl_->take_idle(connection);
        if (!reused) {
            BOUGH_ASSIGN(int fd, net::connect(impl_->address));
            connection = Connection(fd);
        }
        bool got_any = false;
        auto sent = send_all(connection.fd(), message, deadline);
        Result<Reply> reply = sent ? receive(connection.fd(), deadline, method == "HEAD", got_any) : Result<Reply>(sent.error());
        if (!reply) {
            if (reused && !got_any && reply.error().code == ErrorCode::unavailable) continue;
            return reply.error().within(method + " " + target.substr(0, target.find('?')) + " on " + impl_->address.to_string());
        }
        if (reply->keep_alive) impl_->keep(std::move(connection));
        return std::move(reply->response);
    }
}

Result<std::string> Client::call(const std::string& method, const std::string& target, const std::string& body,
                                 std::chrono::milliseconds timeout) {
    BOUGH_ASSIGN(auto response, request(method, target, body, timeout));
    if (response.status >= 400) return error_of_response(response);
    return std::move(response.body);
}

}  // namespace bough::http
