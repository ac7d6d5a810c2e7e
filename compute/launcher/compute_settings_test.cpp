#include "compute/launcher/compute_settings.hpp"

#include <gtest/gtest.h>

namespace bough::compute {
namespace {

using Names = std::vector<std::string>;

TEST(SynchronousStandbyNames, tell_whom_they_were_made_of) {
    for (const auto& names : {Names{"sk1"}, Names{"sk1", "sk2", "sk3"}, Names{"a", "bough_b"}})
        EXPECT_EQ(standbys_of(synchronous_standby_names({1, names})), names);
    EXPECT_EQ(standbys_of("ANY 2 (bough_a, other,bough_c)"), (Names{"a", "c"}));
    for (const auto* other : {"", "*", "ANY 2 (", "FIRST 1 (a)", "bough_a"}) EXPECT_TRUE(standbys_of(other).empty()) << other;
}

}  // namespace
}  // namespace bough::compute
