#include "pgwire/startup.hpp"

#include <gtest/gtest.h>

#include "pgwire/reply.hpp"

namespace bough::pgwire {
namespace {

std::string packet(std::uint32_t code, std::string_view body) {
    std::string bytes;
    append_u32(bytes, static_cast<std::uint32_t>(body.size() + 8));
    append_u32(bytes, code);
    bytes += body;
    return bytes;
}

using namespace std::string_view_literals;

TEST(StartupPacket, gives_the_parameters_and_its_size) {
    auto bytes = packet(3u << 16, "user\0me\0replication\0true\0\0"sv) + "next";
    auto parsed = parse_startup(bytes);
    ASSERT_TRUE(parsed && *parsed);
    EXPECT_EQ((*parsed)->kind, StartupKind::startup);
    EXPECT_EQ((*parsed)->parameter("user"), "me");
    EXPECT_EQ((*parsed)->parameter("replication"), "true");
    EXPECT_EQ((*parsed)->parameter("absent"), "");
    EXPECT_EQ((*parsed)->size, bytes.size() - 4);
}

TEST(StartupPacket, every_prefix_asks_for_more) {
    auto bytes = packet(3u << 16, "user\0me\0\0"sv);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
        auto parsed = parse_startup(std::string_view(bytes).substr(0, n));
        ASSERT_TRUE(parsed) << n;
        EXPECT_FALSE(*parsed) << n;
    }
}

TEST(StartupPacket, requests_for_encryption_and_cancel_are_told_apart) {
    EXPECT_EQ((*parse_startup(packet(80877103, "")))->kind, StartupKind::ssl_request);
    EXPECT_EQ((*parse_startup(packet(80877104, "")))->kind, StartupKind::gssenc_request);
    auto cancel = *parse_startup(packet(80877102, "\0\0\0\7\0\0\0\x9"sv));
    EXPECT_EQ(cancel->kind, StartupKind::cancel_request);
    EXPECT_EQ(cancel->cancel_process, 7u);
    EXPECT_EQ(cancel->cancel_secret, 9u);
}

TEST(StartupPacket, garbage_is_refused_from_its_first_bytes) {
    EXPECT_EQ(parse_startup("GET / HTTP/1.1\r\n\r\n").error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(parse_startup(packet(2u << 16, "")).error().code, ErrorCode::unsupported);
    EXPECT_EQ(parse_startup("\0\0\0\7"sv).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(parse_startup("\0\1\0\0"sv).error().code, ErrorCode::invalid_argument);
    for (auto body : {"user"sv, "user\0me"sv, "user\0me\0"sv, "\0x"sv})
        EXPECT_EQ(parse_startup(packet(3u << 16, body)).error().code, ErrorCode::invalid_argument);
}

TEST(StartupPacket, unknown_protocol_options_are_named) {
    auto parsed = *parse_startup(packet(3u << 16 | 2, "_pq_.x\0001\0user\0me\0\0"sv));
    EXPECT_EQ(parsed->minor_version, 2);
    EXPECT_EQ(parsed->protocol_options(), std::vector<std::string>{"_pq_.x"});
}

TEST(StartupOptions, settings_are_read_as_postgres_reads_them) {
    auto settings = parse_options("-c bough.project=p  -cbough.branch=b --geqo=off -c x=a\\ b\\\\");
    ASSERT_TRUE(settings);
    std::map<std::string, std::string> expected{
        {"bough.project", "p"}, {"bough.branch", "b"}, {"geqo", "off"}, {"x", "a b\\"}};
    EXPECT_EQ(*settings, expected);
    EXPECT_TRUE(parse_options("")->empty());
}

TEST(StartupOptions, other_switches_are_refused) {
    for (auto bad : {"-c", "-c x", "-d 5", "x=y", "--", "-c =x"})
        EXPECT_EQ(parse_options(bad).error().code, ErrorCode::invalid_argument) << bad;
}

TEST(StartupOptions, replication_is_a_boolean) {
    for (auto yes : {"true", "ON", "yes", "1"}) EXPECT_TRUE(means_physical_replication(yes)) << yes;
    for (auto no : {"", "database", "false", "0"}) EXPECT_FALSE(means_physical_replication(no)) << no;
}

}  // namespace
}  // namespace bough::pgwire
