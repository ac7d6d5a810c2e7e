#include "safekeeper/segment/record_search.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include <gtest/gtest.h>

#include "safekeeper/segment/durable_file.hpp"
#include "safekeeper/segment/testing/written_wal.hpp"

namespace bough::safekeeper::segment {
namespace {

constexpr std::uint32_t kSegment = 8u << 20;
constexpr Lsn kStart{3ull * kSegment + 5000 * 8};
constexpr Lsn kStartRecord{kStart.value - 64};

// One segment, most of it full of records, the rest zeros.
class LogEndTest : public ::testing::Test {
protected:
    LogEndTest() {
        std::filesystem::create_directories(place_.directory);
        testing::WrittenWal wal(kStart, kStartRecord, 0x5A, kSegment);
        while (wal.end() < kStart + 6'000'000) wal.add(3000);
        boundaries_ = wal.boundaries;
        auto file = open_file(path(), O_RDWR | O_CREAT).value();
        EXPECT_TRUE(write_at(file.get(), wal.bytes(kStart, wal.end()), place_.offset_of(kStart), "test"));
        std::filesystem::resize_file(path(), kSegment);
    }
    ~LogEndTest() override { std::filesystem::remove_all(place_.directory); }

    std::filesystem::path path() const { return place_.path_of(place_.segment_at(kStart)); }
    void overwrite(Lsn at, std::string_view text) {
        auto file = open_file(path(), O_RDWR).value();
        ASSERT_TRUE(write_at(file.get(), std::as_bytes(std::span(text)), place_.offset_of(at), "test"));
    }
    // The boundary before which `distance` bytes of the log are left.
    RecordBoundary before_end(std::uint64_t distance) const {
        auto found = boundaries_.back();
        for (const auto& boundary : boundaries_)
            if (boundary.end + distance <= boundaries_.back().end) found = boundary;
        return found;
    }

    WalPlace place_ = testing::place_of_test(kSegment);
    std::vector<RecordBoundary> boundaries_;
};

TEST_F(LogEndTest, a_whole_log_ends_at_its_last_record) {
    EXPECT_EQ(find_log_end(place_, {kStart, kStartRecord}).value(), boundaries_.back());
}

TEST_F(LogEndTest, a_break_with_more_behind_it_than_is_ever_unsynced_is_damage) {
    for (auto distance : {kUnsyncedBytesMax + (300u << 10), std::uint64_t{5'000'000}}) {
        auto victim = before_end(distance);
        overwrite(victim.end + 100, "zap");
        auto end = find_log_end(place_, {kStart, kStartRecord});
        ASSERT_FALSE(end) << "taken for the end: " << end->end.to_string();
        EXPECT_EQ(end.error().code, ErrorCode::corrupt);
        EXPECT_NE(end.error().message.find(victim.end.to_string()), std::string::npos) << end.error().message;
    }
}

TEST_F(LogEndTest, a_break_near_the_end_is_what_a_crash_leaves) {
    auto victim = before_end(kUnsyncedBytesMax - 100'000);
    overwrite(victim.end + 100, "zap");
    EXPECT_EQ(find_log_end(place_, {kStart, kStartRecord}).value(), victim);
}

TEST_F(LogEndTest, zeros_in_the_middle_are_damage_too) {
    auto victim = before_end(4'000'000);
    overwrite(victim.end, std::string(100'000, '\0'));
    EXPECT_EQ(find_log_end(place_, {kStart, kStartRecord}).error().code, ErrorCode::corrupt);
    // Unless all behind is zero: then nothing says that there was ever more.
    overwrite(victim.end, std::string(boundaries_.back().end - victim.end, '\0'));
    EXPECT_EQ(find_log_end(place_, {kStart, kStartRecord}).value(), victim);
}

}  // namespace
}  // namespace bough::safekeeper::segment
