#include "pageserver/read/page_cache.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace bough::pageserver {
namespace {

class PageCacheTest : public testing::Test {
protected:
    static PageCache::Key key(std::uint32_t block, std::uint32_t branch = 1, std::uint64_t store = 1) {
        return {store, BranchNumber{branch}, ObjectKey::page({{{1663, 5, 16384}, pg::Fork::main}, block})};
    }
    void put(const PageCache::Key& key, std::uint64_t version, std::uint64_t through, int fill) {
        const std::vector<std::byte> page(pg::kPageBytes, static_cast<std::byte>(fill));
        cache_.put(key, {Lsn{version}, Lsn{through}}, pg::ConstPage(page.data(), pg::kPageBytes));
    }
    // The byte that the page is full of; -1: not there.
    int get(const PageCache::Key& key, std::uint64_t at, bool unchanged = false) {
        std::vector<std::byte> page(pg::kPageBytes, std::byte{0xEE});
        const auto found = cache_.get(key, Lsn{at}, pg::Page(page.data(), pg::kPageBytes), [&](Lsn) { return unchanged; });
        if (!found) return -1;
        for (const std::byte b : page) EXPECT_EQ(b, page[0]);
        return std::to_integer<int>(page[0]);
    }

    PageCache cache_{64 * 4 * pg::kPageBytes};
};

TEST_F(PageCacheTest, a_page_answers_from_its_version_up_to_where_it_is_known) {
    put(key(1), 10, 20, 7);
    EXPECT_EQ(get(key(1), 9), -1);
    EXPECT_EQ(get(key(1), 10), 7);
    EXPECT_EQ(get(key(1), 20), 7);
    EXPECT_EQ(get(key(1), 21), -1);
    EXPECT_EQ(get(key(2), 15), -1);
    EXPECT_EQ(get(key(1, 2), 15), -1);
    EXPECT_EQ(get(key(1, 1, 2), 15), -1);
}

TEST_F(PageCacheTest, what_did_not_change_is_known_further_up_from_then_on) {
    put(key(1), 10, 20, 7);
    EXPECT_EQ(get(key(1), 30, true), 7);
    EXPECT_EQ(get(key(1), 30), 7);
    EXPECT_EQ(get(key(1), 31), -1);
}

TEST_F(PageCacheTest, what_is_known_further_up_stays) {
    put(key(1), 10, 20, 7);
    put(key(1), 5, 9, 6);
    EXPECT_EQ(get(key(1), 15), 7);
    put(key(1), 25, 30, 8);
    EXPECT_EQ(get(key(1), 27), 8);
    EXPECT_EQ(get(key(1), 15), -1);
}

TEST_F(PageCacheTest, holds_as_much_as_it_may_and_keeps_what_is_used) {
    put(key(0), 10, 20, 7);
    for (std::uint32_t block = 1; block < 5000; ++block) {
        put(key(block), 10, 20, static_cast<int>(block % 200));
        ASSERT_EQ(get(key(0), 20), 7) << block;
    }
    EXPECT_EQ(get(key(4999), 20), 4999 % 200);
    EXPECT_LE(cache_.bytes(), 64 * 4 * pg::kPageBytes);
    EXPECT_EQ(get(key(1), 20), -1);
}

TEST_F(PageCacheTest, one_without_room_holds_nothing) {
    PageCache none(0);
    const std::vector<std::byte> bytes(pg::kPageBytes);
    none.put(key(1), {Lsn{1}, Lsn{2}}, pg::ConstPage(bytes.data(), pg::kPageBytes));
    std::vector<std::byte> out(pg::kPageBytes);
    EXPECT_FALSE(none.get(key(1), Lsn{1}, pg::Page(out.data(), pg::kPageBytes), [](Lsn) { return true; }).has_value());
}

}  // namespace
}  // namespace bough::pageserver
