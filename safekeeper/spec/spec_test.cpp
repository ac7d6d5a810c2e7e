// The smallest bounds that say anything; the wider ones are `./dev slow exploration`.
#include <gtest/gtest.h>

#include "safekeeper/spec/explore.hpp"

namespace bough::safekeeper::spec {
namespace {

constexpr std::uint64_t kStatesMax = 1'000'000;

Bounds smallest() {
    Bounds bounds;
    bounds.attempts = 1;
    bounds.records = 0;
    bounds.give_ups = 0;
    return bounds;
}

TEST(Exploration, every_order_of_two_elections_keeps_the_promises) {
    auto result = explore(smallest(), kStatesMax);
    EXPECT_TRUE(result.complete);
    EXPECT_GT(result.states, 10'000U);
    EXPECT_GT(result.with_acknowledged, 1'000U);
}

// A part of a space that is too large to be walked through: everything may go wrong in it.
TEST(Exploration, a_part_of_wide_bounds_keeps_the_promises) {
    Bounds bounds;
    bounds.attempts = 1;
    bounds.records = 1;
    bounds.crashes = 1;
    bounds.failed_writes = 1;
    bounds.slow_actions = true;
    auto result = explore(bounds, 150'000);
    EXPECT_GE(result.states, 100'000U);
    EXPECT_GT(result.with_acknowledged, 1'000U);
}

using ExplorationDeathTest = ::testing::Test;

TEST(ExplorationDeathTest, finds_a_tail_that_was_not_cut) {
    auto bounds = smallest();
    bounds.defect = Defect::keeps_tail;
    bounds.give_ups = 1;  // one of three has what the others do not
    EXPECT_DEATH(explore(bounds, kStatesMax), "broken: .*this had happened");
}

TEST(ExplorationDeathTest, finds_a_vote_that_was_forgotten) {
    auto bounds = smallest();
    bounds.defect = Defect::forgets_votes;
    bounds.crashes = 1;
    EXPECT_DEATH(explore(bounds, kStatesMax), "this had happened");
}

}  // namespace
}  // namespace bough::safekeeper::spec
