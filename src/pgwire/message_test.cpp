#include "pgwire/message.hpp"

#include <gtest/gtest.h>

namespace bough::pgwire {
namespace {

using namespace std::string_view_literals;

TEST(Message, gives_type_body_and_size) {
    auto parsed = parse_message("Q\0\0\0\7hi\0rest"sv, 100);
    ASSERT_TRUE(parsed && *parsed);
    EXPECT_EQ((*parsed)->type, 'Q');
    EXPECT_EQ((*parsed)->size, 8u);
    EXPECT_EQ(*text_of_body(**parsed), "hi");
}

TEST(Message, every_prefix_asks_for_more) {
    auto bytes = "Q\0\0\0\7hi\0"sv;
    for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(*parse_message(bytes.substr(0, n), 100)) << n;
}

TEST(Message, impossible_and_excessive_lengths_are_refused_at_once) {
    EXPECT_EQ(parse_message("Q\0\0\0\3"sv, 100).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(parse_message("Q\0\0\0\x69"sv, 100).error().code, ErrorCode::invalid_argument);
    EXPECT_FALSE(*parse_message("Q\0\0\0\x68"sv, 100));
    EXPECT_EQ(parse_message("Q\xff\xff\xff\xff"sv, 100).error().code, ErrorCode::invalid_argument);
}

TEST(Message, text_must_be_terminated_once_and_at_the_end) {
    for (auto body : {""sv, "x"sv, "x\0y"sv, "x\0y\0"sv})
        EXPECT_FALSE(text_of_body(Message{'Q', body, 0})) << body;
}

}  // namespace
}  // namespace bough::pgwire
