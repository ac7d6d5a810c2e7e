#include "pageserver/branching/erasure_stretches.hpp"

#include <cstdint>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace bough::pageserver {
namespace {

using Numbers = std::vector<std::uint32_t>;

std::vector<Numbers> stretches(const Numbers& living, const Numbers& erasing) {
    const auto set = [](const Numbers& numbers) {
        std::set<BranchNumber> made;
        for (const std::uint32_t number : numbers) made.insert(BranchNumber{number});
        return made;
    };
    std::vector<Numbers> found;
    for (const auto& stretch : stretches_between(set(living), set(erasing))) {
        found.emplace_back();
        for (const BranchNumber number : stretch) found.back().push_back(number.value);
    }
    return found;
}

TEST(ErasureStretches, are_divided_by_living_branches_and_nothing_else) {
    using Stretches = std::vector<Numbers>;
    EXPECT_EQ(stretches({}, {}), Stretches{});
    EXPECT_EQ(stretches({1, 5}, {}), Stretches{});
    EXPECT_EQ(stretches({}, {4}), Stretches{{4}});
    EXPECT_EQ(stretches({1}, {2, 3, 4}), (Stretches{{2, 3, 4}}));
    EXPECT_EQ(stretches({9}, {2, 3, 4}), (Stretches{{2, 3, 4}}));
    EXPECT_EQ(stretches({1, 9}, {2, 5, 7}), (Stretches{{2, 5, 7}}));  // those between are long gone
    EXPECT_EQ(stretches({1, 4}, {2, 3, 5, 6}), (Stretches{{2, 3}, {5, 6}}));
    EXPECT_EQ(stretches({3, 5}, {2, 4, 6}), (Stretches{{2}, {4}, {6}}));
    EXPECT_EQ(stretches({1, 3, 4}, {2, 8, 20}), (Stretches{{2}, {8, 20}}));
}

}  // namespace
}  // namespace bough::pageserver
