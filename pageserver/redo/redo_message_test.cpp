// Replies come from a process that was fed outside bytes: nothing in them is trusted.
#include "pageserver/redo/redo_message.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

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
    const BoughRedoReplyHeader header{static_cast<std::uint32_t>(body.size()), status};
    return std::string(reinterpret_cast<const char*>(&header), sizeof(header)).append(body);
}

std::string_view text_of(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// Feeds `bytes` in pieces, and collects what comes out: a page's first byte, or an error's text.
Result<std::vector<std::string>> read_replies(std::string_view bytes, std::size_t piece) {
    ReplyReader reader;
    std::vector<std::string> replies;
    while (!bytes.empty()) {
        const auto space = reader.space();
        EXPECT_FALSE(space.empty());
        const std::size_t count = std::min({piece, bytes.size(), space.size()});
        std::memcpy(space.data(), bytes.data(), count);
        bytes.remove_prefix(count);
        reader.received(count);
        for (;;) {
            auto reply = reader.next();
            if (!reply) return reply.error();
            if (!*reply) break;
            replies.push_back((*reply)->ok ? std::string(1, text_of((*reply)->body)[0]) : std::string(text_of((*reply)->body)));
        }
    }
    return replies;
}

TEST(ReplyReader, replies_survive_any_chopping) {
    std::string stream;
    std::vector<std::string> expected;
    for (int i = 0; i < 100; i++) {
        const bool ok = i % 3 != 0;
        const PageBytes page = page_of('A' + i % 26);
        const std::string error = "error " + std::string(static_cast<std::size_t>(i), 'e');
        stream += ok ? reply_bytes(0, text_of(page)) : reply_bytes(1, error);
        expected.push_back(ok ? std::string(1, static_cast<char>('A' + i % 26)) : error);
    }
    for (const std::size_t piece : {std::size_t{1}, std::size_t{4}, std::size_t{5}, std::size_t{4096}, std::size_t{8197},
                                    std::size_t{100'000}, stream.size()}) {
        const auto replies = read_replies(stream, piece);
        ASSERT_TRUE(replies);
        EXPECT_EQ(*replies, expected) << "pieces of " << piece;
    }
}

TEST(ReplyReader, what_is_no_reply_is_an_error) {
    const PageBytes page = page_of('p');
    EXPECT_FALSE(read_replies(reply_bytes(0, text_of(page).substr(1)), 100));
    EXPECT_FALSE(read_replies(reply_bytes(0, ""), 100));
    EXPECT_FALSE(read_replies(reply_bytes(2, text_of(page)), 100));
    EXPECT_FALSE(read_replies(reply_bytes(1, std::string(BOUGH_REDO_ERROR_BYTES_MAX, 'x')), 100));
    EXPECT_FALSE(read_replies("\xff\xff\xff\xff\x01", 100));
    EXPECT_TRUE(read_replies(reply_bytes(1, ""), 100));
}

TEST(EncodeApply, sizes_are_as_announced) {
    const PageBytes base = page_of('b');
    const std::array<std::byte, 30> record{};
    const std::array<RedoRecord, 2> records{RedoRecord{Lsn{0x100}, Lsn{0x120}, record},
                                            RedoRecord{Lsn{0x120}, Lsn{0x140}, record}};
    RedoRequest request{{{{1663, 5, 16384}, pg::Fork::visibility}, 7}, base.data(), records, true};
    std::vector<std::byte> bytes;
    encode_apply(request, bytes);
    EXPECT_EQ(bytes.size(), encoded_size(request));

    BoughRedoRequestHeader header;
    BoughRedoApply apply;
    std::memcpy(&header, bytes.data(), sizeof(header));
    std::memcpy(&apply, bytes.data() + sizeof(header), sizeof(apply));
    EXPECT_EQ(std::uint32_t{header.length}, bytes.size() - sizeof(header));
    EXPECT_EQ(header.verb, BOUGH_REDO_APPLY);
    EXPECT_EQ(apply.flags, BOUGH_REDO_BASE_PRESENT | BOUGH_REDO_HINT_BITS_LOGGED);
    EXPECT_EQ(std::uint32_t{apply.record_count}, 2u);
    EXPECT_EQ(apply.tag.fork, 2);

    request.base = nullptr;
    std::vector<std::byte> without_base;
    encode_apply(request, without_base);
    EXPECT_EQ(without_base.size(), bytes.size() - pg::kPageBytes);
    EXPECT_EQ(without_base.size(), encoded_size(request));
}

}  // namespace
}  // namespace bough::pageserver
