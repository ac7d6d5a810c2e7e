#include <gtest/gtest.h>

#include "safekeeper/consensus/core.hpp"

namespace bough::safekeeper::consensus {
namespace {

TEST(Quorum, is_the_position_a_majority_has_reached) {
    auto ends = [](std::initializer_list<std::uint64_t> values) {
        std::vector<Lsn> result;
        for (auto value : values) result.push_back(Lsn{value});
        return result;
    };
    EXPECT_EQ(quorum_end(ends({7}), 1), Lsn{7});
    EXPECT_EQ(quorum_end(ends({7}), 3), Lsn{0});
    EXPECT_EQ(quorum_end(ends({7, 5}), 3), Lsn{5});
    EXPECT_EQ(quorum_end(ends({7, 5, 9}), 3), Lsn{7});
    EXPECT_EQ(quorum_end(ends({1, 2, 3, 4, 5}), 5), Lsn{3});
    EXPECT_EQ(quorum_end(ends({4, 5}), 5), Lsn{0});
}

}  // namespace
}  // namespace bough::safekeeper::consensus
