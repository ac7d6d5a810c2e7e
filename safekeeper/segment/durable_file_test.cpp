#include "safekeeper/segment/durable_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace bough::safekeeper::segment {
namespace {

TEST(DurableFile, replacing_leaves_the_new_content_and_nothing_beside_it) {
    std::filesystem::path directory = std::filesystem::temp_directory_path() / ("sk-durable-" + std::to_string(::getpid()));
    std::filesystem::create_directories(directory);
    auto path = directory / "control";
    ASSERT_TRUE(replace_file(path, "one"));
    ASSERT_TRUE(replace_file(path, "two"));
    EXPECT_EQ(read_file(path, 100).value(), "two");
    EXPECT_EQ(read_file(path, 2).error().code, ErrorCode::corrupt);
    EXPECT_EQ(read_file(directory / "none", 2).error().code, ErrorCode::not_found);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory), {}), 1);
    std::filesystem::remove_all(directory);
}

TEST(DurableFile, a_full_disk_is_an_error) {
    auto full = open_file("/dev/full", O_WRONLY);
    ASSERT_TRUE(full);
    EXPECT_EQ(write_at(full->get(), std::as_bytes(std::span("x")), 0, "/dev/full").error().code, ErrorCode::io);
}

TEST(DurableFileDeath, a_failed_sync_ends_the_process) {
    EXPECT_DEATH(sync_wal(-1, "somewhere"), "");
    EXPECT_DEATH(sync_file(-1, "somewhere"), "");
    EXPECT_DEATH(sync_directory("/nonexistent/directory"), "");
}

TEST(SyncHistogram, counts_into_the_first_bucket_that_holds_it) {
    SyncHistogram histogram;
    histogram.add(0);
    histogram.add(50);
    histogram.add(51);
    histogram.add(99999999);
    EXPECT_EQ(histogram.count(0), 2u);
    EXPECT_EQ(histogram.count(1), 1u);
    EXPECT_EQ(histogram.count(SyncHistogram::kBuckets - 1), 1u);
}

}  // namespace
}  // namespace bough::safekeeper::segment
