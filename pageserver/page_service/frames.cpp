#include "pageserver/page_service/frames.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "bough/check.hpp"

namespace bough::pageserver {
namespace {

constexpr std::size_t kHeaderBytes = sizeof(BoughFrameHeader);

Error garbage(const char* what) { return Error{ErrorCode::invalid_argument, std::string("page service: ") + what, {}}; }

template <class T>
T read_struct(std::span<const std::byte> bytes) {
    BOUGH_CHECK(bytes.size() >= sizeof(T));
    T value;
    std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
}

template <class T>
void append_struct(std::string& out, const T& value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

std::string take_text(std::span<const std::byte>& bytes, std::size_t length) {
    std::string text(reinterpret_cast<const char*>(bytes.data()), length);
    bytes = bytes.subspan(length);
    return text;
}

Result<RequestFrame> parse_hello(std::span<const std::byte> body) {
    if (body.size() < sizeof(BoughHello)) return garbage("short hello");
    const auto hello = read_struct<BoughHello>(body);
    if (hello.magic != BOUGH_PAGE_SERVICE_MAGIC) return garbage("not a hello");
    body = body.subspan(sizeof(hello));
    const std::size_t length = std::size_t{hello.token_length} + hello.project_length + hello.branch_length;
    if (body.size() != length) return garbage("hello of a wrong length");
    HelloFrame frame;
    frame.magic = hello.magic;
    frame.version = hello.version;
    frame.token = take_text(body, hello.token_length);
    frame.project = take_text(body, hello.project_length);
    frame.branch = take_text(body, hello.branch_length);
    return RequestFrame(std::move(frame));
}

Result<RequestFrame> parse_get_pages(std::span<const std::byte> body) {
    if (body.size() != sizeof(BoughGetPages)) return garbage("request of a wrong length");
    const auto wire = read_struct<BoughGetPages>(body);
    if (wire.mode != BOUGH_READ_AT_LEAST && wire.mode != BOUGH_READ_EXACT) return garbage("unknown read mode");
    if (wire.count == 0 || wire.count > BOUGH_PAGES_PER_REQUEST_MAX) return garbage("bad number of pages");
    if (wire.tag.fork > static_cast<std::uint8_t>(pg::Fork::init)) return garbage("unknown fork");
    if (wire.tag.block > std::numeric_limits<std::uint32_t>::max() - wire.count) return garbage("block number out of range");
    GetPagesFrame frame;
    frame.request_id = wire.request_id;
    frame.lsn = Lsn{wire.lsn};
    frame.exact = wire.mode == BOUGH_READ_EXACT;
    frame.count = wire.count;
    frame.tag = {{{wire.tag.tablespace, wire.tag.database, wire.tag.relation}, static_cast<pg::Fork>(wire.tag.fork)},
                 wire.tag.block};
    return RequestFrame(frame);
}

std::string with_header(std::uint8_t type, const std::string& body) {
    std::string frame;
    append_struct(frame, BoughFrameHeader{static_cast<std::uint32_t>(body.size()), type});
    return frame.append(body);
}

std::string_view sqlstate(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_argument: return "08P01";     // protocol_violation
        case ErrorCode::unauthenticated: return "28000";      // invalid_authorization_specification
        case ErrorCode::not_found: return "42704";            // undefined_object
        case ErrorCode::already_exists: return "42710";       // duplicate_object
        case ErrorCode::failed_precondition: return "55000";  // object_not_in_prerequisite_state
        case ErrorCode::out_of_range: return "22023";         // invalid_parameter_value
        case ErrorCode::unavailable: return "57P03";          // cannot_connect_now
        case ErrorCode::timeout: return "57014";              // query_canceled
        case ErrorCode::corrupt: return "XX001";              // data_corrupted
        case ErrorCode::io: return "58030";                   // io_error
        case ErrorCode::unsupported: return "0A000";          // feature_not_supported
        case ErrorCode::internal: break;
    }
    return "XX000";  // internal_error
}

}  // namespace

Result<RequestFrame> parse_request(std::uint8_t type, std::span<const std::byte> body) {
    if (type == BOUGH_FRAME_HELLO) return parse_hello(body);
    if (type == BOUGH_FRAME_GET_PAGES) return parse_get_pages(body);
    return garbage("unknown frame type");
}

void FrameReader::feed(std::span<const std::byte> bytes) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(begin_));
    begin_ = 0;
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<RequestFrame>> FrameReader::next() {
    const auto rest = std::span<const std::byte>(buffer_).subspan(begin_);
    if (rest.size() < kHeaderBytes) return std::optional<RequestFrame>{};
    const auto header = read_struct<BoughFrameHeader>(rest);
    // Told before waiting for the rest of what will never make sense.
    if (header.type != BOUGH_FRAME_HELLO && header.type != BOUGH_FRAME_GET_PAGES) return garbage("unknown frame type");
    if (header.length > BOUGH_REQUEST_BODY_BYTES_MAX) return garbage("frame too long");
    if (rest.size() - kHeaderBytes < header.length) return std::optional<RequestFrame>{};
    BOUGH_ASSIGN(auto frame, parse_request(header.type, rest.subspan(kHeaderBytes, header.length)));
    begin_ += kHeaderBytes + header.length;
    if (empty()) {
        buffer_.clear();
        begin_ = 0;
    }
    return std::optional<RequestFrame>(std::move(frame));
}

std::string encode_hello_ok(std::uint64_t branch_tag) {
    std::string body;
    append_struct(body, BoughHelloOk{BOUGH_PAGE_SERVICE_VERSION, branch_tag});
    return with_header(BOUGH_FRAME_HELLO_OK, body);
}

std::string encode_error(std::uint64_t request_id, const Error& error) {
    constexpr std::size_t kTextBytesMax = 2000;
    const std::string message = error.message.substr(0, kTextBytesMax);
    const std::string hint = error.hint.substr(0, kTextBytesMax);
    BoughServiceError wire{};
    wire.request_id = request_id;
    std::ranges::copy(sqlstate(error.code), wire.sqlstate);
    wire.message_length = static_cast<std::uint16_t>(message.size());
    wire.hint_length = static_cast<std::uint16_t>(hint.size());
    std::string body;
    append_struct(body, wire);
    return with_header(BOUGH_FRAME_ERROR, body.append(message).append(hint));
}

PagesPrefix encode_pages_prefix(const GetPagesFrame& request, std::uint64_t branch_tag, Lsn read_lsn) {
    const auto& relation = request.tag.fork.relation;
    const BoughFrameHeader header{
        static_cast<std::uint32_t>(sizeof(BoughPages) + std::size_t{request.count} * BOUGH_PAGE_BYTES), BOUGH_FRAME_PAGES};
    const BoughPages pages{request.request_id,
                           branch_tag,
                           read_lsn.value,
                           request.count,
                           {relation.tablespace, relation.database, relation.number,
                            static_cast<std::uint8_t>(request.tag.fork.fork), request.tag.block}};
    PagesPrefix prefix;
    std::memcpy(prefix.data(), &header, sizeof(header));
    std::memcpy(prefix.data() + sizeof(header), &pages, sizeof(pages));
    return prefix;
}

}  // namespace bough::pageserver
