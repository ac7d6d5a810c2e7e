// A blocking HTTP/1.1 client for one server, keeping idle connections for the next request.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "http/message.hpp"
#include "net/address.hpp"

namespace bough::http {

// Thread-safe: each request under way has its own connection.
class Client {
public:
    explicit Client(net::Address address, std::string bearer = {});
    ~Client();
    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;

    // `target` is the path with its query, percent-encoded. Any status is a Response; only a failure to get one is an Error
    // (unavailable: nobody listens or the connection broke; timeout). A request on a connection that the server had closed
    // while idle is sent again on a new one.
    Result<Response> request(const std::string& method, const std::string& target, const std::string& body = {},
                             std::chrono::milliseconds timeout = std::chrono::seconds(30));

    // The same, with statuses >= 400 turned into the Error they stand for.
    Result<std::string> call(const std::string& method, const std::string& target, const std::string& body = {},
                             std::chrono::milliseconds timeout = std::chrono::seconds(30));

    const net::Address& address() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Percent-encodes one path segment or query value.
std::string encode(std::string_view text);

}  // namespace bough::http
