// Layers, sealing and files as one store: what is written is found wherever it lies, and what is durable is told truly.
#include <atomic>
#include <fstream>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "pageserver/page_store/object_hash.hpp"
#include "pageserver/page_store/page_version.hpp"
#include "pageserver/page_store/store.hpp"
#include "pageserver/testing/temporary_directory.hpp"

namespace bough::pageserver {
namespace {

using namespace std::chrono_literals;

constexpr BranchNumber kBranch{1};
ObjectKey page(std::uint32_t block) { return ObjectKey::page({{{1663, 5, 16384}, pg::Fork::main}, block}); }

std::string record_value(Lsn lsn, std::string_view text) {
    return encode_record(pg::PageBase::previous, Lsn{lsn.value - 1}, lsn, std::as_bytes(std::span(text)));
}

class StoreLayersTest : public testing::Test {
protected:
    std::filesystem::path path() const { return directory_.path() / "store"; }
    static void put(Store& store, const ObjectKey& object, Lsn lsn, std::string_view value, BranchNumber branch = kBranch) {
        auto write = *store.write_to(branch);
        write.put(object, hash_object(object), lsn, value, !has_runs(object.kind) || is_base_version(value));
        write.set_position({lsn, Lsn{lsn.value - 1}});
    }
    // LSNs from `at` downward.
    static std::vector<std::uint64_t> lsns(const Store& store, const ObjectKey& object, Lsn at) {
        std::vector<std::uint64_t> found;
        Cursor cursor = store.cursor();
        for (auto there = cursor.seek(kBranch, object, at); *there; there = cursor.next_older())
            found.push_back(cursor.lsn().value);
        return found;
    }
    static std::string value_at(const Store& store, const ObjectKey& object, Lsn at) {
        Cursor cursor = store.cursor();
        return *cursor.seek(kBranch, object, at) ? std::string(cursor.value()) : "none";
    }

    TemporaryDirectory directory_;
    StoreResources resources_{StoreResources::Options{}};
};

TEST_F(StoreLayersTest, versions_are_walked_from_the_open_layer_down_through_the_files) {
    const auto store = *Store::create(path(), resources_);
    for (std::uint64_t lsn = 10; lsn <= 90; lsn += 10) {
        put(*store, page(1), Lsn{lsn}, lsn == 10 ? encode_zero_page() : record_value(Lsn{lsn}, "r"));
        put(*store, ObjectKey::two_phase(1), Lsn{lsn}, encode_present("x"));
        if (lsn == 30 || lsn == 60) {
            ASSERT_TRUE(store->flush().has_value());
        }
    }
    for (const auto& object : {page(1), ObjectKey::two_phase(1)}) {
        EXPECT_EQ(lsns(*store, object, Lsn{~0ull}), (std::vector<std::uint64_t>{90, 80, 70, 60, 50, 40, 30, 20, 10}));
        EXPECT_EQ(lsns(*store, object, Lsn{65}), (std::vector<std::uint64_t>{60, 50, 40, 30, 20, 10}));
        EXPECT_EQ(lsns(*store, object, Lsn{59}), (std::vector<std::uint64_t>{50, 40, 30, 20, 10}));
        EXPECT_EQ(lsns(*store, object, Lsn{9}), std::vector<std::uint64_t>{});
    }
}

// It would be newer than what erases the branch, and stay for ever.
TEST_F(StoreLayersTest, no_image_takes_a_version_s_place_on_an_erased_branch) {
    const std::vector<std::byte> bytes(pg::kPageBytes, std::byte{7});
    const std::string image = encode_image(pg::ConstPage(bytes.data(), pg::kPageBytes));
    constexpr BranchNumber kOther{2};
    const auto store = *Store::create(path(), resources_);
    for (const BranchNumber branch : {kBranch, kOther}) put(*store, page(1), Lsn{10}, encode_zero_page(), branch);
    ASSERT_TRUE(store->flush().has_value());
    ASSERT_TRUE(store->erase_branch(kBranch).has_value());
    EXPECT_FALSE(*store->replace_by_image(kBranch, page(1), Lsn{10}, image));
    EXPECT_TRUE(*store->replace_by_image(kOther, page(1), Lsn{10}, image));
    ASSERT_TRUE(store->flush().has_value());
    ASSERT_TRUE(store->compact_branches(kBranch, kBranch).has_value());
    EXPECT_EQ(store->branch_bytes(kBranch)->files, 0u);
    EXPECT_GT(store->branch_bytes(kOther)->files, 0u);
}

TEST_F(StoreLayersTest, an_image_in_the_middle_of_a_sealed_run_hides_nothing) {
    std::vector<std::byte> bytes(pg::kPageBytes, std::byte{7});
    const std::string image = encode_image(pg::ConstPage(bytes.data(), pg::kPageBytes));
    {
        const auto store = *Store::create(path(), resources_);
        put(*store, page(1), Lsn{10}, encode_zero_page());
        for (std::uint64_t lsn = 11; lsn <= 20; ++lsn) put(*store, page(1), Lsn{lsn}, record_value(Lsn{lsn}, "r"));
        EXPECT_FALSE(*store->replace_by_image(kBranch, page(2), Lsn{15}, image)) << "there is no such page";
        ASSERT_TRUE(store->flush().has_value());
        EXPECT_FALSE(*store->replace_by_image(kBranch, page(1), Lsn{21}, image)) << "there is no such version";
        ASSERT_TRUE(*store->replace_by_image(kBranch, page(1), Lsn{15}, image));
        ASSERT_TRUE(*store->replace_by_image(kBranch, page(1), Lsn{18}, image));
        ASSERT_TRUE(*store->replace_by_image(kBranch, page(1), Lsn{10}, image));
    }
    const auto store = *Store::open(path(), resources_);
    EXPECT_EQ(lsns(*store, page(1), Lsn{30}), (std::vector<std::uint64_t>{20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10}));
    for (std::uint64_t lsn = 10; lsn <= 20; ++lsn)
        EXPECT_EQ(value_at(*store, page(1), Lsn{lsn}), lsn == 10 || lsn == 15 || lsn == 18 ? image : record_value(Lsn{lsn}, "r"))
            << lsn;
}

TEST_F(StoreLayersTest, a_seal_that_fails_advances_nothing_and_is_made_good) {
    const auto store = *Store::create(path(), resources_);
    put(*store, page(1), Lsn{10}, encode_zero_page());
    ASSERT_TRUE(store->flush().has_value());
    put(*store, page(1), Lsn{20}, record_value(Lsn{20}, "r"));
    const auto sealing = path() / "sealing";
    std::filesystem::remove_all(sealing);
    std::ofstream(sealing) << "in the way";
    EXPECT_FALSE(store->flush().has_value());
    EXPECT_EQ(store->durable_lsn(kBranch), Lsn{10});
    EXPECT_TRUE(store->dirty_since().has_value());
    put(*store, page(1), Lsn{30}, record_value(Lsn{30}, "r"));
    EXPECT_EQ(lsns(*store, page(1), Lsn{99}), (std::vector<std::uint64_t>{30, 20, 10}));
    EXPECT_FALSE(store->flush().has_value());
    std::filesystem::remove(sealing);
    std::filesystem::create_directory(sealing);
    EXPECT_TRUE(store->flush().has_value());
    EXPECT_EQ(store->durable_lsn(kBranch), Lsn{30});
    EXPECT_EQ(lsns(*store, page(1), Lsn{99}), (std::vector<std::uint64_t>{30, 20, 10}));
    EXPECT_EQ(resources_.counts().seal_failures, 2u);
    EXPECT_TRUE(std::filesystem::is_empty(sealing));
}

TEST_F(StoreLayersTest, what_was_written_above_the_position_is_written_again_over_itself) {
    std::vector<std::byte> bytes(pg::kPageBytes, std::byte{7});
    const std::string image = encode_image(pg::ConstPage(bytes.data(), pg::kPageBytes));
    {
        const auto store = *Store::create(path(), resources_);
        put(*store, ObjectKey::two_phase(1), Lsn{10}, encode_present("x"));
        // As by a database that is being copied when the process ends.
        auto write = *store->write_to(kBranch);
        write.put(page(1), hash_object(page(1)), Lsn{50}, image, true);
    }
    const auto store = *Store::open(path(), resources_);
    EXPECT_EQ(store->durable_lsn(kBranch), Lsn{10});
    // The log goes on below that LSN, now with the same page.
    put(*store, page(1), Lsn{40}, encode_zero_page());
    put(*store, page(1), Lsn{50}, image);
    put(*store, page(1), Lsn{60}, record_value(Lsn{60}, "r"));
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(lsns(*store, page(1), Lsn{99}), (std::vector<std::uint64_t>{60, 50, 40}));
        EXPECT_EQ(lsns(*store, page(1), Lsn{55}), (std::vector<std::uint64_t>{50, 40}));
        ASSERT_TRUE(store->flush().has_value());
    }
}

TEST_F(StoreLayersTest, full_layers_are_sealed_without_being_asked) {
    StoreResources::Options options;
    options.layer_bytes = 64 << 10;
    StoreResources resources(options);
    const auto store = *Store::create(path(), resources);
    const std::string text(1000, 'x');
    Lsn lsn{100};
    for (int i = 0; i < 1000; ++i, lsn = lsn + 10)
        put(*store, page(static_cast<std::uint32_t>(i % 10)), lsn, record_value(lsn, text));
    for (int i = 0; i < 2000 && store->durable_lsn(kBranch) < Lsn{5000}; ++i) std::this_thread::sleep_for(5ms);
    EXPECT_GE(store->durable_lsn(kBranch), Lsn{5000});
    EXPECT_EQ(lsns(*store, page(0), Lsn{~0ull}).size(), 100u);
}

TEST_F(StoreLayersTest, writing_waits_while_too_much_is_open_and_goes_on_when_that_is_sealed) {
    StoreResources::Options options;
    options.open_bytes_max = 256 << 10;
    StoreResources resources(options);
    const auto store = *Store::create(path(), resources);
    const std::string text(10'000, 'x');
    std::size_t most = 0;
    for (std::uint64_t lsn = 100; lsn < 500; ++lsn) {
        WriteSet set;
        set.put(kBranch, page(static_cast<std::uint32_t>(lsn)), Lsn{lsn}, record_value(Lsn{lsn}, text));
        set.set_position(kBranch, {Lsn{lsn}, Lsn{lsn - 1}});
        ASSERT_TRUE(store->write(std::move(set)).has_value());
        most = std::max(most, resources.counts().open_bytes);
    }
    EXPECT_LT(most, options.open_bytes_max + (2 << 20)) << "one chunk of memory may be above the limit";
    EXPECT_GT(resources.counts().layers_sealed, 1u);
    EXPECT_GT(resources.counts().waits_for_room, 0u);
}

TEST_F(StoreLayersTest, two_stores_share_what_may_be_open) {
    StoreResources::Options options;
    options.open_bytes_max = 1 << 20;
    StoreResources resources(options);
    const auto one = *Store::create(path(), resources);
    const auto other = *Store::create(directory_.path() / "other", resources);
    std::atomic<std::size_t> most = 0;
    const auto write_much = [&](Store& store) {
        const std::string text(10'000, 'x');
        for (std::uint64_t lsn = 100; lsn < 700; ++lsn) {
            WriteSet set;
            set.put(kBranch, page(static_cast<std::uint32_t>(lsn)), Lsn{lsn}, record_value(Lsn{lsn}, text));
            set.set_position(kBranch, {Lsn{lsn}, Lsn{lsn - 1}});
            ASSERT_TRUE(store.write(std::move(set)).has_value());
            const std::size_t open = resources.counts().open_bytes;
            if (open > most) most = open;
        }
        ASSERT_TRUE(store.flush().has_value());
        EXPECT_EQ(store.durable_lsn(kBranch), Lsn{699});
    };
    std::jthread second([&] { write_much(*other); });
    write_much(*one);
    second.join();
    EXPECT_LT(most, options.open_bytes_max + (3 << 20)) << "a chunk of memory of each may be above the limit";
    EXPECT_GT(resources.counts().waits_for_room, 0u);
}

TEST_F(StoreLayersTest, a_store_that_cannot_be_sealed_leaves_the_others_their_room) {
    StoreResources::Options options;
    options.open_bytes_max = 4 << 20;
    options.layer_bytes = 256 << 10;
    StoreResources resources(options);
    const auto broken = *Store::create(path(), resources);
    const auto other = *Store::create(directory_.path() / "other", resources);
    const auto sealing = path() / "sealing";
    std::filesystem::remove_all(sealing);
    std::ofstream(sealing) << "in the way";
    const std::string text(10'000, 'x');
    // It is told to take nothing more long before the limit of all.
    std::uint64_t last = 100;
    for (; broken->has_room() && last < 400; ++last) {
        put(*broken, page(static_cast<std::uint32_t>(last)), Lsn{last}, record_value(Lsn{last}, text));
        std::this_thread::sleep_for(1ms);
    }
    EXPECT_LT(last, 400u);
    for (std::uint64_t lsn = 100; lsn < 1600; ++lsn) {
        WriteSet set;
        set.put(kBranch, page(static_cast<std::uint32_t>(lsn)), Lsn{lsn}, record_value(Lsn{lsn}, text));
        set.set_position(kBranch, {Lsn{lsn}, Lsn{lsn - 1}});
        ASSERT_TRUE(other->write(std::move(set)).has_value());
    }
    EXPECT_FALSE(broken->has_room());
    EXPECT_EQ(broken->durable_lsn(kBranch), Lsn{0});
    std::filesystem::remove(sealing);
    std::filesystem::create_directory(sealing);
    EXPECT_TRUE(broken->wait_for_room(std::chrono::steady_clock::now() + 20s));
    EXPECT_GT(broken->durable_lsn(kBranch), Lsn{0});
}

TEST_F(StoreLayersTest, a_store_whose_unsealable_layers_are_erased_takes_more_again) {
    const auto store = *Store::create(path(), resources_);
    put(*store, page(1), Lsn{20}, encode_zero_page());
    const auto sealing = path() / "sealing";
    std::filesystem::remove_all(sealing);
    std::ofstream(sealing) << "in the way";
    EXPECT_FALSE(store->flush().has_value());
    EXPECT_FALSE(store->has_room());
    EXPECT_FALSE(store->wait_for_room(std::chrono::steady_clock::now() + 10ms));
    ASSERT_TRUE(store->erase_branch(kBranch).has_value());
    EXPECT_TRUE(store->flush().has_value());
    EXPECT_TRUE(store->has_room());
}

// Whoever still ingests it writes into a branch whose versions were erased: they would stay for ever.
TEST_F(StoreLayersTest, an_erased_branch_takes_nothing_any_more) {
    const auto store = *Store::create(path(), resources_);
    put(*store, page(1), Lsn{20}, encode_zero_page());
    ASSERT_TRUE(store->erase_branch(kBranch).has_value());
    ASSERT_TRUE(store->erase_branch(BranchNumber{77}).has_value());  // that nothing was ever written to
    for (const BranchNumber branch : {kBranch, BranchNumber{77}}) {
        const auto write = store->write_to(branch);
        ASSERT_FALSE(write.has_value());
        EXPECT_EQ(write.error().code, ErrorCode::not_found);
    }
    EXPECT_TRUE(store->write_to(BranchNumber{78}).has_value());
}

using StoreLayersDeathTest = StoreLayersTest;
TEST_F(StoreLayersDeathTest, a_position_never_goes_back) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    const auto store = *Store::create(path(), resources_);
    put(*store, page(1), Lsn{20}, encode_zero_page());
    EXPECT_DEATH(put(*store, page(1), Lsn{19}, encode_zero_page()), "position");
}

// One writer, layers of a few versions, and readers that must find exactly what was announced to them at every moment.
TEST_F(StoreLayersTest, readers_miss_nothing_while_layers_come_and_go) {
    StoreResources::Options options;
    options.layer_bytes = 8 << 10;
    StoreResources resources(options);
    const auto store = *Store::create(path(), resources);
    constexpr std::uint64_t kPages = 20;
    constexpr std::uint64_t kVersions = 6000;
    std::atomic<std::uint64_t> announced = 0;
    std::vector<std::jthread> readers;
    std::atomic<std::uint64_t> reads = 0;
    for (std::uint64_t reader = 0; reader < 3; ++reader) {
        readers.emplace_back([&, reader] {
            std::mt19937_64 random(reader);
            while (announced.load(std::memory_order_acquire) < kVersions && !testing::Test::HasFailure()) {
                const std::uint64_t end = announced.load(std::memory_order_acquire);
                if (end < kPages) continue;
                const std::uint64_t lsn = 1 + random() % end;
                Cursor cursor = store->cursor();
                std::uint64_t expected = lsn;
                std::uint64_t steps = 0;
                for (auto there = cursor.seek(kBranch, page(static_cast<std::uint32_t>(lsn % kPages)), Lsn{lsn});
                     *there && steps < 200; there = cursor.next_older(), ++steps) {
                    ASSERT_EQ(cursor.lsn().value, expected) << "below " << lsn;
                    expected -= std::min(expected, kPages);
                }
                ASSERT_TRUE(expected == 0 || steps == 200) << lsn << " ended at " << expected;
                reads.fetch_add(1, std::memory_order_relaxed);
            }
        });
    }
    for (std::uint64_t lsn = 1; lsn <= kVersions; ++lsn) {
        put(*store, page(static_cast<std::uint32_t>(lsn % kPages)), Lsn{lsn}, record_value(Lsn{lsn}, "some record"));
        announced.store(lsn, std::memory_order_release);
        if (lsn % 1000 == 0) {
            EXPECT_TRUE(store->flush().has_value());
        }
    }
    readers.clear();
    EXPECT_GT(reads, 0u);
    EXPECT_GT(resources.counts().layers_sealed, 10u);
}

}  // namespace
}  // namespace bough::pageserver
