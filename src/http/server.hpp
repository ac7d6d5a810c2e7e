// A small HTTP/1.1 server: one I/O thread, handlers on a pool of threads.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "http/message.hpp"
#include "net/address.hpp"

namespace bough::http {

struct ServerOptions {
    std::size_t handler_threads = 8;          // handlers may block; requests beyond this many wait
    std::size_t body_bytes_max = 8ull << 20;  // a larger request body is answered with 413
};

// Called on a pool thread, several at a time. What it throws becomes a 500 and a log line.
using Handler = std::function<Response(const Request&)>;

// Listens from construction to destruction. Garbage on the port gets a 400 or a closed connection and a log line.
// Thread-safe. The destructor stops accepting, lets running handlers finish, and joins.
class Server {
public:
    static Result<std::unique_ptr<Server>> start(const net::Address& address, Handler handler, ServerOptions options = {});
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // The bound port (for port 0 in the address).
    std::uint16_t port() const;

private:
    struct Impl;
    explicit Server(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace bough::http
