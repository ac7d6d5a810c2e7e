// The model test: a few thousand steps here; BOUGH_MODEL_STEPS and BOUGH_MODEL_SEED for more (tests/slow/page_store_model).
#include <cstdlib>
#include <iostream>

#include <gtest/gtest.h>

#include "pageserver/gc/store_model.hpp"

namespace bough::pageserver {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(StoreModel, a_random_life_reads_as_the_model_wherever_history_is_kept) {
    const std::uint64_t steps = from_environment("BOUGH_MODEL_STEPS", 3000);
    const std::uint64_t seed = from_environment("BOUGH_MODEL_SEED", 1);
    SCOPED_TRACE("BOUGH_MODEL_SEED=" + std::to_string(seed));
    StoreModel model(seed);
    for (std::uint64_t i = 1; i <= steps; ++i) {
        model.step();
        ASSERT_FALSE(HasFailure()) << "in step " << i;
        if (i % 2000 == 0 || i == steps) model.compare_all();
        ASSERT_FALSE(HasFailure()) << "after step " << i;
        if (i % 50'000 == 0) std::cerr << i << " steps\n";
    }
    const StoreModelCounts& c = model.counts();
    std::cerr << "seed " << seed << ": " << c.records << " records, " << c.pages_compared << " pages, " << c.whole_states_compared
              << " whole states and " << c.moments_compared << " moments compared, " << c.refused << " times refused; "
              << c.branches_made << " branches made, " << c.branches_deleted << " deleted, " << c.snapshots_made << " snapshots, "
              << c.cutoffs_raised << " cutoffs raised, " << c.collections << " collections with " << c.images_at_cutoffs << " images, "
              << c.reopenings << " reopenings, " << c.crashes << " crashes\n";
    if (steps < 3000) return;
    for (const std::uint64_t count : {c.pages_compared, c.moments_compared, c.refused, c.branches_made, c.branches_deleted,
                                      c.snapshots_made, c.cutoffs_raised, c.collections, c.images_at_cutoffs, c.reopenings,
                                      c.crashes})
        EXPECT_GT(count, 0u);
}

}  // namespace
}  // namespace bough::pageserver
