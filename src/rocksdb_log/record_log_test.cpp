#include "rocksdb_log/record_log.hpp"

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <unistd.h>


namespace bough::rocksdb_log {
namespace {

std::string read(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

RecordLogCheck check(const std::string& bytes) {
    RecordLogCheck result;
    const auto all = std::as_bytes(std::span(bytes));
    for (std::size_t at = 0; at < all.size(); at += RecordLogCheck::kBlockBytes)
        result.add(all.subspan(at, std::min(RecordLogCheck::kBlockBytes, all.size() - at)));
    return result;
}

// The logs of a database as RocksDB wrote them: with rows of all lengths, so that records cross blocks and end in every place of one.
class RecordLogTest : public testing::Test {
protected:
    void SetUp() override {
        const auto directory = std::filesystem::temp_directory_path() / ("bough-record-log-" + std::to_string(::getpid()));
        rocksdb::Options options;
        options.create_if_missing = true;
        rocksdb::DB* db = nullptr;
        ASSERT_TRUE(rocksdb::DB::Open(options, directory.string(), &db).ok());
        const std::unique_ptr<rocksdb::DB> opened(db);
        for (int i = 0; i < 300; ++i)
            ASSERT_TRUE(db->Put({}, "row/" + std::to_string(i), std::string(static_cast<std::size_t>(i * 7), 'x')).ok());
        for (const auto& entry : std::filesystem::directory_iterator(directory)) {
            if (entry.path().extension() == ".log") rows_ = read(entry.path());
            if (entry.path().filename().string().starts_with("MANIFEST-")) manifest_ = read(entry.path());
        }
        std::filesystem::remove_all(directory);
        ASSERT_GT(rows_.size(), 8 * RecordLogCheck::kBlockBytes);
        ASSERT_GT(manifest_.size(), 0u);
    }
    std::string rows_;
    std::string manifest_;
};

TEST_F(RecordLogTest, a_whole_log_is_found_whole) {
    EXPECT_FALSE(check(rows_).damage());
    EXPECT_FALSE(check(rows_).broken());
    EXPECT_GE(check(rows_).records(), 300u);
    EXPECT_FALSE(check(manifest_).damage());
    EXPECT_GT(check(manifest_).records(), 0u);
}

TEST_F(RecordLogTest, any_flipped_bit_before_the_last_record_is_found) {
    const std::size_t last = 299 * 7 + 60;
    for (std::size_t at = 11; at + last < rows_.size(); at += 997) {
        std::string damaged = rows_;
        damaged[at] = static_cast<char>(damaged[at] ^ 4);
        const auto found = check(damaged).damage();
        // What no record uses at the end of a block may be anything.
        const bool unused = at % RecordLogCheck::kBlockBytes > RecordLogCheck::kBlockBytes - 7;
        ASSERT_TRUE(found.has_value() || unused) << at;
        if (found) {
            EXPECT_LE(*found, at);
        }
    }
}

// Whatever the flipped bit says of where the next record begins.
TEST_F(RecordLogTest, any_flipped_bit_of_a_header_is_found) {
    for (std::size_t at = 0; at < 7 * 8; ++at) {
        std::string damaged = rows_;
        damaged[at / 8] = static_cast<char>(damaged[at / 8] ^ (1 << at % 8));
        EXPECT_EQ(check(damaged).damage(), 0u) << at;
        EXPECT_EQ(check(damaged).broken(), 0u) << at;
        EXPECT_EQ(check(damaged).records(), check(rows_).records() - 1) << at;
    }
}

TEST_F(RecordLogTest, a_block_of_zeros_is_found) {
    const std::size_t second = RecordLogCheck::kBlockBytes;
    EXPECT_TRUE(check(std::string(rows_).replace(second, second, second, '\0')).damage().has_value());
}

TEST_F(RecordLogTest, an_end_that_was_not_finished_is_no_damage) {
    const std::uint64_t all = check(rows_).records();
    for (std::size_t cut = 1; cut < 2500; cut += 13) {
        const RecordLogCheck result = check(rows_.substr(0, rows_.size() - cut));
        EXPECT_FALSE(result.damage().has_value()) << cut;
        EXPECT_TRUE(result.broken().has_value()) << cut;
        EXPECT_LT(result.records(), all);
    }
    // Made longer in advance, and nothing written there yet.
    EXPECT_FALSE(check(rows_ + std::string(100'000, '\0')).damage());
}

}  // namespace
}  // namespace bough::rocksdb_log
