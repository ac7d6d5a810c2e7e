// The log of the metadata rows, damaged while the store is closed: what had been synced is there, or the store does not open. What a
// crash leaves of the log always opens.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <memory>
#include <thread>

#include <gtest/gtest.h>
#include <rocksdb/env.h>

#include "pageserver/page_store/forgetful_files.hpp"
#include "pageserver/page_store/page_version.hpp"
#include "pageserver/page_store/store.hpp"
#include "pageserver/page_store/store_files.hpp"
#include "pageserver/testing/temporary_directory.hpp"
#include "rocksdb_log/record_log.hpp"

namespace bough::pageserver {
namespace {

namespace fs = std::filesystem;

constexpr BranchNumber kBranch{1};
constexpr std::size_t kBlock = rocksdb_log::RecordLogCheck::kBlockBytes;
constexpr std::size_t kEmptyRecordBytes = 19;

std::string read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void write(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

std::vector<fs::path> logs(const fs::path& directory) {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(directory))
        if (entry.path().extension() == ".log") found.push_back(entry.path());
    std::ranges::sort(found);
    return found;
}

// Logs whose last record is cut in half once the disk is `full`.
class FullDisk final : public rocksdb::FileSystemWrapper {
public:
    FullDisk() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
    const char* Name() const override { return "FullDisk"; }
    rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* result,
                                      rocksdb::IODebugContext* context) override {
        std::unique_ptr<rocksdb::FSWritableFile> file;
        const auto made = target()->NewWritableFile(name, options, &file, context);
        if (made.ok() && name.ends_with(".log"))
            *result = std::make_unique<Log>(std::move(file), full);
        else
            *result = std::move(file);
        return made;
    }

    std::atomic<bool> full = false;

private:
    class Log final : public rocksdb::FSWritableFileOwnerWrapper {
    public:
        Log(std::unique_ptr<rocksdb::FSWritableFile>&& file, std::atomic<bool>& full)
            : FSWritableFileOwnerWrapper(std::move(file)), full_(full) {}
        rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                                 rocksdb::IODebugContext* context) override {
            if (!full_) return target()->Append(data, options, context);
            const auto half = target()->Append(rocksdb::Slice(data.data(), data.size() / 2), options, context);
            return half.ok() ? rocksdb::IOStatus::NoSpace() : half;
        }
        rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                                 const rocksdb::DataVerificationInfo&, rocksdb::IODebugContext* context) override {
            return Append(data, options, context);
        }

    private:
        const std::atomic<bool>& full_;
    };
};

class RowLogsTest : public testing::Test {
protected:
    fs::path path() const { return directory_.path() / "store"; }
    static void add_row(Store& store, int number, std::size_t bytes) {
        ASSERT_TRUE(store.change_metadata({{"row/" + std::to_string(number), std::string(bytes, 'x')}}).has_value());
    }
    // A store whose rows are all in its log, with an empty record behind them; where each row's record ends.
    std::vector<std::size_t> make_store(int rows, std::size_t bytes) {
        std::vector<std::size_t> ends;
        const auto store = *Store::create(path(), resources_);
        log_ = logs(path()).front();
        for (int i = 0; i < rows; ++i) {
            add_row(*store, i, bytes);
            ends.push_back(fs::file_size(log_));
        }
        return ends;
    }
    // What opening a copy of the store with `log` for its log comes to: how many rows there are, or the error.
    Result<std::size_t> rows_with(const std::string& log) {
        const fs::path copy = directory_.path() / "copy";
        fs::remove_all(copy);
        fs::copy(path(), copy);
        write(copy / log_.filename(), log);
        const auto store = Store::open(copy, resources_);
        if (!store) {
            EXPECT_EQ(read(copy / log_.filename()), log) << "refused, and yet changed";
            return store.error();
        }
        return (*store)->metadata_with_prefix("row/")->size();
    }
    void expect_refused(const Result<std::size_t>& rows, std::size_t at) {
        ASSERT_FALSE(rows.has_value()) << "damage at " << at << ", and " << *rows << " rows were left";
        EXPECT_EQ(rows.error().code, ErrorCode::corrupt);
        EXPECT_NE(rows.error().message.find(log_.filename().string()), std::string::npos) << rows.error().message;
        EXPECT_FALSE(rows.error().hint.empty());
    }

    TemporaryDirectory directory_;
    StoreResources resources_{StoreResources::Options{}};
    fs::path log_;
};

TEST_F(RowLogsTest, damage_with_synced_rows_behind_it_is_refused_wherever_it_is) {
    const auto ends = make_store(40, 30);
    const std::string whole = read(log_);
    EXPECT_EQ(*rows_with(whole), 40u);
    ASSERT_EQ(whole.size() - ends.back(), kEmptyRecordBytes);
    for (std::size_t at = 0; at < ends.back(); at += 13) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 4);
        expect_refused(rows_with(damaged), at);
    }
}

TEST_F(RowLogsTest, what_hinders_the_store_from_being_opened_is_found_without_opening_it) {
    const auto ends = make_store(10, 30);
    const std::string whole = read(log_);
    write(log_, whole.substr(0, ends.back() - 5));
    EXPECT_FALSE(list_store_files(path())->damage.has_value());
    std::string damaged = whole;
    damaged[ends[4] + 3] ^= 4;
    write(log_, damaged);
    const auto damage = list_store_files(path())->damage;
    ASSERT_TRUE(damage.has_value());
    EXPECT_NE(damage->message.find(log_.filename().string() + ": damaged at byte " + std::to_string(ends[4])), std::string::npos)
        << damage->message;
    EXPECT_EQ(check_store_file(path(), log_.filename().string()).error().code, ErrorCode::corrupt);
}

TEST_F(RowLogsTest, bytes_that_became_zeros_with_synced_rows_behind_them_are_refused) {
    make_store(60, 3000);
    const std::string whole = read(log_);
    for (const std::size_t bytes : {std::size_t{4096}, kBlock}) {
        const std::size_t at = 2 * kBlock;
        expect_refused(rows_with(std::string(whole).replace(at, bytes, bytes, '\0')), at);
    }
}

TEST_F(RowLogsTest, an_end_that_a_crash_left_opens_with_all_rows_before_it) {
    const auto ends = make_store(20, 30);
    const std::string whole = read(log_);
    const std::size_t last = ends[ends.size() - 2];
    for (std::size_t end = ends.back(); end < whole.size(); ++end) EXPECT_EQ(*rows_with(whole.substr(0, end)), 20u) << end;
    for (std::size_t end = last; end < ends.back(); end += 5) {
        EXPECT_EQ(*rows_with(whole.substr(0, end)), 19u) << end;
        // As long as it was to become, but nothing was written there, or something else.
        EXPECT_EQ(*rows_with(whole.substr(0, end) + std::string(whole.size() - end, '\0')), 19u) << end;
        EXPECT_EQ(*rows_with(whole.substr(0, end) + std::string(whole.size() - end, '\x55')), 19u) << end;
    }
}

// Only one record is ever not synced yet; of one that is larger than a block the end may be there without the beginning.
TEST_F(RowLogsTest, a_last_row_of_which_the_end_was_written_but_not_the_beginning_opens) {
    const auto ends = make_store(3, 5 * kBlock);
    const std::string whole = read(log_).substr(0, ends.back());
    const std::size_t begin = ends[1];
    for (const std::size_t at : {begin, begin + 4096, begin + kBlock, begin + 2 * kBlock})
        EXPECT_EQ(*rows_with(std::string(whole).replace(at, 4096, 4096, '\0')), 2u) << at - begin;
    expect_refused(rows_with(std::string(whole).replace(begin - 4096, 4096, 4096, '\0')), begin - 4096);
}

// The versions' family was flushed, so that a second log was begun while the rows of the first are nowhere else.
TEST_F(RowLogsTest, damage_at_the_end_of_a_log_that_is_not_the_last_is_refused) {
    {
        const auto store = *Store::create(path(), resources_);
        log_ = logs(path()).front();
        for (int i = 0; i < 10; ++i) add_row(*store, i, 30);
        ASSERT_TRUE(store->erase_branch(kBranch).has_value());
        ASSERT_TRUE(store->flush().has_value());
        for (int i = 10; i < 20; ++i) add_row(*store, i, 30);
    }
    ASSERT_EQ(logs(path()).size(), 2u);
    const std::string whole = read(log_);
    EXPECT_EQ(*rows_with(whole), 20u);
    for (std::size_t back = 1; back < 60; back += 7) {
        std::string damaged = whole;
        damaged[whole.size() - back] ^= 4;
        expect_refused(rows_with(damaged), whole.size() - back);
        expect_refused(rows_with(whole.substr(0, whole.size() - back)), whole.size() - back);
    }
}

// The removal of a log need not be durable when its rows already are in a file.
TEST_F(RowLogsTest, a_log_whose_rows_are_in_files_may_be_damaged) {
    make_store(20, 30);
    std::string kept = read(log_);
    { ASSERT_TRUE(Store::open(path(), resources_).has_value()); }
    { add_row(**Store::open(path(), resources_), 20, 30); }
    ASSERT_FALSE(fs::exists(log_));
    kept[kept.size() / 2] ^= 4;
    EXPECT_EQ(*rows_with(kept), 21u);
}

// Opening the store turns a log with an unfinished end into a file, and begins another log; a crash may come at any moment of that.
TEST_F(RowLogsTest, a_crash_while_an_unfinished_end_is_dealt_with_opens) {
    make_store(20, 30);
    fs::resize_file(log_, fs::file_size(log_) - kEmptyRecordBytes - 10);
    fs::create_directory(directory_.path() / "lost+found");
    const auto files = std::make_shared<ForgetfulFiles>(directory_.path() / "lost+found");
    const auto env = rocksdb::NewCompositeEnv(files);
    std::vector<fs::path> cuts;
    {
        StoreResources resources(StoreResources::Options{}, env.get());
        files->when_synced([&] {
            cuts.push_back(directory_.path() / ("cut" + std::to_string(cuts.size())));
            fs::copy(path(), cuts.back());
        });
        const auto store = Store::open(path(), resources);
        ASSERT_TRUE(store.has_value()) << store.error().to_string();
        add_row(**store, 20, 30);
        files->when_synced(nullptr);
    }
    EXPECT_GT(cuts.size(), 5u);
    for (const fs::path& cut : cuts) {
        const auto store = Store::open(cut, resources_);
        ASSERT_TRUE(store.has_value()) << cut << ": " << store.error().to_string();
        EXPECT_GE((*store)->metadata_with_prefix("row/")->size(), 19u);
    }
}

// What a full disk leaves is the end of its log, and RocksDB begins another one.
TEST_F(RowLogsTest, rows_that_were_written_after_the_disk_had_been_full_are_there) {
    make_store(3, 30);
    const auto files = std::make_shared<FullDisk>();
    const auto env = rocksdb::NewCompositeEnv(files);
    StoreResources resources(StoreResources::Options{}, env.get());
    const auto store = *Store::open(path(), resources);
    add_row(*store, 3, 30);
    files->full = true;
    EXPECT_FALSE(store->change_metadata({{"row/4", "x"}}).has_value());
    files->full = false;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!store->change_metadata({{"row/5", "x"}}) && std::chrono::steady_clock::now() < deadline)
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    add_row(*store, 6, 30);
    fs::copy(path(), directory_.path() / "crashed");
    const auto crashed = Store::open(directory_.path() / "crashed", resources_);
    ASSERT_TRUE(crashed.has_value()) << crashed.error().to_string();
    EXPECT_EQ((*crashed)->metadata_with_prefix("row/")->size(), 6u);
}

}  // namespace
}  // namespace bough::pageserver
