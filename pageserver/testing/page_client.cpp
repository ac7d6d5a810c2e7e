#include "pageserver/testing/page_client.hpp"

#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bough/check.hpp"

namespace bough::pageserver {
namespace {

constexpr int kPatienceMs = 20'000;

template <class T>
std::string as_text(const T& value) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

std::string with_header(std::uint8_t type, const std::string& body) {
    return as_text(BoughFrameHeader{static_cast<std::uint32_t>(body.size()), type}) + body;
}

}  // namespace

std::string hello_frame(std::string_view project, std::string_view branch, std::string_view token, std::uint16_t version) {
    const BoughHello hello{BOUGH_PAGE_SERVICE_MAGIC, version, static_cast<std::uint16_t>(token.size()),
                           static_cast<std::uint16_t>(project.size()), static_cast<std::uint16_t>(branch.size())};
    return with_header(BOUGH_FRAME_HELLO, as_text(hello).append(token).append(project).append(branch));
}

std::string get_pages_frame(std::uint64_t request_id, Lsn lsn, bool exact, std::uint16_t count, const pg::PageTag& tag) {
    const auto& relation = tag.fork.relation;
    const BoughGetPages request{request_id,
                                lsn.value,
                                static_cast<std::uint8_t>(exact ? BOUGH_READ_EXACT : BOUGH_READ_AT_LEAST),
                                count,
                                {relation.tablespace, relation.database, relation.number,
                                 static_cast<std::uint8_t>(tag.fork.fork), tag.block}};
    return with_header(BOUGH_FRAME_GET_PAGES, as_text(request));
}

ssize_t receive_some(int socket, char* to, std::size_t count) {
    while (true) {
        const ssize_t got = ::recv(socket, to, count, MSG_DONTWAIT);
        if (got >= 0 || errno != EAGAIN) return got;
        pollfd wait{socket, POLLIN, 0};
        if (::poll(&wait, 1, kPatienceMs) <= 0) return -1;
    }
}

PageClient::PageClient(const net::Address& address) : socket_(*net::connect(address)) {}

PageClient::~PageClient() { ::close(socket_); }

void PageClient::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

bool PageClient::receive_exactly(std::size_t count, std::string& out) {
    out.resize(count);
    for (std::size_t done = 0; done < count;) {
        const ssize_t got = receive_some(socket_, out.data() + done, count - done);
        if (got <= 0) return false;
        done += static_cast<std::size_t>(got);
    }
    return true;
}

std::optional<PageClient::Frame> PageClient::receive() {
    std::string bytes;
    if (!receive_exactly(sizeof(BoughFrameHeader), bytes)) return std::nullopt;
    BoughFrameHeader header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    Frame frame{header.type, {}};
    if (!receive_exactly(header.length, frame.body)) return std::nullopt;
    return frame;
}

bool PageClient::hello(std::string_view project, std::string_view branch, std::string_view token) {
    send(hello_frame(project, branch, token));
    const auto answer = receive();
    return answer && answer->type == BOUGH_FRAME_HELLO_OK;
}

ClientError parse_error(const PageClient::Frame& frame) {
    BoughServiceError error;
    BOUGH_CHECK(frame.type == BOUGH_FRAME_ERROR && frame.body.size() >= sizeof(error));
    std::memcpy(&error, frame.body.data(), sizeof(error));
    return {error.request_id, std::string(error.sqlstate, 5), frame.body.substr(sizeof(error), error.message_length)};
}

BoughPages parse_pages(const PageClient::Frame& frame) {
    BoughPages pages;
    BOUGH_CHECK(frame.type == BOUGH_FRAME_PAGES && frame.body.size() >= sizeof(pages));
    std::memcpy(&pages, frame.body.data(), sizeof(pages));
    BOUGH_CHECK(frame.body.size() == sizeof(pages) + std::size_t{pages.count} * BOUGH_PAGE_BYTES);
    return pages;
}

}  // namespace bough::pageserver
