#include "pgwire/reply.hpp"

#include <gtest/gtest.h>

#include "pgwire/message.hpp"

namespace bough::pgwire {
namespace {

using namespace std::string_view_literals;

std::string made(void (*append)(std::string&)) {
    std::string out = "before";  // what is already there stays untouched
    append(out);
    EXPECT_EQ(out.substr(0, 6), "before");
    return out.substr(6);
}

TEST(Reply, fixed_messages_have_the_bytes_of_the_specification) {
    EXPECT_EQ(made(append_authentication_ok), "R\0\0\0\x8\0\0\0\0"sv);
    EXPECT_EQ(made(append_authentication_cleartext_password), "R\0\0\0\x8\0\0\0\3"sv);
    EXPECT_EQ(made(append_ready_for_query), "Z\0\0\0\5I"sv);
    EXPECT_EQ(made(append_copy_both_response), "W\0\0\0\7\0\0\0"sv);
    EXPECT_EQ(made(append_copy_done), "c\0\0\0\4"sv);
}

TEST(Reply, error_carries_sqlstate_message_and_hint) {
    std::string out;
    append_error(out, {.severity = "FATAL", .sqlstate = "28P01", .message = "no", .hint = "do"});
    EXPECT_EQ(out, "E\0\0\0\x22SFATAL\0VFATAL\0C28P01\0Mno\0Hdo\0\0"sv);
}

TEST(Reply, text_with_a_zero_byte_cannot_break_the_framing) {
    std::string out;
    append_error(out, {.message = std::string("a\0b\0"sv)});
    auto parsed = parse_message(out, 1000);
    ASSERT_TRUE(parsed && *parsed);
    EXPECT_EQ((*parsed)->size, out.size());
    EXPECT_EQ(out.find("b\0"sv), std::string::npos);
}

TEST(Reply, rows_have_nulls_and_lengths) {
    std::string out;
    append_row_description(out, {{"a", ColumnType::text}, {"b", ColumnType::int8}});
    append_data_row(out, {Value{"xyz"}, Value{}});
    auto first = *parse_message(out, 1000);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->type, 'T');
    auto second = *parse_message(std::string_view(out).substr(first->size), 1000);
    ASSERT_TRUE(second);
    EXPECT_EQ(second->body, "\0\2\0\0\0\3xyz\xff\xff\xff\xff"sv);
}

TEST(Reply, copy_data_frames_its_body) {
    std::string out;
    append_copy_data(out, "abc");
    EXPECT_EQ(out, "d\0\0\0\7abc"sv);
}

}  // namespace
}  // namespace bough::pgwire
