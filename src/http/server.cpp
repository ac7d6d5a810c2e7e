#include "http/server.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <spdlog/spdlog.h>

#include "http/url.hpp"

namespace bough::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace beast_http = boost::beast::http;

using Stream = beast::basic_stream<asio::generic::stream_protocol>;
using Parser = beast_http::request_parser<beast_http::string_body>;

constexpr auto kIdleTimeout = std::chrono::seconds(300);
constexpr auto kBodyTimeout = std::chrono::seconds(60);
constexpr auto kLingerTimeout = std::chrono::seconds(2);

Result<Request> to_request(const beast_http::request<beast_http::string_body>& message) {
    auto target = parse_target({message.target().data(), message.target().size()});
    if (!target) return Error{ErrorCode::invalid_argument, "malformed request target", {}};
    Request request;
    request.method = std::string(message.method_string());
    request.path = std::move(target->path);
    request.query = std::move(target->query);
    request.body = message.body();
    std::string_view authorization{message[beast_http::field::authorization].data(), message[beast_http::field::authorization].size()};
    constexpr std::string_view kBearer = "Bearer ";
    if (authorization.starts_with(kBearer)) request.bearer = authorization.substr(kBearer.size());
    return request;
}

Response run_handler(const Handler& handler, const beast_http::request<beast_http::string_body>& message) {
    auto request = to_request(message);
    if (!request) return error_response(request.error());
    try {
        return handler(*request);
    } catch (const std::exception& failure) {
        spdlog::error("http: {} {} failed: {}", request->method, request->path, failure.what());
        return error_response({ErrorCode::internal, "internal error", "the server's log says more"});
    }
}

}  // namespace

struct Server::Impl {
    Handler handler;
    ServerOptions options;
    net::Address address;
    asio::io_context io{1};
    asio::thread_pool pool;
    asio::basic_socket_acceptor<asio::generic::stream_protocol> acceptor{io};
    std::uint16_t port = 0;
    std::jthread thread;

    Impl(Handler h, ServerOptions o, net::Address a)
        : handler(std::move(h)), options(o), address(std::move(a)), pool(o.handler_threads) {}

    asio::awaitable<Response> run_on_pool(const beast_http::request<beast_http::string_body>& message) {
        co_return run_handler(handler, message);
    }

    // Closing with unread input resets the connection, and the client may lose our answer: read some of it first.
    asio::awaitable<void> linger(Stream& stream) {
        boost::system::error_code failed;
        stream.socket().shutdown(asio::socket_base::shutdown_send, failed);
        stream.expires_after(kLingerTimeout);
        std::vector<char> scrap(64 * 1024);
        for (std::size_t left = 4 * options.body_bytes_max; !failed && left > 0;) {
            auto got = co_await stream.async_read_some(asio::buffer(scrap), asio::redirect_error(asio::use_awaitable, failed));
            left -= std::min(left, got);
        }
    }

    asio::awaitable<void> serve(Stream stream) {
        beast::flat_buffer buffer;
        for (;;) {
            Parser parser;
            parser.body_limit(options.body_bytes_max);
            boost::system::error_code failed;
            stream.expires_after(kIdleTimeout);
            co_await beast_http::async_read_header(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, failed));
            if (!failed) {
                stream.expires_after(kBodyTimeout);
                co_await beast_http::async_read(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, failed));
            }
            if (failed == beast_http::error::end_of_stream || failed == asio::error::operation_aborted ||
                failed == beast::error::timeout || failed == asio::error::connection_reset) {
                co_return;
            }
            Response response;
            bool keep = false;
            unsigned version = 11;
            if (failed) {
                spdlog::warn("http: dropped a connection on {}: {}", address.to_string(), failed.message());
                response = error_response({ErrorCode::invalid_argument, "malformed HTTP request: " + failed.message(), {}});
                if (failed == beast_http::error::body_limit) response.status = 413;
            } else {
                keep = parser.get().keep_alive();
                version = parser.get().version();
                // The handler may block: it runs on the pool while this coroutine waits here.
                response = co_await asio::co_spawn(pool, run_on_pool(parser.get()), asio::use_awaitable);
            }
            beast_http::response<beast_http::string_body> message{static_cast<beast_http::status>(response.status), version};
            message.set(beast_http::field::content_type, response.content_type);
            message.body() = std::move(response.body);
            message.keep_alive(keep);
            message.prepare_payload();
            stream.expires_after(kBodyTimeout);
            co_await beast_http::async_write(stream, message, asio::redirect_error(asio::use_awaitable, failed));
            if (failed) co_return;
            if (!keep) {
                co_await linger(stream);
                co_return;
            }
        }
    }

    asio::awaitable<void> accept() {
        for (;;) {
            boost::system::error_code failed;
            auto socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, failed));
            if (failed == asio::error::operation_aborted) co_return;
            if (failed) {
                spdlog::warn("http: accept on {}: {}", address.to_string(), failed.message());
                asio::steady_timer pause(io, std::chrono::milliseconds(100));  // e.g. out of descriptors: do not spin
                co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, failed));
                continue;
            }
            asio::co_spawn(io, serve(Stream(std::move(socket))), [](std::exception_ptr failure) {
                try {
                    if (failure) std::rethrow_exception(failure);
                } catch (const std::exception& error) {
                    spdlog::warn("http: connection ended: {}", error.what());
                }
            });
        }
    }

    ~Impl() {
        asio::post(io, [this] { acceptor.close(); });
        pool.join();
        io.stop();
        if (thread.joinable()) thread.join();
        if (address.is_unix()) ::unlink(address.unix_path.c_str());
    }
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;
std::uint16_t Server::port() const { return impl_->port; }

Result<std::unique_ptr<Server>> Server::start(const net::Address& address, Handler handler, ServerOptions options) {
    BOUGH_ASSIGN(int fd, net::listen(address));
    auto impl = std::make_unique<Impl>(std::move(handler), options, address);
    impl->port = address.port;
    sockaddr_storage bound{};
    socklen_t bound_bytes = sizeof bound;
    if (!address.is_unix() && ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &bound_bytes) == 0) {
        impl->port = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port
                                                       : reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
    }
    int family = address.is_unix() ? AF_UNIX : bound.ss_family;
    impl->acceptor.assign(asio::generic::stream_protocol(family, address.is_unix() ? 0 : IPPROTO_TCP), fd);
    asio::co_spawn(impl->io, impl->accept(), [](std::exception_ptr) {});
    impl->thread = std::jthread([raw = impl.get()] { raw->io.run(); });
    return std::unique_ptr<Server>(new Server(std::move(impl)));
}

}  // namespace bough::http
