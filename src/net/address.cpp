#include "net/address.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

namespace bough::net {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";

struct FreeAddrinfo {
    void operator()(addrinfo* info) const { ::freeaddrinfo(info); }
};
using AddrinfoList = std::unique_ptr<addrinfo, FreeAddrinfo>;

Result<AddrinfoList> resolve(const Address& address, int flags) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    int failed = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
    if (failed != 0) {
        return Error{ErrorCode::invalid_argument, "cannot resolve \"" + address.host + "\": " + ::gai_strerror(failed), {}};
    }
    return AddrinfoList{found};
}

sockaddr_un unix_address(const std::string& path) {
    sockaddr_un result{};
    result.sun_family = AF_UNIX;
    std::memcpy(result.sun_path, path.data(), path.size());  // parse() bounds the length
    return result;
}

Error in_use(const Address& address) {
    return {ErrorCode::failed_precondition, "cannot listen on " + address.to_string() + ": the address is in use",
            "another process has it; stop that one or choose another address"};
}

Result<int> listen_unix(const Address& address) {
    if (auto live = connect(address)) {
        ::close(*live);
        return in_use(address);
    }
    ::unlink(address.unix_path.c_str());
    int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return io_error("socket", errno);
    auto name = unix_address(address.unix_path);
    // The mode is set before listen(): nobody can connect earlier.
    if (::bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof name) != 0 ||
        ::chmod(address.unix_path.c_str(), 0600) != 0 || ::listen(fd, SOMAXCONN) != 0) {
        Error error = io_error("cannot listen on " + address.to_string(), errno);
        ::close(fd);
        return error;
    }
    return fd;
}

Result<int> listen_tcp(const Address& address) {
    BOUGH_ASSIGN(auto candidates, resolve(address, AI_PASSIVE));
    Error last{ErrorCode::io, "no address for " + address.to_string(), {}};
    for (const addrinfo* info = candidates.get(); info != nullptr; info = info->ai_next) {
        int fd = ::socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) continue;
        int on = 1;
        ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (::bind(fd, info->ai_addr, info->ai_addrlen) == 0 && ::listen(fd, SOMAXCONN) == 0) return fd;
        last = errno == EADDRINUSE ? in_use(address) : io_error("cannot listen on " + address.to_string(), errno);
        ::close(fd);
    }
    return last;
}

}  // namespace

bool Address::is_loopback() const {
    return is_unix() || host == "localhost" || host == "::1" || host.starts_with("127.");
}

std::string Address::to_string() const {
    if (is_unix()) return std::string(kUnixPrefix) + unix_path;
    bool bracket = host.find(':') != std::string::npos;
    return (bracket ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Address> Address::parse(std::string_view text) {
    Address result;
    if (text.starts_with(kUnixPrefix)) {
        result.unix_path = text.substr(kUnixPrefix.size());
        if (!result.unix_path.starts_with('/')) {
            return Error{ErrorCode::invalid_argument, "invalid address \"" + std::string(text) + "\"",
                         "the path of a Unix socket must be absolute"};
        }
        if (result.unix_path.size() >= sizeof(sockaddr_un::sun_path)) {
            return Error{ErrorCode::invalid_argument, "the Unix socket path \"" + result.unix_path + "\" is too long",
                         "the limit is 107 bytes; choose a data directory with a shorter path"};
        }
        return result;
    }
    auto colon = text.rfind(':');
    std::string_view port = colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
    auto [end, failed] = std::from_chars(port.data(), port.data() + port.size(), result.port);
    if (colon == std::string_view::npos || colon == 0 || failed != std::errc{} || end != port.data() + port.size()) {
        return Error{ErrorCode::invalid_argument, "invalid address \"" + std::string(text) + "\"",
                     "an address is host:port or unix:/absolute/path"};
    }
    std::string_view host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    result.host = host;
    return result;
}

Result<int> listen(const Address& address) { return address.is_unix() ? listen_unix(address) : listen_tcp(address); }

Result<int> connect(const Address& address) {
    auto refused = [&](int error_number) {
        return Error{ErrorCode::unavailable, "cannot connect to " + address.to_string() + ": " + std::strerror(error_number), {}};
    };
    if (address.is_unix()) {
        int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) return io_error("socket", errno);
        auto name = unix_address(address.unix_path);
        if (::connect(fd, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0) return fd;
        Error error = refused(errno);
        ::close(fd);
        return error;
    }
    BOUGH_ASSIGN(auto candidates, resolve(address, 0));
    Error last = refused(EADDRNOTAVAIL);
    for (const addrinfo* info = candidates.get(); info != nullptr; info = info->ai_next) {
        int fd = ::socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) continue;
        if (::connect(fd, info->ai_addr, info->ai_addrlen) == 0) {
            int on = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            return fd;
        }
        last = refused(errno);
        ::close(fd);
    }
    return last;
}

}  // namespace bough::net
