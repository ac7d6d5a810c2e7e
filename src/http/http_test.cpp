#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "http/client.hpp"
#include "http/router.hpp"
#include "http/server.hpp"
#include "http/url.hpp"

namespace bough::http {
namespace {

class HttpTest : public testing::Test {
protected:
    void SetUp() override {
        router_.add("GET", "/v1/things/{name}", [](const Request& request, const PathParameters& p) {
            auto extra = request.query.find("q");
            return Response{200, p.at("name") + (extra == request.query.end() ? "" : "?" + extra->second), "text/plain"};
        });
        router_.add("POST", "/echo", [](const Request& request, const PathParameters&) { return Response{201, request.body + request.bearer, "text/plain"}; });
        router_.add("GET", "/refuse", [](const Request&, const PathParameters&) {
            return error_response({ErrorCode::out_of_range, "too far", "go back"});
        });
        router_.add("GET", "/throw", [](const Request&, const PathParameters&) -> Response { throw std::runtime_error("boom"); });
        address_ = *net::Address::parse("unix:/tmp/bough-http-" + std::to_string(::getpid()) + ".sock");
        server_ = std::move(*Server::start(address_, [this](const Request& r) { return router_.dispatch(r); }, {4, 1 << 20}));
    }
    Router router_;
    net::Address address_;
    std::unique_ptr<Server> server_;
};

TEST_F(HttpTest, routes_parameters_bodies_and_bearers) {
    Client client(address_, "secret");
    auto first = client.call("GET", "/v1/things/x");
    ASSERT_TRUE(first.has_value()) << first.error().to_string();
    EXPECT_EQ(*client.call("GET", "/v1/things/" + encode("a b/ü") + "?q=" + encode("1+1&2")), "a b/ü?1+1&2");
    EXPECT_EQ(client.request("POST", "/echo", "hello ")->body, "hello secret");
    EXPECT_EQ(client.request("GET", "/nowhere")->status, 404u);
    EXPECT_EQ(client.request("DELETE", "/echo")->status, 405u);
    EXPECT_EQ(client.request("GET", "/throw")->status, 500u);
}

TEST_F(HttpTest, errors_keep_code_message_and_hint) {
    auto refused = Client(address_).call("GET", "/refuse");
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::out_of_range);
    EXPECT_EQ(refused.error().message, "too far");
    EXPECT_EQ(refused.error().hint, "go back");
}

TEST_F(HttpTest, a_server_restart_is_survived_by_an_idle_connection) {
    Client client(address_);
    ASSERT_TRUE(client.call("GET", "/v1/things/x").has_value());
    server_.reset();
    EXPECT_EQ(client.call("GET", "/v1/things/x").error().code, ErrorCode::unavailable);
    server_ = std::move(*Server::start(address_, [this](const Request& r) { return router_.dispatch(r); }));
    EXPECT_TRUE(client.call("GET", "/v1/things/x").has_value());
}

TEST_F(HttpTest, garbage_and_oversized_bodies_are_refused) {
    int fd = *net::connect(address_);
    ASSERT_GT(::send(fd, "\0\1\2garbage\r\n\r\n", 14, 0), 0);
    char reply[64] = {};
    ASSERT_GT(::recv(fd, reply, sizeof reply, 0), 0);
    EXPECT_EQ(std::string_view(reply, 12), "HTTP/1.1 400");
    ::close(fd);
    EXPECT_EQ(Client(address_).request("POST", "/echo", std::string(2 << 20, 'x'))->status, 413u);
    EXPECT_TRUE(Client(address_).call("GET", "/v1/things/x").has_value());
}

TEST_F(HttpTest, many_clients_at_once_on_tcp) {
    auto server = std::move(*Server::start(*net::Address::parse("127.0.0.1:0"), [this](const Request& r) { return router_.dispatch(r); }));
    Client client(*net::Address::parse("127.0.0.1:" + std::to_string(server->port())));
    std::atomic<int> good = 0;
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 50; ++i) {
                auto body = std::string(static_cast<std::size_t>(i) * 1000, 'b');
                auto reply = client.request("POST", "/echo", body);
                if (reply && reply->body == body) ++good;
            }
        });
    threads.clear();
    EXPECT_EQ(good, 400);
}

TEST(Target, bad_escapes_are_refused) {
    EXPECT_FALSE(parse_target("/a%2").has_value());
    EXPECT_FALSE(parse_target("/a%zz").has_value());
    EXPECT_FALSE(parse_target("a").has_value());
    EXPECT_EQ(parse_target("/a%2Fb?x=%20y&z")->query.at("x"), " y");
}

}  // namespace
}  // namespace bough::http
