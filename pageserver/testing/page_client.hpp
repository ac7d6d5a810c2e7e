// A client of the page service for tests: frames as a compute sends them, and a connection that can also send anything else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bough/lsn.hpp"
#include "net/address.hpp"
#include "pg/page_tag.hpp"
#include "proto/page_service.h"

namespace bough::pageserver {

std::string hello_frame(std::string_view project, std::string_view branch, std::string_view token = {},
                        std::uint16_t version = BOUGH_PAGE_SERVICE_VERSION);
std::string get_pages_frame(std::uint64_t request_id, Lsn lsn, bool exact, std::uint16_t count, const pg::PageTag& tag);

// Waits as computes do, for the socket to be readable: whoever sleeps in recv() is also woken when the other side has read what was sent
// to it. Like recv(); -1 after 20 s without anything, too.
ssize_t receive_some(int socket, char* to, std::size_t count);

class PageClient {
public:
    explicit PageClient(const net::Address& address);
    ~PageClient();
    PageClient(const PageClient&) = delete;
    PageClient& operator=(const PageClient&) = delete;

    void send(std::string_view bytes);
    struct Frame {
        std::uint8_t type = 0;
        std::string body;
    };
    // nullopt: the server closed the connection.
    std::optional<Frame> receive();
    // Sends hello and takes the answer; true for HELLO_OK.
    bool hello(std::string_view project, std::string_view branch, std::string_view token = {});

private:
    bool receive_exactly(std::size_t count, std::string& out);
    int socket_;
};

// Of an ERROR frame.
struct ClientError {
    std::uint64_t request_id = 0;
    std::string sqlstate;
    std::string message;
};
ClientError parse_error(const PageClient::Frame& frame);
// Of a PAGES frame.
BoughPages parse_pages(const PageClient::Frame& frame);

}  // namespace bough::pageserver
