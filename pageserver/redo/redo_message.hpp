// The bytes of proto/redo_worker.h: requests out, replies in. No I/O here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bough/error.hpp"
#include "pageserver/redo/redo_request.hpp"
#include "pg/page_tag.hpp"

namespace bough::pageserver {

// Bytes that an apply request takes on the wire.
std::size_t encoded_size(const RedoRequest& request);

// Both append one request to `out`.
void encode_apply(const RedoRequest& request, std::vector<std::byte>& out);
void encode_mask(std::uint8_t resource_manager, std::uint32_t block, pg::ConstPage page, std::vector<std::byte>& out);

struct RedoReply {
    bool ok = false;
    std::span<const std::byte> body;  // a page if ok, else an error text; valid until the reader is fed again
};

// Splits what a worker sends into replies. A reply that breaks the protocol is ErrorCode::corrupt; the stream is then over.
class ReplyReader {
public:
    ReplyReader();

    // Where the next bytes go, and how many came: space() is never empty while no whole reply is waiting.
    std::span<std::byte> space();
    void received(std::size_t bytes) { end_ += bytes; }

    Result<std::optional<RedoReply>> next();

private:
    std::vector<std::byte> buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace bough::pageserver
