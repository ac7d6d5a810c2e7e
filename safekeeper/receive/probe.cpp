#include "safekeeper/receive/probe.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include <libpq-fe.h>

#include "safekeeper/segment/durable_file.hpp"

namespace bough::safekeeper::receive {
namespace {

constexpr int kConnectTimeoutMs = 200;

bool connects(const sockaddr* address, socklen_t length) {
    segment::FileDescriptor socket{::socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!socket) return true;
    if (::connect(socket.get(), address, length) == 0) return true;
    // A Unix socket whose queue is full has somebody behind it.
    if (errno == EAGAIN) return true;
    if (errno != EINPROGRESS) return false;
    pollfd ready{socket.get(), POLLOUT, 0};
    if (::poll(&ready, 1, kConnectTimeoutMs) <= 0) return false;
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

}  // namespace

bool somebody_listens(const std::string& conninfo) {
    std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(PQconninfoParse(conninfo.c_str(), nullptr),
                                                                         &PQconninfoFree);
    if (!options) return false;
    std::string host;
    std::string port = "5432";
    for (auto* option = options.get(); option->keyword != nullptr; ++option) {
        if (option->val == nullptr) continue;
        if (std::strcmp(option->keyword, "hostaddr") == 0 || (std::strcmp(option->keyword, "host") == 0 && host.empty()))
            host = option->val;
        if (std::strcmp(option->keyword, "port") == 0) port = option->val;
    }
    if (host.starts_with('/')) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::string path = host + "/.s.PGSQL." + port;
        if (path.size() >= sizeof address.sun_path) return true;
        std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
        return connects(reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    auto number = static_cast<std::uint16_t>(std::strtoul(port.c_str(), nullptr, 10));
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(number);
    if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) return connects(reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(number);
    if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1)
        return connects(reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
    return true;
}

}  // namespace bough::safekeeper::receive
