#include "pageserver/redo/redo_message.hpp"

#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "bough/check.hpp"
#include "proto/redo_worker.h"

namespace bough::pageserver {

static_assert(std::endian::native == std::endian::little, "the structs are sent as they are");
static_assert(BOUGH_PAGE_BYTES == pg::kPageBytes && BOUGH_REDO_ALIGNED(pg::kPageBytes) == pg::kPageBytes);
static_assert(BOUGH_REDO_REPLY_RING_BYTES >= 2 * (sizeof(BoughRedoReplyHeader) + BOUGH_PAGE_BYTES));

namespace {

std::size_t aligned(std::size_t bytes) { return BOUGH_REDO_ALIGNED(bytes); }

class Writer {
public:
    explicit Writer(std::span<std::byte> out) : at_(out.data()), left_(out.size()) {}
    void put(const void* bytes, std::size_t count) {
        BOUGH_CHECK(aligned(count) <= left_);
        if (count > 0) std::memcpy(at_, bytes, count);
        std::memset(at_ + count, 0, aligned(count) - count);
        at_ += aligned(count);
        left_ -= aligned(count);
    }
    std::size_t left() const { return left_; }

private:
    std::byte* at_;
    std::size_t left_;
};

std::size_t apply_body_bytes(const RedoRequest& request) {
    std::size_t bytes = sizeof(BoughRedoApply) + (request.base ? pg::kPageBytes : 0);
    for (const RedoRecord& record : request.records) bytes += sizeof(BoughRedoRecord) + aligned(record.bytes.size());
    return bytes;
}

}  // namespace

std::size_t encoded_size(const RedoRequest& request) { return sizeof(BoughRedoRequestHeader) + apply_body_bytes(request); }
std::size_t encoded_mask_size() { return sizeof(BoughRedoRequestHeader) + sizeof(BoughRedoMask) + pg::kPageBytes; }

void encode_apply(const RedoRequest& request, std::span<std::byte> out) {
    const std::size_t body_bytes = out.size() - sizeof(BoughRedoRequestHeader);
    BOUGH_CHECK(body_bytes <= BOUGH_REDO_REQUEST_BYTES_MAX);
    Writer writer(out);
    const BoughRedoRequestHeader header{static_cast<std::uint32_t>(body_bytes), BOUGH_REDO_APPLY, {}};
    writer.put(&header, sizeof(header));

    const pg::Relation& relation = request.tag.fork.relation;
    BoughRedoApply apply{};
    apply.tag = {relation.tablespace, relation.database, relation.number, static_cast<std::uint8_t>(request.tag.fork.fork),
                 request.tag.block};
    apply.flags = static_cast<std::uint8_t>((request.base ? BOUGH_REDO_BASE_PRESENT : 0) |
                                            (request.hint_bits_logged ? BOUGH_REDO_HINT_BITS_LOGGED : 0));
    apply.record_count = static_cast<std::uint32_t>(request.records.size());
    writer.put(&apply, sizeof(apply));

    if (request.base) writer.put(request.base, pg::kPageBytes);
    for (const RedoRecord& record : request.records) {
        const BoughRedoRecord at{record.start.value, record.end.value, static_cast<std::uint32_t>(record.bytes.size()), 0};
        writer.put(&at, sizeof(at));
        writer.put(record.bytes.data(), record.bytes.size());
    }
    BOUGH_CHECK(writer.left() == 0);
}

void encode_mask(std::uint8_t resource_manager, std::uint32_t block, pg::ConstPage page, std::span<std::byte> out) {
    Writer writer(out);
    const BoughRedoRequestHeader header{sizeof(BoughRedoMask) + pg::kPageBytes, BOUGH_REDO_MASK, {}};
    const BoughRedoMask mask{resource_manager, {}, block};
    writer.put(&header, sizeof(header));
    writer.put(&mask, sizeof(mask));
    writer.put(page.data(), page.size());
    BOUGH_CHECK(writer.left() == 0);
}

Result<std::optional<RedoReply>> parse_reply(std::span<const std::byte> bytes) {
    BoughRedoReplyHeader header;
    if (bytes.size() < sizeof(header)) return std::optional<RedoReply>{};
    std::memcpy(&header, bytes.data(), sizeof(header));
    const bool plausible =
        header.status == 0 ? header.length == pg::kPageBytes : header.status == 1 && header.length < BOUGH_REDO_ERROR_BYTES_MAX;
    if (!plausible)
        return Error{ErrorCode::corrupt,
                     fmt::format("redo worker sent a reply of status {} and {} bytes", unsigned{header.status},
                                 std::uint32_t{header.length}),
                     {}};
    const std::size_t whole = sizeof(header) + aligned(header.length);
    if (bytes.size() < whole) return std::optional<RedoReply>{};
    return std::optional{RedoReply{header.status == 0, bytes.subspan(sizeof(header), header.length), whole}};
}

}  // namespace bough::pageserver
