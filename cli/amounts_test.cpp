#include "cli/amounts.hpp"

#include <gtest/gtest.h>

namespace bough::cli {
namespace {

TEST(Amounts, are_read_with_their_units) {
    EXPECT_EQ(*parse_duration("90"), 90u);
    EXPECT_EQ(*parse_duration("30m"), 1800u);
    EXPECT_EQ(*parse_duration("7d"), 604'800u);
    EXPECT_EQ(*parse_byte_size("0"), 0u);
    EXPECT_EQ(*parse_byte_size("64kB"), 65'536u);
    EXPECT_EQ(*parse_byte_size("10GB"), 10ull << 30);
}

TEST(Amounts, that_make_no_sense_are_refused) {
    for (const char* text : {"", "d", "7 d", "-1d", "7x", "7dd", "1.5h", "99999999999999999999", "18446744073709551615w"})
        EXPECT_EQ(parse_duration(text).error().code, ErrorCode::invalid_argument) << text;
    for (const char* text : {"", "GB", "1gb", "10G", "18446744073709551615TB"})
        EXPECT_EQ(parse_byte_size(text).error().code, ErrorCode::invalid_argument) << text;
}

}  // namespace
}  // namespace bough::cli
