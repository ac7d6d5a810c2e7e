#include "pageserver/page_store/store_files.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "pageserver/page_store/page_version.hpp"
#include "pageserver/page_store/store.hpp"
#include "pageserver/testing/flip_bit.hpp"
#include "pageserver/testing/temporary_directory.hpp"

namespace bough::pageserver {
namespace {

namespace fs = std::filesystem;

constexpr BranchNumber kBranch{1};
constexpr std::uint32_t kPages = 300;

ObjectKey page_key(std::uint32_t block) { return ObjectKey::page({{{1663, 5, 16384}, pg::Fork::main}, block}); }

std::set<fs::path> content_of(const fs::path& directory) {
    std::set<fs::path> names;
    for (const auto& entry : fs::recursive_directory_iterator(directory)) names.insert(entry.path());
    return names;
}

// Two files of images that do not compress, rows of several kinds, and metadata rows in files and in the log.
class StoreFilesTest : public testing::Test {
protected:
    void SetUp() override {
        const auto store = *Store::create(path(), resources_);
        ASSERT_TRUE(store->change_metadata({{"row", "in a file"}}).has_value());
        for (std::uint32_t part = 0; part < 2; ++part) write(*store, part);
    }
    fs::path path() const { return directory_.path() / "store"; }
    void write(Store& store, std::uint32_t part) {
        WriteSet set;
        std::mt19937_64 random(part);
        const Lsn lsn{100 + part};
        for (std::uint32_t block = 0; block < kPages; ++block) {
            std::vector<std::byte> page(pg::kPageBytes);
            for (std::byte& b : page) b = static_cast<std::byte>(random());
            set.put(kBranch, page_key(part * kPages + block), lsn, encode_image(pg::ConstPage(page.data(), pg::kPageBytes)));
        }
        set.put(kBranch, ObjectKey::two_phase(7), lsn, encode_present("prepared"));
        set.put(kBranch, ObjectKey::fork_length({{1663, 5, 16384}, pg::Fork::main}), lsn, encode_length(kPages * (part + 1)));
        set.set_position(kBranch, {lsn, Lsn{lsn.value - 1}});
        ASSERT_TRUE(store.write(std::move(set)).has_value());
        ASSERT_TRUE(store.flush().has_value());
    }
    std::vector<StoreFile> ssts() const {
        std::vector<StoreFile> found;
        const StoreListing listing = *list_store_files(path());
        for (const StoreFile& file : listing.files)
            if (file.name.ends_with(".sst")) found.push_back(file);
        return found;
    }
    std::vector<std::string> damaged() const {
        std::vector<std::string> names;
        const StoreListing listing = *list_store_files(path());
        for (const StoreFile& file : listing.files) {
            const auto checked = check_store_file(path(), file.name);
            if (checked) continue;
            EXPECT_EQ(checked.error().code, ErrorCode::corrupt);
            EXPECT_NE(checked.error().message.find(file.name), std::string::npos) << checked.error().message;
            names.push_back(file.name);
        }
        return names;
    }
    std::uint64_t largest(std::string& name) const {
        const auto files = ssts();
        const auto found = std::ranges::max_element(files, {}, &StoreFile::bytes);
        name = found->name;
        return found->bytes;
    }

    TemporaryDirectory directory_;
    StoreResources resources_{StoreResources::Options{}};
};

// A server has many projects open, most of them small.
TEST_F(StoreFilesTest, an_open_store_takes_hardly_more_disk_than_it_has_written) {
    const auto store = *Store::open(path(), resources_);
    ASSERT_TRUE(store->change_metadata({{"row", "in the log"}}).has_value());
    std::uint64_t written = 0;
    std::uint64_t taken = 0;
    for (const fs::path& file : content_of(path())) {
        struct stat status {};
        ASSERT_EQ(::stat(file.c_str(), &status), 0);
        if (!S_ISREG(status.st_mode)) continue;
        written += static_cast<std::uint64_t>(status.st_size);
        taken += static_cast<std::uint64_t>(status.st_blocks) * 512;
    }
    EXPECT_LT(taken, written + (1 << 20) + (256 << 10));
}

TEST_F(StoreFilesTest, all_files_of_a_whole_store_are_right_and_nothing_is_touched) {
    const auto before = content_of(directory_.path());
    const StoreListing listing = *list_store_files(path());
    EXPECT_FALSE(listing.damage.has_value()) << listing.damage->message;
    EXPECT_EQ(listing.rows, (std::map<std::string, std::string>{{"row", "in a file"}}));
    EXPECT_GE(ssts().size(), 2u);
    EXPECT_TRUE(damaged().empty());
    EXPECT_EQ(content_of(directory_.path()), before);
    const auto names = [&](std::string_view begin) {
        return std::ranges::count_if(listing.files, [&](const StoreFile& file) { return file.name.starts_with(begin); });
    };
    EXPECT_EQ(names("MANIFEST-"), 1);
    EXPECT_EQ(names("CURRENT"), 0);
}

TEST_F(StoreFilesTest, a_flipped_bit_anywhere_in_a_file_is_found) {
    std::string name;
    const std::uint64_t bytes = largest(name);
    for (int part = 0; part < 40; ++part) {
        const std::uint64_t at = bytes * static_cast<std::uint64_t>(part) / 40 + 17;
        flip_bit(path() / name, at);
        EXPECT_EQ(check_store_file(path(), name).has_value() ? ErrorCode::internal : check_store_file(path(), name).error().code,
                  ErrorCode::corrupt)
            << at << " of " << bytes;
        flip_bit(path() / name, at);
    }
    EXPECT_TRUE(check_store_file(path(), name).has_value());
}

TEST_F(StoreFilesTest, a_damaged_file_is_found_beside_an_open_store_and_no_other) {
    const auto store = *Store::open(path(), resources_);
    EXPECT_TRUE(damaged().empty());
    std::string name;
    flip_bit(path() / name, largest(name) / 2);
    EXPECT_EQ(damaged(), std::vector<std::string>{name});
}

TEST_F(StoreFilesTest, files_that_are_missing_or_cut_are_found) {
    std::string name;
    const std::uint64_t bytes = largest(name);
    fs::copy(path() / name, directory_.path() / "kept");
    fs::resize_file(path() / name, bytes / 2);
    EXPECT_EQ(check_store_file(path(), name).error().code, ErrorCode::corrupt);
    fs::remove(path() / name);
    const StoreListing listing = *list_store_files(path());
    ASSERT_TRUE(listing.damage.has_value());
    EXPECT_NE(listing.damage->message.find(name), std::string::npos) << listing.damage->message;
    EXPECT_EQ(check_store_file(path(), name).error().code, ErrorCode::not_found);
    fs::copy(directory_.path() / "kept", path() / name);
    EXPECT_FALSE(list_store_files(path())->damage.has_value());
}

TEST_F(StoreFilesTest, a_damaged_manifest_is_found_and_the_files_that_are_there_are_still_checked) {
    const StoreListing whole = *list_store_files(path());
    const auto manifest =
        std::ranges::find_if(whole.files, [](const StoreFile& file) { return file.name.starts_with("MANIFEST-"); });
    ASSERT_NE(manifest, whole.files.end());
    flip_bit(path() / manifest->name, 20);
    EXPECT_EQ(check_store_file(path(), manifest->name).error().code, ErrorCode::corrupt);
    const StoreListing listing = *list_store_files(path());
    EXPECT_TRUE(listing.damage.has_value());
    EXPECT_GE(ssts().size(), 2u);
    EXPECT_EQ(damaged(), std::vector<std::string>{manifest->name});
}

TEST_F(StoreFilesTest, a_value_of_no_known_form_is_found) {
    {
        const auto store = *Store::open(path(), resources_);
        WriteSet set;
        set.put(kBranch, ObjectKey::single(Kind::counters), Lsn{200}, encode_present("these are no counters"));
        set.set_position(kBranch, {Lsn{200}, Lsn{199}});
        ASSERT_TRUE(store->write(std::move(set)).has_value());
    }
    ASSERT_EQ(damaged().size(), 1u);
    const std::string name = damaged().front();
    EXPECT_NE(check_store_file(path(), name).error().message.find("branch number 1"), std::string::npos);
}

TEST_F(StoreFilesTest, only_names_of_a_stores_files_are_taken) {
    for (const char* name : {"", "..", "../store/000001.sst", "LOCK", "CURRENT", "x.sst", "000001.sst.old", "MANIFEST-", "/etc/passwd"})
        EXPECT_EQ(check_store_file(path(), name).error().code, ErrorCode::invalid_argument) << name;
    EXPECT_EQ(check_store_file(path(), "999999.sst").error().code, ErrorCode::not_found);
    EXPECT_EQ(list_store_files(directory_.path() / "nothing").error().code, ErrorCode::not_found);
}

// Compactions meet damage that nobody has read yet. What they would have written stays as it was, and the rest goes on.
TEST_F(StoreFilesTest, damage_that_a_compaction_meets_stops_nothing_else) {
    std::string name;
    flip_bit(path() / name, largest(name) / 2);
    const auto store = *Store::open(path(), resources_);
    const auto compacted = store->compact_branches(kBranch, kBranch);
    ASSERT_FALSE(compacted.has_value());
    EXPECT_EQ(compacted.error().code, ErrorCode::corrupt);
    EXPECT_NE(compacted.error().message.find(name), std::string::npos) << compacted.error().message;
    for (std::uint32_t part = 2; part < 4; ++part) write(*store, part);
    EXPECT_EQ(store->durable_lsn(kBranch), Lsn{103});
    ASSERT_TRUE(store->change_metadata({{"row", "changed"}}).has_value());
    int unreadable = 0;
    for (std::uint32_t block = 0; block < 4 * kPages; ++block) {
        Cursor cursor = store->cursor();
        const auto found = cursor.seek(kBranch, page_key(block), Lsn{200});
        if (found) {
            EXPECT_TRUE(*found) << block;
            continue;
        }
        ++unreadable;
        EXPECT_EQ(found.error().code, ErrorCode::corrupt);
        EXPECT_NE(found.error().message.find(name), std::string::npos) << found.error().message;
    }
    EXPECT_GT(unreadable, 0);
    EXPECT_LT(unreadable, 10) << "those of one block of the file";
}

}  // namespace
}  // namespace bough::pageserver
