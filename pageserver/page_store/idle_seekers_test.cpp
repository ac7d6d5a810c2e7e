// Cursors whose iterator another one has used: they find what there is, and keep no file from going.
#include <algorithm>
#include <atomic>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "pageserver/page_store/idle_seekers.hpp"
#include "pageserver/page_store/object_hash.hpp"
#include "pageserver/page_store/page_version.hpp"
#include "pageserver/page_store/store.hpp"
#include "pageserver/testing/flip_bit.hpp"
#include "pageserver/testing/temporary_directory.hpp"

namespace bough::pageserver {
namespace {

constexpr std::uint32_t kBlocks = 50;
constexpr BranchNumber kBranch{1}, kOther{2};

ObjectKey page(std::uint32_t block) { return ObjectKey::page({{{1663, 5, 16384}, pg::Fork::main}, block}); }
std::string change() { return encode_edits(pg::PageBase::previous, std::string(100, 'x')); }

class IdleSeekersTest : public testing::Test {
protected:
    void put(BranchNumber branch, std::uint32_t block, Lsn lsn, std::string_view value) {
        auto write = *store_->write_to(branch);
        write.put(page(block), hash_object(page(block)), lsn, value, is_base_version(value));
        write.set_position({lsn, Lsn{lsn.value - 1}});
    }
    // A version of each page, in a file of their own.
    void write_file(BranchNumber branch, Lsn lsn, std::string_view value) {
        for (std::uint32_t block = 0; block < kBlocks; ++block) put(branch, block, lsn, value);
        ASSERT_TRUE(store_->flush().has_value());
    }
    // Of a page's newest version; invalid: it has none.
    Lsn newest(BranchNumber branch, std::uint32_t block) {
        Cursor cursor = store_->cursor();
        const auto found = cursor.seek(branch, page(block), Lsn{~0ull});
        EXPECT_TRUE(found.has_value()) << found.error().to_string();
        return found.has_value() && *found ? cursor.lsn() : Lsn{};
    }
    std::set<std::string> files() const {
        std::set<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(path()))
            if (entry.path().extension() == ".sst") names.insert(entry.path().filename());
        return names;
    }
    std::filesystem::path path() const { return directory_.path() / "store"; }
    // RocksDB removes them in a thread of its own.
    bool go(const std::set<std::string>& old) const {
        for (int looks = 0; looks < 500; ++looks) {
            const auto now = files();
            if (std::ranges::none_of(old, [&](const std::string& name) { return now.contains(name); })) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return false;
    }

    TemporaryDirectory directory_;
    StoreResources resources_{StoreResources::Options{}};
    std::unique_ptr<Store> store_ = *Store::create(path(), resources_);
};

TEST_F(IdleSeekersTest, what_came_into_files_after_one_was_made_is_found) {
    for (std::uint64_t lsn = 10; lsn < 20; ++lsn) {
        write_file(kBranch, Lsn{lsn}, encode_zero_page());
        for (std::uint32_t block = 0; block < kBlocks; ++block) ASSERT_EQ(newest(kBranch, block), Lsn{lsn});
    }
}

TEST_F(IdleSeekersTest, an_image_that_took_a_versions_place_is_found) {
    write_file(kBranch, Lsn{10}, encode_zero_page());
    write_file(kBranch, Lsn{20}, change());
    ASSERT_EQ(newest(kBranch, 7), Lsn{20});
    ASSERT_TRUE(*store_->replace_by_image(kBranch, page(7), Lsn{20}, encode_zero_page()));
    Cursor cursor = store_->cursor();
    ASSERT_TRUE(*cursor.seek(kBranch, page(7), Lsn{30}));
    EXPECT_TRUE(is_base_version(cursor.value()));
    ASSERT_TRUE(*cursor.seek(kBranch, page(8), Lsn{30}));
    EXPECT_FALSE(is_base_version(cursor.value()));
}

TEST_F(IdleSeekersTest, files_that_a_compaction_replaced_go) {
    write_file(kBranch, Lsn{10}, encode_zero_page());
    write_file(kBranch, Lsn{20}, change());
    ASSERT_EQ(newest(kBranch, 7), Lsn{20});
    const auto old = files();
    ASSERT_EQ(old.size(), 2u);
    ASSERT_TRUE(store_->compact_branches(kBranch, kBranch).has_value());
    EXPECT_TRUE(go(old));
    EXPECT_EQ(newest(kBranch, 7), Lsn{20});
}

TEST_F(IdleSeekersTest, files_that_were_replaced_under_a_cursor_go_with_it) {
    write_file(kBranch, Lsn{10}, encode_zero_page());
    const auto old = files();
    std::optional<Cursor> cursor = store_->cursor();
    ASSERT_TRUE(*cursor->seek(kBranch, page(7), Lsn{10}));
    ASSERT_TRUE(store_->compact_branches(kBranch, kBranch).has_value());
    cursor.reset();
    EXPECT_TRUE(go(old));
}

TEST_F(IdleSeekersTest, files_of_an_erased_branch_go) {
    write_file(kBranch, Lsn{10}, encode_zero_page());
    ASSERT_TRUE(store_->compact_branches(kBranch, kBranch).has_value());
    const auto its_own = files();
    write_file(kOther, Lsn{10}, encode_zero_page());
    ASSERT_EQ(newest(kBranch, 7), Lsn{10});
    ASSERT_TRUE(store_->erase_branch(kBranch).has_value());
    EXPECT_TRUE(go(its_own));
    EXPECT_EQ(newest(kBranch, 7), Lsn{});
    EXPECT_EQ(newest(kOther, 7), Lsn{10});
}

TEST_F(IdleSeekersTest, a_store_closes_and_opens_while_some_are_idle) {
    write_file(kBranch, Lsn{10}, encode_zero_page());
    EXPECT_EQ(newest(kBranch, 7), Lsn{10});
    store_.reset();
    store_ = *Store::open(path(), resources_);
    EXPECT_EQ(newest(kBranch, 7), Lsn{10});
}

// Readers of what was published, while layers are sealed, files are merged and images take versions' places.
TEST_F(IdleSeekersTest, readers_in_many_threads_miss_nothing) {
    write_file(kBranch, Lsn{10}, encode_zero_page());
    std::atomic<std::uint64_t> published = 10;
    std::atomic<bool> end = false;
    std::vector<std::thread> readers;
    for (std::uint32_t reader = 0; reader < 4; ++reader)
        readers.emplace_back([&, reader] {
            for (std::uint32_t i = reader; !end; ++i) {
                const std::uint64_t below = published;
                Cursor cursor = store_->cursor();
                const auto found = cursor.seek(kBranch, page(i % kBlocks), Lsn{below});
                ASSERT_TRUE(found.has_value() && *found);
                ASSERT_EQ(cursor.lsn().value, below);
            }
        });
    for (std::uint64_t lsn = 11; lsn < 150; ++lsn) {
        for (std::uint32_t block = 0; block < kBlocks; ++block) put(kBranch, block, Lsn{lsn}, lsn % 4 == 0 ? encode_zero_page() : change());
        published = lsn;
        bool written = true;
        if (lsn % 3 == 0) written = store_->flush().has_value();
        if (lsn % 5 == 0)
            written = written && store_->replace_by_image(kBranch, page(static_cast<std::uint32_t>(lsn) % kBlocks), Lsn{lsn}, encode_zero_page());
        if (lsn % 40 == 0) written = written && store_->compact_branches(kBranch, kBranch);
        EXPECT_TRUE(written) << lsn;
    }
    end = true;
    for (std::thread& reader : readers) reader.join();
}

TEST_F(IdleSeekersTest, a_reader_that_met_damage_leaves_nothing_of_it_to_the_next) {
    write_file(kBranch, Lsn{10}, encode_zero_page());
    store_.reset();
    const auto file = path() / *files().begin();
    flip_bit(file, 40);
    store_ = *Store::open(path(), resources_);
    const auto look = [&] {
        Cursor cursor = store_->cursor();
        return cursor.seek(kBranch, page(7), Lsn{10});
    };
    for (int looks = 0; looks < 3; ++looks) {
        const auto found = look();
        ASSERT_FALSE(found.has_value());
        EXPECT_EQ(found.error().code, ErrorCode::corrupt);
    }
    flip_bit(file, 40);
    const auto found = look();
    ASSERT_TRUE(found.has_value()) << found.error().to_string();
    EXPECT_TRUE(*found);
}

std::unique_ptr<Seeker> seeker(rocksdb::Iterator* iterator, std::uint64_t seals = 0, std::uint64_t changes = 0) {
    return std::unique_ptr<Seeker>(new Seeker{std::unique_ptr<rocksdb::Iterator>(iterator), seals, changes});
}
bool has_one(IdleSeekers& idle, std::uint64_t seals = 0) { return idle.take(seals) != nullptr; }

TEST(IdleSeekersAlone, only_what_shows_all_there_is_is_taken) {
    IdleSeekers idle;
    EXPECT_FALSE(has_one(idle));
    idle.give(seeker(rocksdb::NewEmptyIterator(), 3));
    EXPECT_FALSE(has_one(idle, 4));
    EXPECT_FALSE(has_one(idle, 3)) << "it was of no use to anybody any more";
    idle.give(seeker(rocksdb::NewEmptyIterator(), 4));
    EXPECT_TRUE(has_one(idle, 4));
    idle.give(seeker(rocksdb::NewErrorIterator(rocksdb::Status::Corruption("damage"))));
    idle.give(nullptr);
    EXPECT_FALSE(has_one(idle));
    idle.note_change();
    idle.give(seeker(rocksdb::NewEmptyIterator()));
    EXPECT_FALSE(has_one(idle)) << "it was made before the change";
    idle.give(seeker(rocksdb::NewEmptyIterator(), 0, idle.changes()));
    EXPECT_TRUE(has_one(idle));
}

TEST(IdleSeekersAlone, a_closed_one_keeps_nothing) {
    IdleSeekers idle;
    idle.give(seeker(rocksdb::NewEmptyIterator()));
    idle.close();
    idle.give(seeker(rocksdb::NewEmptyIterator(), 0, idle.changes()));
    EXPECT_FALSE(has_one(idle));
}

// Each is somebody's, once, and in the end none is left.
TEST(IdleSeekersAlone, many_threads_take_and_give_while_files_change) {
    static std::atomic<int> alive;
    class Counted final : public rocksdb::Iterator {
    public:
        Counted() { ++alive; }
        ~Counted() override { --alive; }
        bool Valid() const override { return false; }
        void SeekToFirst() override {}
        void SeekToLast() override {}
        void Seek(const rocksdb::Slice&) override { ++users; }
        void SeekForPrev(const rocksdb::Slice&) override {}
        void Next() override { --users; }
        void Prev() override {}
        rocksdb::Slice key() const override { return {}; }
        rocksdb::Slice value() const override { return {}; }
        rocksdb::Status status() const override { return users == 0 ? rocksdb::Status::OK() : rocksdb::Status::Aborted(); }
        int users = 0;  // not atomic: one at a time has it
    };
    alive = 0;
    std::atomic<bool> end = false;
    std::atomic<std::uint64_t> reused = 0;
    {
        IdleSeekers idle;
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] {
                while (!end) {
                    const std::uint64_t changes = idle.changes();
                    auto taken = idle.take(1);
                    if (taken != nullptr) {
                        ++reused;
                        EXPECT_GE(taken->changes, changes);
                    } else {
                        taken = seeker(new Counted, 1, changes);
                    }
                    taken->iterator->Seek({});
                    EXPECT_EQ(static_cast<Counted&>(*taken->iterator).users, 1);
                    taken->iterator->Next();
                    idle.give(std::move(taken));
                }
            });
        for (int i = 0; i < 20'000; ++i) {
            if (i % 3 == 0) idle.note_change();
            idle.drop_unused();
        }
        while (reused == 0) std::this_thread::yield();
        end = true;
        for (std::thread& thread : threads) thread.join();
        EXPECT_LE(alive, 8);
        idle.note_change();
        EXPECT_EQ(alive, 0);
    }
}

TEST(IdleSeekersAlone, what_nobody_takes_goes) {
    IdleSeekers idle;
    idle.give(seeker(rocksdb::NewEmptyIterator()));
    ASSERT_TRUE(has_one(idle));
    idle.give(seeker(rocksdb::NewEmptyIterator()));
    idle.drop_unused();
    ASSERT_TRUE(has_one(idle));
    idle.give(seeker(rocksdb::NewEmptyIterator()));
    idle.drop_unused();
    idle.drop_unused();
    EXPECT_FALSE(has_one(idle));
}

}  // namespace
}  // namespace bough::pageserver
