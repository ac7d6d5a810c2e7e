#include "pg/wal_segment.hpp"

#include <gtest/gtest.h>

namespace bough::pg {
namespace {

constexpr std::uint32_t kMegabyte = 1u << 20;

TEST(WalSegment, names_are_those_of_postgres) {
    const Lsn lsn = *Lsn::parse("16/B374D848");
    EXPECT_EQ(wal_segment_name(segment_of(lsn, 16 * kMegabyte), 16 * kMegabyte), "0000000100000016000000B3");
    EXPECT_EQ(wal_segment_name(segment_of(lsn, kMegabyte), kMegabyte, 10), "0000000A0000001600000B37");
    EXPECT_EQ(wal_segment_name(segment_of(lsn, 1024 * kMegabyte), 1024 * kMegabyte), "000000010000001600000002");
}

TEST(WalSegment, names_parse_back) {
    for (const std::uint32_t size : {kMegabyte, 16 * kMegabyte, 1024 * kMegabyte}) {
        for (const std::uint64_t number : {std::uint64_t{1}, std::uint64_t{255}, std::uint64_t{256}, std::uint64_t{4095 * 7}}) {
            const SegmentNumber segment{number};
            const auto parsed = parse_wal_segment_name(wal_segment_name(segment, size, 3), size);
            ASSERT_TRUE(parsed);
            EXPECT_EQ(*parsed, (WalSegmentName{segment, 3}));
            EXPECT_EQ(segment_of(segment_begin(segment, size), size), segment);
        }
    }
}

TEST(WalSegment, other_names_are_refused) {
    for (const char* name :
         {"", "00000001000000160000000", "0000000100000016000000B3.partial", "00000001000000160000010B",
          "0000000100000016000000b3", "0000000000000016000000B3", "00000002.history", "000000010000001600000 B3"})
        EXPECT_FALSE(parse_wal_segment_name(name, 16 * kMegabyte)) << name;
}

}  // namespace
}  // namespace bough::pg
