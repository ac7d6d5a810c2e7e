#include "pageserver/admin/creations.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <optional>
#include <stdexcept>
#include <utility>

#include <gtest/gtest.h>

namespace bough::pageserver {
namespace {

using namespace std::chrono_literals;

// Something at a path, which can be made and deleted.
class CreationsTest : public ::testing::Test {
protected:
    Result<http::Response> make(const std::string& id) { return making_({}, {{"branch", id}}); }
    Result<http::Response> remove(const std::string& id) { return deleting_({}, {{"branch", id}}); }

    std::atomic<bool> there_ = false;
    std::function<void()> while_making_ = [] {};
    std::function<void()> while_deleting_ = [] {};
    std::optional<Error> refusal_;  // of deletions

private:
    Creations creations_;
    FallibleRoute making_ = creations_.making([this](const auto&, const auto&) -> Result<http::Response> {
        while_making_();
        there_ = true;
        return http::Response{201, {}};
    });
    FallibleRoute deleting_ = creations_.deleting([this](const auto&, const auto&) -> Result<http::Response> {
        std::exchange(while_deleting_, [] {})();
        if (refusal_) return *refusal_;
        if (!there_.exchange(false)) return Error{ErrorCode::not_found, "nothing there", {}};
        return http::Response{};
    });
};

TEST_F(CreationsTest, what_was_deleted_before_it_was_made_is_not_made) {
    EXPECT_EQ(remove("a").error().code, ErrorCode::not_found);
    EXPECT_EQ(make("a").error().code, ErrorCode::failed_precondition);
    EXPECT_FALSE(there_);
    EXPECT_TRUE(make("b"));
}

TEST_F(CreationsTest, what_was_there_can_be_made_again) {
    there_ = true;
    ASSERT_TRUE(remove("a"));
    EXPECT_TRUE(make("a"));
}

TEST_F(CreationsTest, what_could_not_be_deleted_can_be_made) {
    refusal_ = Error{ErrorCode::failed_precondition, "has children", {}};
    EXPECT_EQ(remove("a").error().code, ErrorCode::failed_precondition);
    EXPECT_TRUE(make("a"));
}

TEST_F(CreationsTest, what_is_being_deleted_is_not_made) {
    there_ = true;
    std::optional<ErrorCode> refused;
    while_deleting_ = [&] { refused = make("a").error().code; };
    ASSERT_TRUE(remove("a"));
    EXPECT_EQ(refused, ErrorCode::failed_precondition);
    EXPECT_TRUE(make("a"));
}

TEST_F(CreationsTest, one_deletion_does_not_take_back_what_another_said) {
    while_deleting_ = [&] {
        EXPECT_EQ(remove("a").error().code, ErrorCode::not_found);
        there_ = true;
    };
    EXPECT_TRUE(remove("a"));
    EXPECT_EQ(make("a").error().code, ErrorCode::failed_precondition);
}

TEST_F(CreationsTest, a_creation_that_throws_has_ended) {
    while_making_ = [] { throw std::runtime_error("no memory"); };
    EXPECT_THROW((void)make("a"), std::runtime_error);
    EXPECT_EQ(remove("a").error().code, ErrorCode::not_found);
}

TEST_F(CreationsTest, a_deletion_waits_for_what_is_being_made) {
    std::promise<void> begun;
    std::promise<void> go_on;
    while_making_ = [&] {
        begun.set_value();
        go_on.get_future().wait();
    };
    auto made = std::async(std::launch::async, [&] { return make("a").has_value(); });
    begun.get_future().wait();
    auto removed = std::async(std::launch::async, [&] { return remove("a").has_value(); });
    EXPECT_EQ(removed.wait_for(50ms), std::future_status::timeout);
    go_on.set_value();
    EXPECT_TRUE(made.get());
    EXPECT_TRUE(removed.get());
    EXPECT_FALSE(there_);
}

}  // namespace
}  // namespace bough::pageserver
