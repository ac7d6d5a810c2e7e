#include "control/branching/dropped_wal.hpp"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "pg/wal_page_writer.hpp"

namespace bough::control {
namespace {

constexpr std::uint32_t kSegment = 1u << 20;

// Every place in a log of records of all lengths: nothing that ended is left out, and a log can go on there.
TEST(DroppedWal, no_record_ends_between_the_place_and_the_lsn) {
    std::mt19937 random(7);
    Lsn begin{3ull * kSegment - 12000};
    auto writer = pg::WalPageWriter::open(SystemId{5}, kSegment, 1, begin, {}).value();
    std::vector<Lsn> ends{begin};
    while (ends.back() < Lsn{3ull * kSegment + 12000}) {
        std::vector<std::byte> record(24 + random() % 700);
        ends.push_back(writer.append(record).end);
    }
    // One that fills its page, so that it ends on a page boundary.
    auto page_left = [&] { return 8192 - ends.back().value % 8192; };
    while (page_left() < 24 || page_left() == 8192) ends.push_back(writer.append(std::vector<std::byte>(24)).end);
    ends.push_back(writer.append(std::vector<std::byte>(page_left())).end);
    ASSERT_EQ(ends.back().value % 8192, 0u);
    Lsn last_place;
    for (Lsn lsn = begin; lsn < ends.back() + 100; lsn = lsn + 1) {
        auto place = last_place_for_an_end(lsn, kSegment);
        ASSERT_LE(place, lsn);
        auto before = std::prev(std::ranges::upper_bound(ends, lsn));
        ASSERT_GE(place, *before) << lsn.to_string();
        if (place == std::exchange(last_place, place)) continue;
        ASSERT_TRUE(pg::WalPageWriter::open(SystemId{5}, kSegment, 1, place, {})) << place.to_string();
    }
}

}  // namespace
}  // namespace bough::control
