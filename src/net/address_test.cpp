#include "net/address.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace bough::net {
namespace {

TEST(AddressText, round_trips) {
    for (const char* text : {"unix:/run/x.sock", "127.0.0.1:8432", "localhost:1", "[::1]:55432"}) {
        auto address = Address::parse(text);
        ASSERT_TRUE(address.has_value()) << text;
        EXPECT_EQ(address->to_string(), text);
        EXPECT_TRUE(address->is_loopback()) << text;
    }
    EXPECT_FALSE(Address::parse("0.0.0.0:1")->is_loopback());
}

TEST(AddressText, bad_forms_are_refused_with_a_hint) {
    for (std::string text : {std::string(""), std::string("host"), std::string(":1"), std::string("host:"), std::string("host:65536"),
                             std::string("host:1x"), std::string("unix:relative"), "unix:/" + std::string(200, 'x')}) {
        auto address = Address::parse(text);
        ASSERT_FALSE(address.has_value()) << text;
        EXPECT_EQ(address.error().code, ErrorCode::invalid_argument);
        EXPECT_FALSE(address.error().hint.empty()) << text;
    }
}

TEST(Listen, a_live_socket_is_refused_and_a_stale_one_replaced) {
    auto directory = std::filesystem::temp_directory_path() / ("bough-net-" + std::to_string(::getpid()));
    std::filesystem::create_directories(directory);
    auto address = *Address::parse("unix:" + (directory / "s").string());
    int first = *listen(address);
    EXPECT_EQ(listen(address).error().code, ErrorCode::failed_precondition);
    struct stat status {};
    ASSERT_EQ(::stat(address.unix_path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    ::close(first);
    auto second = listen(address);
    EXPECT_TRUE(second.has_value());
    ::close(*second);
    std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace bough::net
