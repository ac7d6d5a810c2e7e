#include "control/storage/safekeepers.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "files/files.hpp"
#include "http/server.hpp"

namespace bough::control {
namespace {

const ProjectId kProject = *ProjectId::parse("p1");
const BranchId kBranch = *BranchId::parse("b1");

class SafekeepersTest : public testing::Test {
protected:
    void SetUp() override {
        directory_ = std::filesystem::temp_directory_path() / ("bough-safekeepers-" + std::to_string(::getpid()));
        ASSERT_TRUE(files::make_directories(directory_));
        auto opened = Catalog::open(directory_ / "catalog");
        ASSERT_TRUE(opened) << opened.error().to_string();
        catalog_ = std::move(*opened);
    }
    void TearDown() override {
        catalog_.reset();
        ASSERT_TRUE(files::remove_tree(directory_));
    }
    std::string socket(const std::string& name) const { return "unix:" + (directory_ / (name + ".sock")).string(); }
    SafekeeperAddress at(const std::string& name, const std::string& admin, const std::string& wal) const {
        return {name, *net::Address::parse(socket(admin)), "host=" + wal, {}};
    }
    // Of that identity; refuses calls that are meant for another one, as a safekeeper does.
    std::unique_ptr<http::Server> safekeeper(const std::string& name, const std::string& identity) const {
        auto started = http::Server::start(*net::Address::parse(socket(name)), [identity](const http::Request& request) {
            auto meant = request.query.find("identity");
            if (meant != request.query.end() && meant->second != identity) return http::Response{412, R"({"error":{"message":"other data"}})"};
            if (request.path == "/status") return http::Response{200, R"({"identity":")" + identity + R"("})"};
            return http::Response{200, R"({"term":3,"last_term":3,"history":[],"start_lsn":"0/1","flush_lsn":"0/1","end_lsn":"0/1",)"
                                       R"("last_record_lsn":"0/0","commit_lsn":"0/1","configuration":{"generation":0,"members":[],"next":[],"term":3}})"};
        });
        EXPECT_TRUE(started);
        return std::move(*started);
    }
    std::filesystem::path directory_;
    std::unique_ptr<Catalog> catalog_;
};

TEST_F(SafekeepersTest, each_is_named_once) {
    Safekeepers safekeepers(*catalog_);
    const std::vector<std::vector<SafekeeperAddress>> twins = {
        {at("sk1", "a", "a"), at("sk2", "b", "b"), at("sk1", "c", "c")},
        {at("sk1", "a", "a"), at("sk2", "a", "b")},
        {at("sk1", "a", "a"), at("sk2", "b", "a")},
    };
    for (const auto& addresses : twins) {
        auto introduced = safekeepers.introduce(addresses);
        ASSERT_FALSE(introduced);
        EXPECT_EQ(introduced.error().code, ErrorCode::invalid_argument);
        EXPECT_TRUE(catalog_->safekeepers().empty());
    }
    EXPECT_TRUE(safekeepers.introduce({at("sk1", "a", "a"), at("sk2", "b", "b")}));
    EXPECT_EQ(catalog_->safekeepers().size(), 2U);
}

TEST_F(SafekeepersTest, one_that_is_known_under_another_name_does_not_count_twice) {
    Safekeepers safekeepers(*catalog_);
    // Neither runs yet, so nobody knows that both addresses will lead to the same data.
    ASSERT_TRUE(safekeepers.introduce({at("sk1", "a", "a"), at("sk2", "b", "b")}));
    auto first = safekeeper("a", "same"), second = safekeeper("b", "same");
    EXPECT_TRUE(safekeepers.find("sk1")->position(kProject, kBranch));
    EXPECT_FALSE(safekeepers.find("sk2")->position(kProject, kBranch));
    EXPECT_FALSE(safekeepers.find("sk2")->vote(kProject, kBranch, Term{4}));
    // One with data of its own in its place is taken.
    second.reset();
    second = safekeeper("b", "another");
    EXPECT_TRUE(safekeepers.find("sk2")->position(kProject, kBranch));
}

}  // namespace
}  // namespace bough::control
