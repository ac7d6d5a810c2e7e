// The frames of the page service (proto/page_service.h): cutting requests out of what a client sends, and making replies.
// No I/O here. docs/protocols/page_service.md is the specification.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "pg/page_tag.hpp"
#include "proto/page_service.h"

namespace bough::pageserver {

struct HelloFrame {
    std::uint32_t magic = 0;
    std::uint16_t version = 0;
    std::string token;
    std::string project;
    std::string branch;
};

struct GetPagesFrame {
    std::uint64_t request_id = 0;
    Lsn lsn;
    bool exact = false;  // BoughReadMode
    std::uint16_t count = 0;
    pg::PageTag tag;  // of the first page
};

using RequestFrame = std::variant<HelloFrame, GetPagesFrame>;

// Any bytes may be given. ErrorCode::invalid_argument for a body that breaks the rules.
Result<RequestFrame> parse_request(std::uint8_t type, std::span<const std::byte> body);

// Gathers bytes until a frame is whole. After an error the connection must be closed.
class FrameReader {
public:
    void feed(std::span<const std::byte> bytes);
    // invalid_argument for garbage; nullopt until more is fed.
    Result<std::optional<RequestFrame>> next();
    bool empty() const { return begin_ == buffer_.size(); }

private:
    std::vector<std::byte> buffer_;
    std::size_t begin_ = 0;
};

std::string encode_hello_ok(std::uint64_t branch_tag);
// request_id 0: about no request in particular.
std::string encode_error(std::uint64_t request_id, const Error& error);

// What stands before the pages of a reply.
using PagesPrefix = std::array<char, sizeof(BoughFrameHeader) + sizeof(BoughPages)>;
PagesPrefix encode_pages_prefix(const GetPagesFrame& request, std::uint64_t branch_tag, Lsn read_lsn);

}  // namespace bough::pageserver
