#include <gtest/gtest.h>

#include "safekeeper/spec/explore.hpp"

namespace bough::safekeeper::spec {
namespace {

// A part of the space; all of it within larger bounds is `./dev slow exploration`.
TEST(Exploration, finds_no_broken_promise) {
    auto explored = explore({.attempts = 1, .records = 1, .crashes = 1, .failed_writes = 1}, 150'000);
    EXPECT_GE(explored.states, 100'000u);
    EXPECT_GT(explored.with_acknowledged, 1000u);
}

}  // namespace
}  // namespace bough::safekeeper::spec
