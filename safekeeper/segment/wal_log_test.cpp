#include "safekeeper/segment/wal_log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include <gtest/gtest.h>

#include "safekeeper/segment/first_segment.hpp"
#include "safekeeper/segment/testing/written_wal.hpp"
#include "safekeeper/segment/wal_reader.hpp"

namespace bough::safekeeper::segment {
namespace {

using namespace testing;
using Source = WrittenWal;

class WalLogTest : public ::testing::Test {
protected:
    WalLogTest() { std::filesystem::create_directories(place_.directory); }
    ~WalLogTest() override {
        preallocator_.wait_until_idle();
        std::filesystem::remove_all(place_.directory);
    }

    WalLog make() { return WalLog(place_, {kStart, kStartRecord}, preallocator_); }
    WalLog recovered(RecordBoundary known = {kStart, kStartRecord}) {
        auto log = make();
        auto done = log.recover(known);
        EXPECT_TRUE(done) << done.error().to_string();
        return log;
    }
    static void receive(WalLog& log, const Source& source, Lsn to, std::size_t piece = 5000) {
        ASSERT_TRUE(log.begin_receiving());
        while (log.next() < to) {
            auto end = std::min(to, log.next() + piece);
            auto taken = log.append(log.next(), source.bytes(log.next(), end));
            ASSERT_TRUE(taken) << taken.error().to_string();
            log.sync();
        }
    }
    void overwrite(Lsn at, std::string_view text) {
        auto file = open_file(place_.path_of(place_.segment_at(at)), O_RDWR).value();
        ASSERT_TRUE(write_at(file.get(), std::as_bytes(std::span(text)), place_.offset_of(at), "test"));
    }
    bool all_zero_behind(Lsn at) {
        auto segment = place_.segment_at(at);
        std::vector<std::byte> rest(place_.begin_of({segment.value + 1}) - at);
        WalReader reader{place_};
        EXPECT_TRUE(reader.read_all(at, rest));
        return std::all_of(rest.begin(), rest.end(), [](std::byte b) { return b == std::byte{0}; });
    }

    WalPlace place_ = place_of_test();
    Preallocator preallocator_;
};

TEST_F(WalLogTest, ends_at_the_last_whole_record_that_is_durable) {
    Source source{kStart};
    auto first = source.add(100);
    auto second = source.add(300);
    auto log = make();
    receive(log, source, second.end + 0);
    EXPECT_EQ(log.position(), (consensus::LogPosition{second.end, second.end, second.start}));

    auto third = source.add(1000);
    ASSERT_TRUE(log.append(log.next(), source.bytes(log.next(), third.start + 500)));
    EXPECT_EQ(log.position().flush, second.end);
    log.sync();
    EXPECT_EQ(log.position(), (consensus::LogPosition{third.start + 500, second.end, second.start}));
    EXPECT_EQ(first.end, second.start);
}

TEST_F(WalLogTest, recovery_finds_every_whole_record_wherever_the_log_stops) {
    Source source{kStart};
    for (int i = 0; i < 40; ++i) source.add(24 + 8 * 17 * static_cast<std::size_t>(i));
    // Every boundary and around it, from the branch's start and from halfway.
    for (std::size_t i = 0; i + 1 < source.boundaries.size(); ++i) {
        for (std::uint64_t beyond : {0, 8, 16}) {
            std::filesystem::remove_all(place_.directory);
            std::filesystem::create_directories(place_.directory);
            auto log = make();
            receive(log, source, source.boundaries[i].end + beyond, 100000);
            log.close();
            auto expected = source.boundaries[i];
            auto again = recovered(i > 20 ? source.boundaries[20] : RecordBoundary{kStart, kStartRecord});
            EXPECT_EQ(again.position(), (consensus::LogPosition{expected.end, expected.end, expected.start})) << i << " " << beyond;
        }
    }
}

TEST_F(WalLogTest, a_cut_that_fails_half_way_ends_the_process_and_leaves_a_whole_log) {
    Source source{kStart};
    while (source.end() < Lsn{5ull * kSegment + kSegment / 2}) source.add(60000);
    auto log = make();
    receive(log, source, source.end(), 30000);
    preallocator_.wait_until_idle();
    // The next segment, made ahead, goes; the newest one cannot.
    auto blocked = place_.path_of(place_.segment_at(source.end()));
    auto kept = blocked;
    kept += ".kept";
    ASSERT_TRUE(std::filesystem::exists(place_.path_of({place_.segment_at(source.end()).value + 1})));
    std::filesystem::rename(blocked, kept);
    std::filesystem::create_directory(blocked);
    auto at = source.boundaries[3];
    EXPECT_EXIT((void)log.cut(at.end), ::testing::KilledBySignal(SIGABRT), "");
    EXPECT_FALSE(std::filesystem::exists(place_.path_of({place_.segment_at(source.end()).value + 1})));
    std::filesystem::remove(blocked);
    std::filesystem::rename(kept, blocked);
    EXPECT_GE(recovered(at).position().end, at.end);
    log.close();
}

TEST_F(WalLogTest, goes_on_across_segments_with_a_preallocated_one_and_without) {
    Source source{kStart};
    while (source.end() < Lsn{7ull * kSegment}) source.add(60000);
    auto log = make();
    auto half = *std::ranges::find_if(source.boundaries, [](const auto& b) { return b.end > Lsn{5ull * kSegment + kSegment / 2}; });
    receive(log, source, half.end, 30000);
    preallocator_.wait_until_idle();
    EXPECT_TRUE(std::filesystem::exists(place_.path_of({place_.segment_at(half.end).value + 1})));
    receive(log, source, source.end(), 30000);
    log.close();
    EXPECT_EQ(recovered().position().end, source.end());
    preallocator_.wait_until_idle();
    for (const auto& entry : std::filesystem::directory_iterator(place_.directory)) EXPECT_EQ(entry.file_size(), kSegment);
    std::vector<std::byte> copy(source.end() - kStart);
    WalReader reader{place_};
    ASSERT_TRUE(reader.read_all(kStart, copy));
    EXPECT_TRUE(std::ranges::equal(copy, source.bytes(kStart, source.end())));
}

TEST_F(WalLogTest, a_record_that_ends_on_a_segment_boundary_is_the_end) {
    Source source{kStart};
    Lsn boundary{4ull * kSegment};
    // Up to the last page, then a record that fills it.
    Lsn last_page{boundary.value - 8192};
    while (last_page - source.end() > 3000) source.add(1000);
    source.add(last_page - source.end());
    ASSERT_EQ(source.boundaries.back().end, last_page);
    auto last = source.add(8192 - 24);
    ASSERT_EQ(last.end, boundary);
    auto log = make();
    receive(log, source, boundary);
    log.close();
    preallocator_.wait_until_idle();
    EXPECT_EQ(recovered().position().end, boundary);
    EXPECT_EQ(find_boundary(place_, {kStart, kStartRecord}, boundary).value(), last);
    // It can be the beginning of a term, and the log goes on there.
    auto again = recovered();
    ASSERT_TRUE(again.cut(boundary));
    source.add(100);
    receive(again, source, source.end());
    EXPECT_EQ(again.position().end, source.end());
    again.close();
    EXPECT_EQ(recovered(last).position().end, source.end());
}

TEST_F(WalLogTest, corrupt_bytes_are_not_written) {
    Source source{kStart};
    auto first = source.add(100);
    auto second = source.add(200);
    auto log = make();
    receive(log, source, first.end);
    std::vector<std::byte> bytes(source.bytes(first.end, second.end).begin(), source.bytes(first.end, second.end).end());
    bytes[50] ^= std::byte{1};
    EXPECT_EQ(log.append(log.next(), bytes).error().code, ErrorCode::corrupt);
    log.sync();
    EXPECT_EQ(log.position().flush, first.end);
    EXPECT_TRUE(all_zero_behind(first.end));
    receive(log, source, second.end);
    EXPECT_EQ(log.position().end, second.end);
}

TEST_F(WalLogTest, what_was_synced_counts_although_a_later_append_failed) {
    Source source{kStart};
    auto first = source.add(100);
    source.add(200);
    auto log = make();
    ASSERT_TRUE(log.begin_receiving());
    ASSERT_TRUE(log.append(kStart, source.bytes(kStart, first.end)));
    EXPECT_FALSE(log.append(first.end + 8, source.bytes(first.end + 8, source.end())));
    log.sync();
    EXPECT_EQ(log.position(), (consensus::LogPosition{first.end, first.end, first.start}));
}

TEST_F(WalLogTest, a_cut_tail_is_never_read_again) {
    Source source{kStart};
    while (source.end() < Lsn{6ull * kSegment}) source.add(5000);
    auto keep = source.boundaries[50];
    auto log = make();
    receive(log, source, source.end(), 100000);
    preallocator_.wait_until_idle();
    EXPECT_EQ(log.cut(keep.end + 8).error().code, ErrorCode::corrupt);
    ASSERT_TRUE(log.cut(keep.end));
    EXPECT_EQ(log.position(), (consensus::LogPosition{keep.end, keep.end, keep.start}));
    EXPECT_TRUE(all_zero_behind(keep.end));
    EXPECT_FALSE(std::filesystem::exists(place_.path_of({place_.segment_at(keep.end).value + 1})));

    // Another history goes on there, in records that end where the old ones did.
    Source other{keep.end, keep.start, 0x77};
    auto first = other.add(5000);
    receive(log, other, first.end);
    log.close();
    EXPECT_EQ(recovered().position().end, first.end);
}

TEST_F(WalLogTest, garbage_behind_the_end_is_cleared_by_a_cut_at_the_end) {
    Source source{kStart};
    auto first = source.add(100);
    source.add(50000);
    auto log = make();
    receive(log, source, first.end + 20000);  // half a record
    log.close();
    auto again = recovered();
    ASSERT_EQ(again.position().end, first.end);
    ASSERT_TRUE(again.cut(first.end));
    EXPECT_TRUE(all_zero_behind(first.end));
}

TEST_F(WalLogTest, lost_durable_bytes_are_reported) {
    Source source{kStart};
    for (int i = 0; i < 10; ++i) source.add(3000);
    auto log = make();
    receive(log, source, source.end());
    log.close();
    overwrite(source.boundaries[5].start + 100, "zap");
    EXPECT_EQ(make().recover(source.boundaries[5]).error().code, ErrorCode::corrupt);
    auto cut_short = make();
    std::filesystem::resize_file(place_.path_of(place_.segment_at(kStart)), place_.offset_of(source.boundaries[5].start));
    EXPECT_EQ(cut_short.recover(source.boundaries[7]).error().code, ErrorCode::corrupt);
}

TEST_F(WalLogTest, damage_with_more_of_the_log_behind_it_is_no_end) {
    Source source{kStart};
    while (source.end() < kStart + 3 * kSegment) source.add(3000);
    auto log = make();
    receive(log, source, source.end(), 100000);
    log.close();
    auto path = place_.path_of({place_.segment_at(kStart).value + 1});
    auto size = std::filesystem::file_size(path);
    overwrite(place_.begin_of({place_.segment_at(kStart).value + 1}) + kSegment / 2, "zap");
    EXPECT_EQ(make().recover({kStart, kStartRecord}).error().code, ErrorCode::corrupt);
    std::filesystem::resize_file(path, size / 4);
    EXPECT_EQ(make().recover({kStart, kStartRecord}).error().code, ErrorCode::corrupt);
    std::filesystem::remove(path);
    EXPECT_EQ(make().recover({kStart, kStartRecord}).error().code, ErrorCode::corrupt);
    EXPECT_TRUE(std::filesystem::exists(place_.path_of({place_.segment_at(kStart).value + 2})));
}

TEST_F(WalLogTest, a_long_record_that_never_became_whole_is_an_end) {
    Source source{kStart};
    auto first = source.add(100);
    source.add(3 * kSegment);
    auto log = make();
    receive(log, source, first.end + 2 * kSegment + 5000, 100000);
    log.close();
    EXPECT_EQ(recovered().position().end, first.end);
}

TEST_F(WalLogTest, boundaries_are_found_inside_and_across_segments) {
    Source source{kStart};
    source.add(100);
    source.add(3 * kSegment);  // covers whole segments in which no record begins or ends
    source.add(200);
    auto log = make();
    receive(log, source, source.end(), 100000);
    RecordBoundary start{kStart, kStartRecord};
    const auto& b = source.boundaries;
    EXPECT_EQ(find_boundary(place_, start, kStart).value(), start);
    EXPECT_EQ(find_boundary(place_, start, kStart + 1).value(), start);
    EXPECT_EQ(find_boundary(place_, start, b[0].end).value(), b[0]);
    EXPECT_EQ(find_boundary(place_, start, b[1].start + kSegment).value(), b[0]);
    EXPECT_EQ(find_boundary(place_, start, Lsn{b[1].end.value - 1}).value(), b[0]);
    EXPECT_EQ(find_boundary(place_, start, b[1].end).value(), b[1]);
    EXPECT_EQ(find_boundary(place_, start, b[2].end).value(), b[2]);
}

TEST_F(WalLogTest, first_segment_is_copied_from_the_parent_or_given_headers) {
    Source source{kStart};
    while (source.end() < Lsn{5ull * kSegment}) source.add(900);
    auto log = make();
    receive(log, source, source.end(), 100000);
    auto branch_point = source.boundaries[source.boundaries.size() - 5];

    auto child = place_;
    child.directory /= "child";
    std::filesystem::create_directories(child.directory);
    ASSERT_TRUE(make_first_segment(child, branch_point.end, place_));
    auto begin = place_.begin_of(place_.segment_at(branch_point.end));
    std::vector<std::byte> copy(branch_point.end - begin);
    WalReader reader{child};
    ASSERT_TRUE(reader.read_all(begin, copy));
    EXPECT_TRUE(std::ranges::equal(copy, source.bytes(begin, branch_point.end)));

    auto orphan = place_;
    orphan.directory /= "orphan";
    std::filesystem::create_directories(orphan.directory);
    ASSERT_TRUE(make_first_segment(orphan, branch_point.end, std::nullopt));
    EXPECT_EQ(std::filesystem::file_size(orphan.path_of(orphan.segment_at(branch_point.end))), kSegment);
    // The child's log goes on in it, and can be read from the first page on.
    Source own{branch_point.end, branch_point.start};
    auto first = own.add(100);
    WalLog orphan_log(orphan, branch_point, preallocator_);
    receive(orphan_log, own, first.end);
    orphan_log.close();
    EXPECT_EQ(find_log_end(orphan, branch_point).value(), first);
}

}  // namespace
}  // namespace bough::safekeeper::segment
