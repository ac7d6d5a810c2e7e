// Replies come from a process that was fed outside bytes: nothing in them is trusted.
#include "pageserver/redo/redo_message.hpp"

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proto/redo_worker.h"

namespace bough::pageserver {
namespace {

using PageBytes = std::array<std::byte, pg::kPageBytes>;

PageBytes page_of(int value) {
    PageBytes page;
    page.fill(static_cast<std::byte>(value));
    return page;
}

std::string reply_bytes(std::uint8_t status, std::string_view body) {
    const BoughRedoReplyHeader header{static_cast<std::uint32_t>(body.size()), status, {}};
    std::string bytes = std::string(reinterpret_cast<const char*>(&header), sizeof(header)).append(body);
    return bytes.append(BOUGH_REDO_ALIGNED(bytes.size()) - bytes.size(), '\0');
}

std::string_view text_of(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
Result<std::optional<RedoReply>> parse(std::string_view bytes) { return parse_reply(std::as_bytes(std::span(bytes))); }

TEST(ParseReply, a_reply_is_there_only_once_it_is_whole) {
    const PageBytes page = page_of('p');
    for (const bool ok : {true, false}) {
        const std::string bytes = reply_bytes(ok ? 0 : 1, ok ? text_of(page) : "what went wrong");
        for (std::size_t length = 0; length < bytes.size(); length++) {
            const auto reply = parse(std::string_view(bytes).substr(0, length));
            ASSERT_TRUE(reply);
            ASSERT_FALSE(*reply) << length;
        }
        const std::string longer = bytes + "and more";
        const auto reply = parse(longer);
        ASSERT_TRUE(reply && *reply);
        EXPECT_EQ((*reply)->ok, ok);
        EXPECT_EQ((*reply)->whole_bytes, bytes.size());
        EXPECT_EQ(text_of((*reply)->body), ok ? text_of(page) : "what went wrong");
    }
}

TEST(ParseReply, what_is_no_reply_is_an_error) {
    const PageBytes page = page_of('p');
    EXPECT_FALSE(parse(reply_bytes(0, text_of(page).substr(1))));
    EXPECT_FALSE(parse(reply_bytes(0, "")));
    EXPECT_FALSE(parse(reply_bytes(2, text_of(page))));
    EXPECT_FALSE(parse(reply_bytes(1, std::string(BOUGH_REDO_ERROR_BYTES_MAX, 'x'))));
    EXPECT_FALSE(parse("\xff\xff\xff\xff\x01\x01\x01\x01"));
    EXPECT_TRUE(parse(reply_bytes(1, "")));
}

TEST(EncodeApply, parts_are_where_they_are_announced) {
    const PageBytes base = page_of('b');
    std::array<std::byte, 30> record{};
    record.fill(std::byte{0xEE});
    const std::array<RedoRecord, 2> records{RedoRecord{Lsn{0x100}, Lsn{0x120}, record},
                                            RedoRecord{Lsn{0x120}, Lsn{0x140}, std::span(record).first(8)}};
    RedoRequest request{{{{1663, 5, 16384}, pg::Fork::visibility}, 7}, base.data(), records, true};
    std::vector<std::byte> bytes(encoded_size(request));
    encode_apply(request, bytes);

    BoughRedoRequestHeader header;
    BoughRedoApply apply;
    std::memcpy(&header, bytes.data(), sizeof(header));
    std::memcpy(&apply, bytes.data() + sizeof(header), sizeof(apply));
    EXPECT_EQ(std::uint32_t{header.length}, bytes.size() - sizeof(header));
    EXPECT_EQ(header.verb, BOUGH_REDO_APPLY);
    EXPECT_EQ(apply.flags, BOUGH_REDO_BASE_PRESENT | BOUGH_REDO_HINT_BITS_LOGGED);
    EXPECT_EQ(std::uint32_t{apply.record_count}, 2u);
    EXPECT_EQ(apply.tag.fork, 2);
    std::size_t at = sizeof(header) + sizeof(apply);
    EXPECT_EQ(std::memcmp(bytes.data() + at, base.data(), base.size()), 0);
    at += base.size();
    for (const RedoRecord& r : records) {
        BoughRedoRecord placed;
        std::memcpy(&placed, bytes.data() + at, sizeof(placed));
        at += sizeof(placed);
        EXPECT_EQ(std::uint32_t{placed.length}, r.bytes.size());
        EXPECT_EQ(std::uint64_t{placed.end_lsn}, r.end.value);
        EXPECT_EQ(std::memcmp(bytes.data() + at, r.bytes.data(), r.bytes.size()), 0);
        at += BOUGH_REDO_ALIGNED(r.bytes.size());
    }
    EXPECT_EQ(at, bytes.size());

    request.base = nullptr;
    EXPECT_EQ(encoded_size(request), bytes.size() - pg::kPageBytes);
}

}  // namespace
}  // namespace bough::pageserver
