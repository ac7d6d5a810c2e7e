#include "pageserver/page_store/image_candidates.hpp"

#include <limits>
#include <random>
#include <set>

#include <gtest/gtest.h>

namespace bough::pageserver {
namespace {

ObjectKey page(std::uint32_t relation, std::uint32_t block) {
    return ObjectKey::page({{{1663, 5, relation}, pg::Fork::main}, block});
}

TEST(ImageCandidates, gives_each_branchs_pages_once_in_order_and_no_more_than_asked_for) {
    std::mt19937_64 random(1);
    ImageCandidates candidates;
    std::map<BranchNumber, std::set<ObjectKey>> expected;
    for (int i = 0; i < 20'000; ++i) {
        const BranchNumber branch{static_cast<std::uint32_t>(random() % 3)};
        const std::uint32_t block = i % 7 == 0 ? std::numeric_limits<std::uint32_t>::max() - static_cast<std::uint32_t>(random() % 9)
                                               : static_cast<std::uint32_t>(random() % 50'000);
        const ObjectKey one = i % 11 == 0 ? ObjectKey::slru_page(pg::Slru::xact, block)
                                          : page(16384 + static_cast<std::uint32_t>(random() % 2), block);
        candidates.add(branch, one);
        expected[branch].insert(one);
    }
    EXPECT_TRUE(candidates.has(BranchNumber{2}));
    candidates.forget(BranchNumber{2});
    EXPECT_FALSE(candidates.has(BranchNumber{2}));
    EXPECT_TRUE(candidates.has(BranchNumber{1}));
    EXPECT_TRUE(candidates.take(BranchNumber{2}, 1).empty());
    for (const BranchNumber branch : {BranchNumber{1}, BranchNumber{0}}) {
        std::vector<ObjectKey> all;
        while (true) {
            const auto some = candidates.take(branch, 13);
            EXPECT_LE(some.size(), 13u);
            if (some.empty()) break;
            all.insert(all.end(), some.begin(), some.end());
        }
        EXPECT_EQ(all, std::vector(expected[branch].begin(), expected[branch].end()));
    }
}

TEST(ImageCandidates, is_bounded_and_takes_again_once_there_is_room) {
    ImageCandidates candidates;
    constexpr std::size_t kMax = ImageCandidates::kStretchesMax;
    for (std::uint32_t i = 0; i < kMax + 10; ++i) candidates.add(BranchNumber{1}, page(16384 + i, 0));
    candidates.add(BranchNumber{1}, page(16384, 1));  // has its place already
    EXPECT_EQ(candidates.take(BranchNumber{1}, 1), std::vector{page(16384, 0)});
    EXPECT_EQ(candidates.take(BranchNumber{1}, 2 * kMax).size(), kMax);
    candidates.add(BranchNumber{1}, page(16384 + kMax, 0));
    EXPECT_EQ(candidates.take(BranchNumber{1}, 2), std::vector{page(16384 + kMax, 0)});
}

}  // namespace
}  // namespace bough::pageserver
