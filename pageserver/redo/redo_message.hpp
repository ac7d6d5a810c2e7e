// The bytes of proto/redo_worker.h: requests out, replies in. No I/O here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "bough/error.hpp"
#include "pageserver/redo/redo_request.hpp"
#include "pg/page_tag.hpp"

namespace bough::pageserver {

// Bytes that a request takes.
std::size_t encoded_size(const RedoRequest& request);
std::size_t encoded_mask_size();

// Both fill `out`, which is as long as the request takes.
void encode_apply(const RedoRequest& request, std::span<std::byte> out);
void encode_mask(std::uint8_t resource_manager, std::uint32_t block, pg::ConstPage page, std::span<std::byte> out);

struct RedoReply {
    bool ok = false;
    std::span<const std::byte> body;  // a page if ok, else an error text; in the bytes given
    std::size_t whole_bytes = 0;      // that the reply takes
};

// The reply at the front of `bytes`, if it is there in whole. ErrorCode::corrupt if it breaks the protocol. The bytes may change
// while they are read (a worker may write to them): what is returned was checked as it was read, once; the body may differ from
// one look to the next, never its length.
Result<std::optional<RedoReply>> parse_reply(std::span<const std::byte> bytes);

}  // namespace bough::pageserver
