#include "pageserver/page_store/store.hpp"

#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "pageserver/testing/temporary_directory.hpp"

namespace bough::pageserver {
namespace {

constexpr BranchNumber kBranch{1};
const ObjectKey kObject = ObjectKey::two_phase(7);

class StoreTest : public testing::Test {
protected:
    std::filesystem::path path() const { return directory_.path() / "store"; }
    void put(Store& store, Lsn lsn, std::string_view value, BranchNumber branch = kBranch) {
        WriteSet set;
        set.put(branch, kObject, lsn, value);
        set.set_position(branch, {lsn, Lsn{lsn.value - 1}});
        ASSERT_TRUE(store.write(std::move(set)).has_value());
    }
    static std::string newest(const Store& store, Lsn at, BranchNumber branch = kBranch) {
        Cursor cursor = store.cursor();
        const auto found = cursor.seek(branch, kObject, at);
        if (!found) return "error: " + found.error().to_string();
        return *found ? std::string(cursor.value()) : "none";
    }

    TemporaryDirectory directory_;
    StoreResources resources_{StoreResources::Options{}};
};

TEST_F(StoreTest, gives_the_newest_version_at_or_below_an_lsn) {
    const auto store = *Store::create(path(), resources_);
    put(*store, Lsn{10}, "ten");
    put(*store, Lsn{20}, "twenty");
    for (const bool flushed : {false, true}) {
        if (flushed) {
            ASSERT_TRUE(store->flush().has_value());
        }
        EXPECT_EQ(newest(*store, Lsn{9}), "none");
        EXPECT_EQ(newest(*store, Lsn{10}), "ten");
        EXPECT_EQ(newest(*store, Lsn{19}), "ten");
        EXPECT_EQ(newest(*store, Lsn{~0ull}), "twenty");
        EXPECT_EQ(newest(*store, Lsn{20}, BranchNumber{2}), "none");
    }
}

TEST_F(StoreTest, older_versions_follow_and_stop_at_the_object) {
    const auto store = *Store::create(path(), resources_);
    put(*store, Lsn{10}, "ten");
    put(*store, Lsn{20}, "twenty");
    WriteSet other;
    other.put(kBranch, ObjectKey::two_phase(8), Lsn{5}, "other");
    ASSERT_TRUE(store->write(std::move(other)).has_value());
    Cursor cursor = store->cursor();
    ASSERT_TRUE(*cursor.seek(kBranch, kObject, Lsn{30}));
    EXPECT_EQ(cursor.lsn(), Lsn{20});
    ASSERT_TRUE(*cursor.next_older());
    EXPECT_EQ(cursor.lsn(), Lsn{10});
    EXPECT_FALSE(*cursor.next_older());
}

TEST_F(StoreTest, durable_lsn_follows_flushes_and_survives_reopening) {
    {
        const auto store = *Store::create(path(), resources_);
        EXPECT_EQ(store->durable_lsn(kBranch), Lsn{0});
        put(*store, Lsn{10}, "ten");
        EXPECT_EQ(store->durable_lsn(kBranch), Lsn{0});
        EXPECT_TRUE(store->dirty_since().has_value());
        ASSERT_TRUE(store->flush().has_value());
        EXPECT_EQ(store->durable_lsn(kBranch), Lsn{10});
        EXPECT_FALSE(store->dirty_since().has_value());
        put(*store, Lsn{20}, "twenty");
        EXPECT_EQ(store->durable_lsn(kBranch), Lsn{10});
    }
    const auto store = *Store::open(path(), resources_);
    EXPECT_EQ(store->durable_lsn(kBranch), Lsn{20});  // an orderly close flushes
    EXPECT_EQ((*store->position(kBranch))->lsn, Lsn{20});
    put(*store, Lsn{30}, "thirty");
    EXPECT_EQ(store->durable_lsn(kBranch), Lsn{20});
}

TEST_F(StoreTest, erased_branch_is_gone_and_others_stay) {
    const auto store = *Store::create(path(), resources_);
    put(*store, Lsn{10}, "mine");
    put(*store, Lsn{10}, "other", BranchNumber{2});
    ASSERT_TRUE(store->flush().has_value());
    ASSERT_TRUE(store->erase_branch(kBranch).has_value());
    EXPECT_EQ(newest(*store, Lsn{10}), "none");
    EXPECT_EQ(newest(*store, Lsn{10}, BranchNumber{2}), "other");
    for (const auto& [branch, there] : {std::pair{kBranch, 0u}, {BranchNumber{2}, 1u}}) {
        std::map<ObjectKey, std::string> found;
        ASSERT_TRUE(store->scan(branch, ObjectKey::two_phase(0), ObjectKey::two_phase(100), Lsn{10}, found).has_value());
        EXPECT_EQ(found.size(), there) << branch.value;
    }
}

TEST_F(StoreTest, metadata_changes_together_and_lasts) {
    {
        const auto store = *Store::create(path(), resources_);
        ASSERT_TRUE(store->change_metadata({{"branch/a", "1"}, {"branch/b", "2"}, {"other", "3"}}).has_value());
        ASSERT_TRUE(store->change_metadata({{"branch/a", std::nullopt}, {"branch/c", "4"}}).has_value());
    }
    const auto store = *Store::open(path(), resources_);
    EXPECT_EQ(*store->metadata("branch/a"), std::nullopt);
    EXPECT_EQ(*store->metadata("other"), "3");
    const std::map<std::string, std::string> expected = {{"branch/b", "2"}, {"branch/c", "4"}};
    EXPECT_EQ(*store->metadata_with_prefix("branch/"), expected);
}

TEST_F(StoreTest, takes_over_stores_of_the_formats_before) {
    for (const char* format : {"2", "3"}) {
        const auto store_path = directory_.path() / format;
        {
            const auto store = *Store::create(store_path, resources_);
            ASSERT_TRUE(store->change_metadata({{"format", format}}).has_value());
        }
        const auto opened = Store::open(store_path, resources_);
        ASSERT_TRUE(opened.has_value()) << opened.error().message;
        EXPECT_EQ(**(*opened)->metadata("format"), "4");
    }
}

TEST_F(StoreTest, refuses_another_format_and_what_is_no_store) {
    {
        const auto store = *Store::create(path(), resources_);
        ASSERT_TRUE(store->change_metadata({{"format", "5"}}).has_value());
    }
    const auto opened = Store::open(path(), resources_);
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, ErrorCode::unsupported);
    EXPECT_NE(opened.error().message.find("format 5"), std::string::npos);
    EXPECT_FALSE(Store::open(directory_.path() / "nothing", resources_).has_value());
    EXPECT_FALSE(Store::create(path(), resources_).has_value()) << "a store is never made over another";
}

class DamagedStore : public StoreTest {
protected:
    static constexpr int kObjects = 3000;

    std::filesystem::path written_sst() {
        {
            const auto store = *Store::create(path(), resources_);
            WriteSet set;
            for (int i = 0; i < kObjects; ++i) {
                // Hard to compress, so that there are many blocks.
                std::string value;
                for (int j = 0; j < 100; ++j) value.push_back(static_cast<char>((i * 7919 + j * j * 31) >> (j % 7)));
                set.put(kBranch, ObjectKey::two_phase(static_cast<std::uint32_t>(i)), Lsn{10}, value);
            }
            EXPECT_TRUE(store->write(std::move(set)).has_value());
        }
        std::filesystem::path largest;
        for (const auto& entry : std::filesystem::directory_iterator(path()))
            if (entry.path().extension() == ".sst" && (largest.empty() || entry.file_size() > std::filesystem::file_size(largest)))
                largest = entry.path();
        return largest;
    }
    static void flip(const std::filesystem::path& file, std::uint64_t step) {
        std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
        const auto size = std::filesystem::file_size(file);
        for (std::uint64_t at = step / 2; at < size; at += step) {
            stream.seekg(static_cast<std::streamoff>(at));
            const char byte = static_cast<char>(stream.get() ^ 0x10);
            stream.seekp(static_cast<std::streamoff>(at));
            stream.put(byte);
        }
    }
    // How many objects are read as "error that names the file", or whether opening fails so.
    int errors_naming(const std::string& file) {
        const auto store = Store::open(path(), resources_);
        if (!store) {
            EXPECT_NE(store.error().message.find(file), std::string::npos) << store.error().message;
            return kObjects;
        }
        int errors = 0;
        for (int i = 0; i < kObjects; ++i) {
            Cursor cursor = (*store)->cursor();
            const auto found = cursor.seek(kBranch, ObjectKey::two_phase(static_cast<std::uint32_t>(i)), Lsn{10});
            if (found) {
                EXPECT_TRUE(*found) << "an object is silently missing";
                continue;
            }
            EXPECT_EQ(found.error().code, ErrorCode::corrupt);
            EXPECT_NE(found.error().message.find(file), std::string::npos) << found.error().message;
            ++errors;
        }
        return errors;
    }
};

TEST_F(DamagedStore, flipped_bits_are_an_error_that_names_the_file) {
    const auto sst = written_sst();
    flip(sst, 2000);
    EXPECT_EQ(errors_naming(sst.filename().string()), kObjects);
}

TEST_F(DamagedStore, one_flipped_bit_leaves_the_rest_readable) {
    const auto sst = written_sst();
    flip(sst, std::filesystem::file_size(sst) / 2);
    const int errors = errors_naming(sst.filename().string());
    EXPECT_GT(errors, 0);
    EXPECT_LT(errors, kObjects);
}

TEST_F(DamagedStore, truncated_file_is_an_error_that_names_it) {
    const auto sst = written_sst();
    std::filesystem::resize_file(sst, std::filesystem::file_size(sst) / 2);
    EXPECT_EQ(errors_naming(sst.filename().string()), kObjects);
}

TEST_F(DamagedStore, missing_file_is_an_error_that_names_it) {
    const auto sst = written_sst();
    std::filesystem::remove(sst);
    EXPECT_EQ(errors_naming(sst.filename().string()), kObjects);
}

}  // namespace
}  // namespace bough::pageserver
