#include "pageserver/page_service/page_service.hpp"

#include <algorithm>
#include <thread>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <spdlog/spdlog.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>

#include "pageserver/page_service/connection.hpp"

namespace bough::pageserver {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kOpeners = 4;
constexpr unsigned kAcceptedAtOnce = 64;

// Accepts on one listening socket.
class Listener : public std::enable_shared_from_this<Listener> {
public:
    Listener(asio::io_context& io, PageServiceContext& context, int socket, bool tcp)
        : io_(io), context_(context), socket_(io, socket), retry_(io), tcp_(tcp) {}

    void wait() {
        socket_.async_wait(asio::posix::descriptor_base::wait_read,
                           [self = shared_from_this()](const boost::system::error_code& failed) {
                               if (!failed) self->accept_all();
                           });
    }

private:
    void accept_all() {
        for (unsigned accepted = 0; accepted < kAcceptedAtOnce; ++accepted) {
            const int client = ::accept4(socket_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
            if (client >= 0) {
                take(client);
                continue;
            }
            if (errno == EINTR || errno == ECONNABORTED) continue;
            if (errno == EAGAIN) return wait();
            // Out of descriptors or memory: the client stays in the queue until there is room.
            spdlog::error("page service: could not accept a connection: {}", std::strerror(errno));
            retry_.expires_after(std::chrono::milliseconds(200));
            retry_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
                if (!cancelled) self->wait();
            });
            return;
        }
        asio::post(io_, [self = shared_from_this()] { self->accept_all(); });  // timers are due, too
    }

    void take(int client) {
        if (context_.metrics.connections.load(std::memory_order_relaxed) >= context_.options.connections_max) {
            spdlog::warn("page service: refused a connection, {} are open", context_.options.connections_max);
            ::close(client);
            return;
        }
        if (tcp_) {
            const int on = 1;
            (void)::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        }
        const auto connection = std::make_shared<PageConnection>(context_, io_, client, tcp_);
        context_.connections.add(connection);
        connection->start();
    }

    asio::io_context& io_;
    PageServiceContext& context_;
    asio::posix::stream_descriptor socket_;
    asio::steady_timer retry_;
    const bool tcp_;
};

}  // namespace

struct PageService::Impl {
    Impl(PageServiceOptions o, Projects& projects, PageReader& reader)
        : options(std::move(o)),
          context{options,
                  projects,
                  reader,
                  metrics,
                  {static_cast<unsigned>(std::max<std::size_t>(options.threads, 2) - 1), metrics.turns_waiting},
                  std::optional<asio::thread_pool>(std::in_place, kOpeners),
                  nullptr,
                  {}} {}

    asio::io_context io;  // accepts, and runs timers; outlives the connections, which have some
    PageServiceOptions options;
    PageServiceMetrics metrics;
    PageServiceContext context;
    std::thread io_thread;
};

PageService::PageService(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<PageService>> PageService::start(PageServiceOptions options, Projects& projects, PageReader& reader) {
    for (const net::Address& address : options.listen) {
        if (!address.is_loopback())
            return Error{ErrorCode::failed_precondition, "the page service does not listen on " + address.to_string(),
                         "only Unix sockets and loopback addresses are served"};
        if (!address.is_unix() && options.token.empty())
            return Error{ErrorCode::failed_precondition, "the page service does not listen on TCP without a token",
                         "give it a token file"};
    }
    auto impl = std::make_unique<Impl>(std::move(options), projects, reader);
    for (const net::Address& address : impl->options.listen) {
        BOUGH_ASSIGN(const int socket, net::listen(address));
        std::make_shared<Listener>(impl->io, impl->context, socket, !address.is_unix())->wait();
    }
    BOUGH_ASSIGN(impl->context.threads, ServiceThreads::start(impl->options.threads));
    impl->io_thread = std::thread([raw = impl.get()] { raw->io.run(); });
    return std::unique_ptr<PageService>(new PageService(std::move(impl)));
}

PageService::~PageService() {
    impl_->io.stop();
    impl_->io_thread.join();
    PageServiceContext& context = impl_->context;
    context.openers->stop();
    context.openers->join();
    context.threads->stop();
    // Those that wait for a project or a turn go with it, while what they wait on still is.
    context.openers.reset();
    context.turns.clear();
    context.connections.clear();
}

const PageServiceMetrics& PageService::metrics() const { return impl_->metrics; }

}  // namespace bough::pageserver
