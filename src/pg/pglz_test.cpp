#include "pg/pglz.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "pg/bytes.hpp"

namespace bough::pg {
namespace {

using namespace std::string_literals;

// The text that `compressed` gives if `length` bytes are expected.
std::optional<std::string> decompress(const std::string& compressed, std::size_t length) {
    std::vector<std::byte> out(length);
    if (!pglz_decompress(as_bytes(compressed), out)) return std::nullopt;
    return std::string(as_text(out));
}

TEST(Pglz, gives_literals_and_matches) {
    EXPECT_EQ(decompress("\x00"s + "abcdefgh", 8), "abcdefgh");
    // A match may overlap what it makes: one byte, then six more like it.
    EXPECT_EQ(decompress("\x02"s + "a" + "\x03\x01", 7), "aaaaaaa");
    EXPECT_EQ(decompress("\x04"s + "ab" + "\x01\x02" + "c", 7), "abababc");
    // A length of 18 and more takes a third byte.
    EXPECT_EQ(decompress("\x02"s + "a" + "\x0F\x01\x05"s, 24), std::string(24, 'a'));
    // A distance of more than 255.
    std::string far;
    for (int group = 0; group < 40; ++group) far += "\x00"s + "01234567";
    EXPECT_EQ(decompress(far + "\x01\x10\x2C"s, 323)->substr(320), "456");
    EXPECT_EQ(decompress("", 0), "");
}

TEST(Pglz, refuses_what_is_damaged) {
    EXPECT_FALSE(decompress("\x00"s + "abc", 4)) << "too short";
    EXPECT_FALSE(decompress("\x00"s + "abcd", 3)) << "too long";
    EXPECT_FALSE(decompress("\x01\x03\x01"s, 6)) << "a match before any byte";
    EXPECT_FALSE(decompress("\x02"s + "a" + "\x03\x00"s, 7)) << "a match of distance 0";
    EXPECT_FALSE(decompress("\x02"s + "a" + "\x03\x02"s, 7)) << "a match from before the start";
    EXPECT_FALSE(decompress("\x02"s + "a" + "\x03", 7)) << "half a match";
    EXPECT_FALSE(decompress("\x02"s + "a" + "\x0F\x01"s, 24)) << "a long match without its length";
}

}  // namespace
}  // namespace bough::pg
