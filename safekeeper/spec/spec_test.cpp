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
