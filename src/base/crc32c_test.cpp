#include "base/crc32c.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace bough {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

TEST(Crc32c, agrees_with_published_values) {
    EXPECT_EQ(crc32c(bytes_of("")), 0u);
    EXPECT_EQ(crc32c(bytes_of("123456789")), 0xE3069283u);
    EXPECT_EQ(crc32c(bytes_of(std::string(32, '\0'))), 0x8A9136AAu);
    EXPECT_EQ(crc32c(bytes_of(std::string(32, '\xFF'))), 0x62A8AB43u);
}

TEST(Crc32c, is_the_same_in_pieces_and_without_the_instruction) {
    std::string text;
    for (int i = 0; i < 1000; ++i) text.push_back(static_cast<char>(i * 7 + i / 13));
    const std::uint32_t whole = crc32c(bytes_of(text));
    EXPECT_EQ(detail::crc32c_extend_portable(0, bytes_of(text)), whole);
    for (std::size_t cut = 0; cut <= text.size(); cut += 37) {
        const auto head = bytes_of(text).first(cut), tail = bytes_of(text).subspan(cut);
        EXPECT_EQ(crc32c_extend(crc32c(head), tail), whole);
        EXPECT_EQ(detail::crc32c_extend_portable(detail::crc32c_extend_portable(0, head), tail), whole);
    }
}

TEST(Crc32c, is_the_same_at_every_length_whichever_way_the_processor_has) {
    std::string text;
    std::uint32_t state = 1;
    for (int i = 0; i < 10'000; ++i) text.push_back(static_cast<char>((state = state * 1664525u + 1013904223u) >> 24));
    for (std::size_t length = 0; length <= text.size(); length += length < 2000 ? 1 : 61) {
        const auto bytes = bytes_of(text).subspan(text.size() - length);
        for (const std::uint32_t begin : {0u, 0x12345678u, ~0u}) {
            const std::uint32_t expected = detail::crc32c_extend_portable(begin, bytes);
            EXPECT_EQ(crc32c_extend(begin, bytes), expected) << length;
            for (const auto extend : detail::crc32c_ways()) EXPECT_EQ(extend(begin, bytes), expected) << length;
        }
    }
}

}  // namespace
}  // namespace bough
