#include "control/computes/sql_port.hpp"

#include <unistd.h>

#include "net/address.hpp"

namespace bough::control {

Result<void> check_sql_port(std::uint16_t port) {
    net::Address address;
    address.host = "127.0.0.1";
    address.port = port;
    auto fd = net::listen(address);
    if (!fd) {
        Error error = fd.error();
        error.hint = "port " + std::to_string(port) + " is the branch's SQL port; stop the program that has it";
        return error;
    }
    ::close(*fd);
    return {};
}

}  // namespace bough::control
