#include "safekeeper/segment/segment_drop.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include <gtest/gtest.h>

#include "safekeeper/segment/durable_file.hpp"
#include "safekeeper/segment/first_segment.hpp"
#include "safekeeper/segment/testing/written_wal.hpp"
#include "safekeeper/segment/wal_log.hpp"
#include "safekeeper/segment/wal_reader.hpp"

namespace bough::safekeeper::segment {
namespace {

using namespace testing;

constexpr RecordBoundary kBegin{kStart, kStartRecord};

class SegmentDropTest : public ::testing::Test {
protected:
    SegmentDropTest() { std::filesystem::create_directories(place_.directory); }
    ~SegmentDropTest() override {
        preallocator_.wait_until_idle();
        std::filesystem::remove_all(place_.directory);
    }

    void keep(const WrittenWal& wal, RecordBoundary from = kBegin) {
        WalLog log(place_, from, preallocator_);
        ASSERT_TRUE(log.begin_receiving());
        ASSERT_TRUE(log.append(from.end, wal.bytes(from.end, wal.end())));
        log.sync();
        log.close();
        preallocator_.wait_until_idle();
    }
    std::vector<std::uint64_t> segments() const {
        std::vector<std::uint64_t> numbers;
        for (const auto& entry : std::filesystem::directory_iterator(place_.directory))
            if (auto name = pg::parse_wal_segment_name(entry.path().filename().string(), kSegment)) numbers.push_back(name->segment.value);
        std::ranges::sort(numbers);
        return numbers;
    }

    WalPlace place_ = place_of_test();
    Preallocator preallocator_;
};

TEST_F(SegmentDropTest, every_point_is_a_boundary_at_or_below_the_limit_and_frees_all_segments_but_one) {
    WrittenWal wal{kStart};
    for (std::size_t i = 0; wal.end() < Lsn{9ull * kSegment}; ++i) wal.add(40 + i * 7919 % 30000);
    keep(wal);
    for (Lsn limit = kStart; limit <= wal.end(); limit = limit + 12347) {
        auto found = find_drop_point(place_, kBegin, limit);
        ASSERT_TRUE(found) << found.error().to_string();
        auto last = place_.segment_at(limit).value;
        if (!*found) {
            EXPECT_LE(last, place_.segment_at(kStart).value + 1) << limit.to_string();
            continue;
        }
        EXPECT_LE((*found)->end, limit);
        EXPECT_NE(std::ranges::find(wal.boundaries, **found), wal.boundaries.end());
        EXPECT_GE(place_.segment_at((*found)->end).value + 1, last);
    }
}

TEST_F(SegmentDropTest, a_record_over_many_segments_stays_whole) {
    WrittenWal wal{kStart};
    wal.add(1000);
    auto giant = wal.add(3 * kSegment + 12345);
    auto after = wal.add(500);
    keep(wal);
    // While only a part of it may go, nothing does.
    EXPECT_EQ(find_drop_point(place_, kBegin, giant.end + 0).value(), std::nullopt);
    EXPECT_EQ(find_drop_point(place_, kBegin, Lsn{giant.end.value - 8}).value(), std::nullopt);
    EXPECT_EQ(find_drop_point(place_, kBegin, after.end).value(), after);
}

TEST_F(SegmentDropTest, a_log_goes_on_from_its_new_beginning) {
    WrittenWal wal{kStart};
    while (wal.end() < Lsn{8ull * kSegment + 1000}) wal.add(9000);
    keep(wal);
    auto begin = find_drop_point(place_, kBegin, Lsn{6ull * kSegment + kSegment / 2}).value().value();
    auto dropped = drop_segments_below(place_, begin.end).value();
    EXPECT_EQ(dropped.segments, 3u);
    // The first segment has nothing before the branch's start.
    EXPECT_GT(dropped.bytes, 2u * kSegment);
    EXPECT_LE(dropped.bytes, 3u * kSegment);
    EXPECT_EQ(segments().front(), 6u);
    EXPECT_EQ(drop_segments_below(place_, begin.end).value().segments, 0u);

    WalLog log(place_, begin, preallocator_);
    auto recovered = log.recover(begin);
    ASSERT_TRUE(recovered) << recovered.error().to_string();
    EXPECT_EQ(log.position().end, wal.end());
    // Every boundary that is left is found, also where the segment before is gone.
    for (const auto& boundary : wal.boundaries) {
        if (boundary.end < begin.end) continue;
        EXPECT_EQ(find_boundary(place_, begin, boundary.end).value(), boundary);
    }
    // And it can be cut down to its beginning.
    ASSERT_TRUE(log.cut(begin.end));
    EXPECT_EQ(log.position(), (consensus::LogPosition{begin.end, begin.end, begin.start}));
}

TEST_F(SegmentDropTest, the_newest_segment_never_goes) {
    WrittenWal wal{kStart};
    while (wal.end() < Lsn{5ull * kSegment}) wal.add(5000);
    keep(wal);
    auto begin = find_drop_point(place_, kBegin, wal.end()).value().value();
    ASSERT_TRUE(drop_segments_below(place_, begin.end));
    WalReader reader{place_};
    std::vector<std::byte> rest(wal.end() - begin.end);
    ASSERT_TRUE(reader.read_all(begin.end, rest));
    EXPECT_TRUE(std::ranges::equal(rest, wal.bytes(begin.end, wal.end())));
}

TEST_F(SegmentDropTest, a_damaged_segment_is_not_taken_for_a_beginning) {
    WrittenWal wal{kStart};
    while (wal.end() < Lsn{6ull * kSegment + 100000}) wal.add(9000);
    keep(wal);
    auto sound = find_drop_point(place_, kBegin, wal.end()).value().value();
    auto file = open_file(place_.path_of(place_.segment_at(sound.end)), O_RDWR).value();
    ASSERT_TRUE(write_at(file.get(), std::as_bytes(std::span("damage", 6)), place_.offset_of(sound.start + 100), "test"));
    EXPECT_EQ(find_drop_point(place_, kBegin, wal.end()).error().code, ErrorCode::corrupt);
}

// A log that begins anew behind its end: whatever step a crash follows, what is found is the old log or the new one.
TEST_F(SegmentDropTest, a_new_beginning_is_invisible_until_it_is_the_log_s) {
    WrittenWal wal{kStart};
    for (int i = 0; i < 20; ++i) wal.add(5000);
    keep(wal);
    WrittenWal far{Lsn{9ull * kSegment + 80}, Lsn{9ull * kSegment}};
    RecordBoundary begin{Lsn{9ull * kSegment + 80}, Lsn{8ull * kSegment + 400}};
    ASSERT_TRUE(prepare_beginning(place_, begin.end, far.bytes(Lsn{9ull * kSegment}, begin.end)));
    {
        WalLog old(place_, kBegin, preallocator_);
        ASSERT_TRUE(old.recover(kBegin));
        EXPECT_EQ(old.position().end, wal.end());
    }
    // Over again, as after a crash; and then for good.
    ASSERT_TRUE(finish_beginning(place_, kStart));
    EXPECT_EQ(segments().front(), place_.segment_at(kStart).value);
    EXPECT_EQ(segments().back(), place_.segment_at(kStart).value);
    ASSERT_TRUE(prepare_beginning(place_, begin.end, far.bytes(Lsn{9ull * kSegment}, begin.end)));
    for (int twice = 0; twice < 2; ++twice) {
        ASSERT_TRUE(finish_beginning(place_, begin.end));
        ASSERT_TRUE(drop_segments_below(place_, begin.end));
    }
    EXPECT_EQ(segments(), std::vector<std::uint64_t>{9});
    auto next = far.add(300);
    WalLog log(place_, begin, preallocator_);
    ASSERT_TRUE(log.recover(begin));
    EXPECT_EQ(log.position().end, begin.end);
    ASSERT_TRUE(log.begin_receiving());
    ASSERT_TRUE(log.append(begin.end, far.bytes(begin.end, next.end)));
    log.sync();
    EXPECT_EQ(log.position().end, next.end);
}

}  // namespace
}  // namespace bough::safekeeper::segment
