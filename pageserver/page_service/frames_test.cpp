#include "pageserver/page_service/frames.hpp"

#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "pageserver/testing/page_client.hpp"

namespace bough::pageserver {
namespace {

std::span<const std::byte> bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

TEST(Frames, requests_come_whole_however_they_are_cut) {
    const std::string sent = hello_frame("p", "b0") + get_pages_frame(7, Lsn{99}, true, 3, {{{1, 2, 3}, pg::Fork::main}, 4});
    for (std::size_t step = 1; step < sent.size(); ++step) {
        FrameReader reader;
        std::vector<RequestFrame> got;
        for (std::size_t at = 0; at < sent.size(); at += step) {
            reader.feed(bytes(sent).subspan(at, std::min(step, sent.size() - at)));
            while (true) {
                auto frame = reader.next();
                ASSERT_TRUE(frame.has_value());
                if (!*frame) break;
                got.push_back(std::move(**frame));
            }
        }
        ASSERT_EQ(got.size(), 2u);
        EXPECT_EQ(std::get<HelloFrame>(got[0]).branch, "b0");
        const auto& request = std::get<GetPagesFrame>(got[1]);
        EXPECT_EQ(request.request_id, 7u);
        EXPECT_EQ(request.lsn, Lsn{99});
        EXPECT_TRUE(request.exact);
        EXPECT_EQ(request.count, 3);
        EXPECT_EQ(request.tag.block, 4u);
        EXPECT_TRUE(reader.empty());
    }
}

TEST(Frames, what_breaks_the_rules_is_refused_before_its_body_is_awaited) {
    const auto refused = [](const std::string& sent) {
        FrameReader reader;
        reader.feed(bytes(sent));
        return !reader.next().has_value();
    };
    EXPECT_TRUE(refused("GET / HTTP/1.1\r\n"));
    EXPECT_TRUE(refused(std::string("\x10\x00\x00\x00\x09", 5)));          // unknown type
    EXPECT_TRUE(refused(std::string("\x01\x10\x00\x00\x02", 5)));          // 4097 bytes
    EXPECT_TRUE(refused(get_pages_frame(1, Lsn{1}, true, 0, {})));         // no pages
    EXPECT_TRUE(refused(get_pages_frame(1, Lsn{1}, true, 129, {})));       // too many
    EXPECT_TRUE(refused(get_pages_frame(1, Lsn{1}, true, 128, {{}, ~0u - 10})));
    std::string bad_mode = get_pages_frame(1, Lsn{1}, true, 1, {});
    bad_mode[5 + 16] = 2;
    EXPECT_TRUE(refused(bad_mode));
    std::string bad_magic = hello_frame("p", "b0");
    bad_magic[5] = 'X';
    EXPECT_TRUE(refused(bad_magic));
}

TEST(Frames, any_bytes_are_parsed_or_refused) {
    std::mt19937_64 random(4);
    const std::string good = hello_frame("p", "b0") + get_pages_frame(7, Lsn{99}, true, 3, {{{1, 2, 3}, pg::Fork::main}, 4});
    for (int i = 0; i < 20000; ++i) {
        std::string sent = good;
        for (std::uint64_t changes = random() % 4; changes > 0; --changes) sent[random() % sent.size()] = static_cast<char>(random());
        FrameReader reader;
        reader.feed(bytes(sent));
        while (true) {
            const auto frame = reader.next();
            if (!frame || !*frame) break;
        }
    }
}

TEST(Frames, long_error_texts_are_cut) {
    const Error error{ErrorCode::corrupt, std::string(100'000, 'm'), std::string(100'000, 'h')};
    EXPECT_LT(encode_error(1, error).size(), 5000u);
    EXPECT_NE(encode_error(1, error).find("XX001"), std::string::npos);
}

}  // namespace
}  // namespace bough::pageserver
