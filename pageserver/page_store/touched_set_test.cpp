#include "pageserver/page_store/touched_set.hpp"

#include <algorithm>
#include <atomic>
#include <set>
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

TEST(TouchedSet, names_all_that_it_holds) {
    TouchedSet set;
    EXPECT_TRUE(set.fingerprints()->empty());
    std::set<std::uint32_t> added;
    for (std::uint32_t i = 0; i < 5'000; ++i) {
        set.add(page(i));
        added.insert(TouchedSet::fingerprint(page(i)));
    }
    const auto named = *set.fingerprints();
    EXPECT_EQ(named.size(), set.size());
    EXPECT_EQ(std::set<std::uint32_t>(named.begin(), named.end()), added);
    set.add_everything();
    EXPECT_FALSE(set.add(page(1)));
    EXPECT_FALSE(set.fingerprints().has_value());
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
                if (i % 64 == 0) {
                    const auto named = set.fingerprints();
                    ASSERT_TRUE(!named || std::ranges::count(*named, TouchedSet::fingerprint(page(i % end))) > 0);
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
