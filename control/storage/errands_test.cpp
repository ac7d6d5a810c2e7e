#include "control/storage/errands.hpp"

#include <atomic>

#include <gtest/gtest.h>
#include <unistd.h>

#include "files/files.hpp"
#include "http/server.hpp"

namespace bough::control {
namespace {

using namespace std::chrono_literals;

const ProjectId kProject = *ProjectId::parse("p1");
const BranchId kBranch = *BranchId::parse("b1");
const ErrandRow kRest{"sk1", kProject, kBranch, ErrandRow::Kind::rest};
const ErrandRow kRemove{"sk1", kProject, kBranch, ErrandRow::Kind::remove};

class ErrandsTest : public testing::Test {
protected:
    void SetUp() override {
        directory_ = std::filesystem::temp_directory_path() / ("bough-errands-" + std::to_string(::getpid()));
        ASSERT_TRUE(files::make_directories(directory_));
        reopen();
        ASSERT_TRUE(catalog_->put(SafekeeperRow{"sk1", "unix:" + (directory_ / "sk1.sock").string(), "host=/nowhere", {}, false}));
    }
    void TearDown() override {
        catalog_.reset();
        ASSERT_TRUE(files::remove_tree(directory_));
    }
    void reopen() {
        catalog_.reset();
        auto opened = Catalog::open(directory_ / "catalog");
        ASSERT_TRUE(opened) << opened.error().to_string();
        catalog_ = std::move(*opened);
    }
    // Answers as a safekeeper that keeps the branch in term 3.
    std::unique_ptr<http::Server> safekeeper() {
        auto started = http::Server::start(*net::Address::parse("unix:" + (directory_ / "sk1.sock").string()), [this](const http::Request& request) {
            if (request.method == "DELETE") ++deletes_;
            if (request.method == "POST") ++votes_;
            return http::Response{200, R"({"term":3,"last_term":3,"history":[],"start_lsn":"0/1","flush_lsn":"0/1","end_lsn":"0/1",)"
                                       R"("last_record_lsn":"0/0","commit_lsn":"0/1","configuration":{"generation":0,"members":[],"next":[],"term":3}})"};
        });
        EXPECT_TRUE(started);
        return std::move(*started);
    }
    bool comes_true(const std::function<bool()>& condition) {
        for (int i = 0; i < 1000; ++i) {
            if (condition()) return true;
            std::this_thread::sleep_for(10ms);
        }
        return false;
    }
    std::filesystem::path directory_;
    std::unique_ptr<Catalog> catalog_;
    std::atomic<int> deletes_{0}, votes_{0};
};

TEST_F(ErrandsTest, a_deletion_reaches_a_safekeeper_that_was_away_also_after_a_restart) {
    {
        Safekeepers safekeepers(*catalog_);
        Errands errands(*catalog_, safekeepers);
        ASSERT_TRUE(errands.add(kRemove));
    }
    reopen();
    ASSERT_EQ(catalog_->errands(), std::vector{kRemove});
    Safekeepers safekeepers(*catalog_);
    Errands errands(*catalog_, safekeepers);
    std::this_thread::sleep_for(50ms);  // tried in vain
    auto server = safekeeper();
    EXPECT_TRUE(comes_true([&] { return catalog_->errands().empty(); }));
    EXPECT_EQ(deletes_, 1);
    EXPECT_EQ(votes_, 0);
}

TEST_F(ErrandsTest, one_that_left_is_put_to_rest_unless_it_comes_back_first) {
    Safekeepers safekeepers(*catalog_);
    Errands errands(*catalog_, safekeepers);
    ASSERT_TRUE(errands.add(kRest));
    ASSERT_TRUE(errands.call_off_rest(kProject, kBranch, {"sk1", "sk2"}));
    auto server = safekeeper();
    std::this_thread::sleep_for(1500ms);  // longer than it would have been tried again
    EXPECT_EQ(votes_, 0);
    ASSERT_TRUE(errands.add(kRest));
    EXPECT_TRUE(comes_true([&] { return catalog_->errands().empty(); }));
    EXPECT_EQ(votes_, 1);
}

TEST_F(ErrandsTest, a_removal_is_not_forgotten_for_a_rest) {
    ASSERT_TRUE(catalog_->put(kRest));
    ASSERT_TRUE(catalog_->put(kRemove));
    ASSERT_TRUE(catalog_->put(kRest));
    EXPECT_EQ(catalog_->errands(), std::vector{kRemove});
    ASSERT_TRUE(catalog_->remove(kRest));
    EXPECT_EQ(catalog_->errands(), std::vector{kRemove});
}

}  // namespace
}  // namespace bough::control
