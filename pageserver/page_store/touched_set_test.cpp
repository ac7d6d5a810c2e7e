#include "pageserver/page_store/touched_set.hpp"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "pageserver/page_store/object_hash.hpp"

namespace bough::pageserver {
namespace {

std::uint64_t page(std::uint32_t block) { return hash_object(ObjectKey::page({{{1663, 5, 16384}, pg::Fork::main}, block})); }

TEST(TouchedSet, contains_what_was_added_and_hardly_anything_else) {
    TouchedSet set;
    EXPECT_FALSE(set.may_contain(page(0)));
    for (std::uint32_t i = 0; i < 10'000; ++i) set.add(page(i));
    EXPECT_FALSE(set.add(page(7)));
    int wrong = 0;
    for (std::uint32_t i = 0; i < 10'000; ++i) {
        EXPECT_TRUE(set.may_contain(page(i)));
        wrong += set.may_contain(page(100'000 + i)) ? 1 : 0;
    }
    EXPECT_LE(wrong, 2) << "10,000 of four billion";
}

TEST(TouchedSet, becomes_everything_when_it_is_too_large) {
    TouchedSet set;
    for (std::uint32_t i = 0; i < 2 * TouchedSet::kObjectsMax; ++i) set.add(page(i));
    EXPECT_TRUE(set.contains_everything());
    EXPECT_TRUE(set.may_contain(page(1'000'000)));
    TouchedSet again;
    ASSERT_TRUE(again.add_encoded(set.encode()).has_value());
    EXPECT_TRUE(again.contains_everything());
}

TEST(TouchedSet, comes_back_from_what_is_stored_and_refuses_what_is_none) {
    TouchedSet set;
    for (std::uint32_t i = 0; i < 100; ++i) set.add(page(i));
    const std::string stored = set.encode();
    TouchedSet again;
    ASSERT_TRUE(again.add_encoded(stored).has_value());
    EXPECT_EQ(again.size(), set.size());
    for (std::uint32_t i = 0; i < 100; ++i) EXPECT_TRUE(again.may_contain(page(i)));
    for (const std::string& bad : {std::string(), stored.substr(0, stored.size() - 1), std::string("\x02", 1),
                                   std::string("\x01x"), std::string("\0\0\0\0\0", 5)}) {
        TouchedSet other;
        EXPECT_EQ(other.add_encoded(bad).error().code, ErrorCode::corrupt) << bad.size();
    }
}

TEST(TouchedSet, several_together_contain_what_each_does) {
    TouchedSet even, odd, all;
    for (std::uint32_t i = 0; i < 5'000; ++i) (i % 2 == 0 ? even : odd).add(page(i));
    all.add_all(TouchedSet());
    EXPECT_FALSE(all.may_contain(page(0)));
    all.add_all(even);
    all.add_all(odd);
    all.trim();
    EXPECT_EQ(all.size(), 5'000u);
    for (std::uint32_t i = 0; i < 5'000; ++i) ASSERT_TRUE(all.may_contain(page(i)));
    int wrong = 0;
    for (std::uint32_t i = 0; i < 5'000; ++i) wrong += all.may_contain(page(100'000 + i)) ? 1 : 0;
    EXPECT_LE(wrong, 2);
    all.add(page(5'000));
    EXPECT_TRUE(all.may_contain(page(5'000)));
    even.add_everything();
    EXPECT_FALSE(even.add(page(1)));
    all.add_all(even);
    all.add_all(odd);
    all.trim();
    EXPECT_TRUE(all.contains_everything() && all.may_contain(page(1'000'000)));
}

TEST(TouchedSet, readers_find_what_was_announced_while_it_grows) {
    TouchedSet set;
    std::atomic<std::uint32_t> announced = 0;
    constexpr std::uint32_t kEnd = TouchedSet::kObjectsMax + 100;  // it becomes everything on the way
    std::jthread reader([&] {
        for (std::uint32_t i = 0; announced.load() < kEnd; i += 7919) {
            const std::uint32_t end = announced.load(std::memory_order_acquire);
            if (end != 0) {
                ASSERT_TRUE(set.may_contain(page(i % end)));
                TouchedSet all;
                if (i % 64 == 0) {
                    all.add_all(set);
                    ASSERT_TRUE(all.may_contain(page(i % end)));
                }
            }
        }
    });
    for (std::uint32_t i = 0; i < kEnd; ++i) {
        set.add(page(i));
        announced.store(i + 1, std::memory_order_release);
    }
}

}  // namespace
}  // namespace bough::pageserver
