#include "pageserver/page_store/open_layer.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "pageserver/page_store/object_hash.hpp"

namespace bough::pageserver {
namespace {

ObjectKey page(std::uint32_t block) { return ObjectKey::page({{{1663, 5, 16384}, pg::Fork::main}, block}); }

class OpenLayerTest : public testing::Test {
protected:
    std::uint32_t put(const ObjectKey& key, Lsn lsn, std::string_view value, bool is_base = false) {
        bool first = false;
        return layer_.put(key, hash_object(key), lsn, value, is_base, first);
    }
    std::vector<std::string> values(const ObjectKey& key) const {
        std::vector<std::string> found;
        const auto* object = layer_.find(key);
        if (object == nullptr) return found;
        for (const auto* version = object->newest(); version != nullptr; version = version->older())
            found.emplace_back(version->value());
        return found;
    }

    OpenBytes bytes_{1 << 30};
    OpenLayer layer_{bytes_};
};

TEST_F(OpenLayerTest, versions_of_each_object_are_newest_first_in_whatever_order_they_come) {
    put(page(1), Lsn{20}, "b");
    put(page(1), Lsn{10}, "a");
    put(page(1), Lsn{30}, "c");
    put(page(2), Lsn{15}, "other");
    EXPECT_EQ(values(page(1)), (std::vector<std::string>{"c", "b", "a"}));
    EXPECT_EQ(values(page(3)), std::vector<std::string>{});
    EXPECT_EQ(layer_.find(page(1))->newest_at(Lsn{29})->value(), "b");
    EXPECT_EQ(layer_.find(page(1))->newest_at(Lsn{9}), nullptr);
}

TEST_F(OpenLayerTest, a_version_at_the_same_lsn_takes_the_place_of_the_one_before) {
    put(page(1), Lsn{10}, "a");
    put(page(1), Lsn{20}, "b");
    put(page(1), Lsn{10}, "image");
    EXPECT_EQ(layer_.find(page(1))->newest_at(Lsn{10})->value(), "image");
    EXPECT_EQ(layer_.find(page(1))->newest_at(Lsn{20})->value(), "b");
}

TEST_F(OpenLayerTest, a_lower_version_leaves_the_newest_where_it_is) {
    put(page(1), Lsn{30}, "c");
    put(page(1), Lsn{10}, "a");
    put(page(1), Lsn{20}, "b");
    put(page(1), Lsn{10}, "image");
    put(page(1), Lsn{15}, "between");
    put(page(1), Lsn{40}, "d");
    EXPECT_EQ(values(page(1)), (std::vector<std::string>{"d", "c", "b", "between", "image", "a"}));
}

TEST_F(OpenLayerTest, counts_the_changes_since_the_last_base) {
    EXPECT_EQ(put(page(1), Lsn{1}, "image", true), 0u);
    EXPECT_EQ(put(page(1), Lsn{2}, "r"), 1u);
    EXPECT_EQ(put(page(1), Lsn{3}, "r"), 2u);
    EXPECT_EQ(put(page(1), Lsn{4}, "image", true), 0u);
}

TEST_F(OpenLayerTest, its_memory_is_counted_while_it_lives_and_small_while_it_holds_little) {
    {
        OpenLayer small(bytes_);
        bool first = false;
        small.put(page(1), hash_object(page(1)), Lsn{1}, "x", true, first);
        EXPECT_TRUE(first);
        EXPECT_GT(bytes_.now(), 0u);
        EXPECT_LT(bytes_.now(), 4096u);
    }
    EXPECT_EQ(bytes_.now(), 0u);
}

TEST_F(OpenLayerTest, rows_are_listed_apart_from_pages) {
    put(page(1), Lsn{1}, "x", true);
    put(ObjectKey::two_phase(7), Lsn{1}, "y", true);
    ASSERT_NE(layer_.rows(), nullptr);
    EXPECT_EQ(layer_.rows()->key(), ObjectKey::two_phase(7));
    EXPECT_EQ(layer_.rows()->next_row(), nullptr);
    EXPECT_EQ(layer_.object_count(), 2u);
}

// The writer tells how far it has come, as ingest does with the branch's position; readers must then find everything below, in
// order, whole, while tables grow and lists are added to.
TEST_F(OpenLayerTest, readers_find_all_that_was_announced_while_the_writer_goes_on) {
    constexpr std::uint32_t kPages = 3000;
    constexpr std::uint64_t kVersions = 60'000;
    std::atomic<std::uint64_t> announced = 0;
    std::atomic<std::uint64_t> found = 0;
    std::vector<std::jthread> readers;
    for (int reader = 0; reader < 3; ++reader) {
        readers.emplace_back([&, reader] {
            std::uint64_t i = static_cast<std::uint64_t>(reader);
            while (announced.load(std::memory_order_acquire) < kVersions) {
                const std::uint64_t end = announced.load(std::memory_order_acquire);
                if (end == 0) continue;
                const std::uint64_t lsn = 1 + (i += 7919) % end;
                const auto* object = layer_.find(page(static_cast<std::uint32_t>(lsn % kPages)));
                ASSERT_NE(object, nullptr);
                const auto* version = object->newest_at(Lsn{lsn});
                ASSERT_NE(version, nullptr);
                ASSERT_EQ(version->lsn(), Lsn{lsn});
                ASSERT_EQ(version->value(), std::to_string(lsn * 31));
                if (version->older() != nullptr) {
                    ASSERT_EQ(version->older()->lsn(), Lsn{lsn - kPages});
                }
                found.fetch_add(1, std::memory_order_relaxed);
            }
        });
    }
    for (std::uint64_t lsn = 1; lsn <= kVersions; ++lsn) {
        put(page(static_cast<std::uint32_t>(lsn % kPages)), Lsn{lsn}, std::to_string(lsn * 31));
        announced.store(lsn, std::memory_order_release);
        // On a busy machine all would be written before anybody reads.
        while (lsn == kVersions / 2 && found.load(std::memory_order_relaxed) < 1000 && !testing::Test::HasFailure()) std::this_thread::yield();
    }
    readers.clear();
    EXPECT_GE(found, 1000u);
}

}  // namespace
}  // namespace bough::pageserver
