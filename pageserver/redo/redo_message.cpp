#include "pageserver/redo/redo_message.hpp"

#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "bough/check.hpp"
#include "proto/redo_worker.h"

namespace bough::pageserver {

static_assert(std::endian::native == std::endian::little, "the structs are sent as they are");
static_assert(BOUGH_PAGE_BYTES == pg::kPageBytes);

namespace {

// Many replies with one read.
constexpr std::size_t kReplyBufferBytes = 256 * 1024;
static_assert(kReplyBufferBytes >= 2 * (sizeof(BoughRedoReplyHeader) + BOUGH_PAGE_BYTES));

void append(std::vector<std::byte>& out, const void* bytes, std::size_t count) {
    const auto* begin = static_cast<const std::byte*>(bytes);
    out.insert(out.end(), begin, begin + count);
}

std::size_t apply_body_bytes(const RedoRequest& request) {
    std::size_t bytes = sizeof(BoughRedoApply) + (request.base ? pg::kPageBytes : 0);
    for (const RedoRecord& record : request.records) bytes += sizeof(BoughRedoRecord) + record.bytes.size();
    return bytes;
}

}  // namespace

std::size_t encoded_size(const RedoRequest& request) { return sizeof(BoughRedoRequestHeader) + apply_body_bytes(request); }

void encode_apply(const RedoRequest& request, std::vector<std::byte>& out) {
    const std::size_t body_bytes = apply_body_bytes(request);
    BOUGH_CHECK(body_bytes <= BOUGH_REDO_REQUEST_BYTES_MAX);
    const BoughRedoRequestHeader header{static_cast<std::uint32_t>(body_bytes), BOUGH_REDO_APPLY};
    append(out, &header, sizeof(header));

    const pg::Relation& relation = request.tag.fork.relation;
    BoughRedoApply apply{};
    apply.tag = {relation.tablespace, relation.database, relation.number, static_cast<std::uint8_t>(request.tag.fork.fork),
                 request.tag.block};
    apply.flags = static_cast<std::uint8_t>((request.base ? BOUGH_REDO_BASE_PRESENT : 0) |
                                            (request.hint_bits_logged ? BOUGH_REDO_HINT_BITS_LOGGED : 0));
    apply.record_count = static_cast<std::uint32_t>(request.records.size());
    append(out, &apply, sizeof(apply));

    if (request.base) append(out, request.base, pg::kPageBytes);
    for (const RedoRecord& record : request.records) {
        const BoughRedoRecord at{record.start.value, record.end.value, static_cast<std::uint32_t>(record.bytes.size())};
        append(out, &at, sizeof(at));
        append(out, record.bytes.data(), record.bytes.size());
    }
}

void encode_mask(std::uint8_t resource_manager, std::uint32_t block, pg::ConstPage page, std::vector<std::byte>& out) {
    const BoughRedoRequestHeader header{sizeof(BoughRedoMask) + pg::kPageBytes, BOUGH_REDO_MASK};
    const BoughRedoMask mask{resource_manager, block};
    append(out, &header, sizeof(header));
    append(out, &mask, sizeof(mask));
    append(out, page.data(), page.size());
}

ReplyReader::ReplyReader() : buffer_(kReplyBufferBytes) {}

std::span<std::byte> ReplyReader::space() {
    if (begin_ == end_) {
        begin_ = end_ = 0;
    } else if (buffer_.size() - begin_ < sizeof(BoughRedoReplyHeader) + pg::kPageBytes) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    return std::span(buffer_).subspan(end_);
}

Result<std::optional<RedoReply>> ReplyReader::next() {
    BoughRedoReplyHeader header;
    if (end_ - begin_ < sizeof(header)) return std::optional<RedoReply>{};
    std::memcpy(&header, buffer_.data() + begin_, sizeof(header));
    const bool plausible =
        header.status == 0 ? header.length == pg::kPageBytes : header.status == 1 && header.length < BOUGH_REDO_ERROR_BYTES_MAX;
    if (!plausible)
        return Error{ErrorCode::corrupt,
                     fmt::format("redo worker sent a reply of status {} and {} bytes", unsigned{header.status},
                                 std::uint32_t{header.length}),
                     {}};
    if (end_ - begin_ < sizeof(header) + header.length) return std::optional<RedoReply>{};
    const RedoReply reply{header.status == 0, std::span(buffer_).subspan(begin_ + sizeof(header), header.length)};
    begin_ += sizeof(header) + header.length;
    return std::optional{reply};
}

}  // namespace bough::pageserver
