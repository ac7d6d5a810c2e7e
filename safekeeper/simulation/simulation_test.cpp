#include <gtest/gtest.h>

#include "safekeeper/simulation/runner.hpp"

namespace bough::safekeeper::simulation {
namespace {

// Other seeds than those of `./dev sim`, which begin at 1: what fails here is replayed there.
constexpr std::uint64_t kFirstSeed = 1'000'001;

TEST(Simulation, keeps_every_promise) {
    auto outcome = run_series({.first_seed = kFirstSeed, .seeds = 6500, .processes = 2, .defect = Defect::none, .quiet = false});
    EXPECT_FALSE(outcome.failed_seed.has_value()) << "seed " << *outcome.failed_seed << "; `./dev sim --replay` shows the run";
    // It was no idle time.
    EXPECT_GT(outcome.commits, outcome.runs * 10);
    EXPECT_GT(outcome.terms, outcome.runs * 3);
    EXPECT_GT(outcome.exchanges, outcome.runs / 2);
    EXPECT_GT(outcome.logs_begun_anew, outcome.runs / 2);
}

class PlantedDefect : public testing::TestWithParam<DefectName> {};

TEST_P(PlantedDefect, is_caught) {
    auto outcome = run_series({.first_seed = GetParam().first_seed, .seeds = 200, .processes = 2, .defect = GetParam().defect, .quiet = true});
    EXPECT_TRUE(outcome.failed_seed.has_value());
    EXPECT_NE(outcome.broken.find(GetParam().breaks), std::string::npos) << outcome.broken;
}

INSTANTIATE_TEST_SUITE_P(Simulation, PlantedDefect, testing::ValuesIn(defects()),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace bough::safekeeper::simulation
