// Where a server listens or a client connects: a Unix socket or a TCP address.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bough/error.hpp"

namespace bough::net {

struct Address {
    // Either unix_path is set, or host and port.
    std::string unix_path;
    std::string host;
    std::uint16_t port = 0;

    bool is_unix() const { return !unix_path.empty(); }
    // 127.0.0.0/8, ::1, localhost, or a Unix socket.
    bool is_loopback() const;
    std::string to_string() const;

    // "unix:/absolute/path" (at most 107 bytes of path, the operating system's limit) or "host:port".
    static Result<Address> parse(std::string_view text);
};

// A bound, listening, non-blocking, close-on-exec socket. A stale Unix socket file is replaced, a live one is an error;
// Unix sockets get mode 0600. The caller owns the descriptor. A taken port is ErrorCode::failed_precondition and named.
Result<int> listen(const Address& address);

// A connected, blocking, close-on-exec socket, owned by the caller.
Result<int> connect(const Address& address);

}  // namespace bough::net
