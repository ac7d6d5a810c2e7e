// The power goes at any moment at which something had become durable: what was told to be durable is there, and what is there is a prefix
// of each branch's log.
#include <random>
#include <set>

#include <gtest/gtest.h>
#include <rocksdb/env.h>

#include "pageserver/page_store/forgetful_files.hpp"
#include "pageserver/page_store/object_hash.hpp"
#include "pageserver/page_store/page_version.hpp"
#include "pageserver/page_store/store.hpp"
#include "pageserver/testing/temporary_directory.hpp"

namespace bough::pageserver {
namespace {

constexpr BranchNumber kBranches[] = {{1}, {2}};
constexpr BranchNumber kErased{3};

ObjectKey page(std::uint64_t block) {
    return ObjectKey::page({{{1663, 5, 16384}, pg::Fork::main}, static_cast<std::uint32_t>(block)});
}

// The log of every branch: at each LSN from 1 on, one version of one page and one row.
constexpr std::uint64_t kPages = 7;
void write_record(Store& store, BranchNumber branch, std::uint64_t lsn) {
    auto write = *store.write_to(branch);
    const bool first = lsn <= kPages;
    const std::string text = "record " + std::to_string(lsn);
    const ObjectKey object = page(lsn % kPages);
    write.put(object, hash_object(object), Lsn{lsn},
              first ? encode_zero_page()
                    : encode_record(pg::PageBase::previous, Lsn{lsn - 1}, Lsn{lsn}, std::as_bytes(std::span(text))),
              first);
    const ObjectKey state = ObjectKey::two_phase(1);
    write.put(state, hash_object(state), Lsn{lsn}, encode_present(text), true);
    write.set_position({Lsn{lsn}, Lsn{lsn - 1}});
}

struct Cut {
    std::filesystem::path directory;
    std::uint64_t told[2];  // durable_lsn() of kBranches
    std::uint64_t acknowledged_rows;
    bool erased;
};

class PowerLossTest : public testing::TestWithParam<int> {
protected:
    static std::vector<std::uint64_t> lsns(const Store& store, BranchNumber branch, const ObjectKey& object) {
        std::vector<std::uint64_t> found;
        Cursor cursor = store.cursor();
        for (auto there = cursor.seek(branch, object, Lsn{~0ull}); there.value(); there = cursor.next_older())
            found.push_back(cursor.lsn().value);
        return found;
    }
    static void expect_whole(const Cut& cut, StoreResources& resources) {
        SCOPED_TRACE(cut.directory.filename().string());
        const auto store = Store::open(cut.directory, resources);
        ASSERT_TRUE(store.has_value()) << store.error().to_string();
        for (std::size_t i = 0; i < 2; ++i) {
            const auto position = *(*store)->position(kBranches[i]);
            const std::uint64_t end = position ? position->lsn.value : 0;
            EXPECT_GE(end, cut.told[i]) << "branch " << i << ": was told to be durable";
            EXPECT_EQ((*store)->durable_lsn(kBranches[i]).value, end);
            for (std::uint64_t p = 0; p < kPages; ++p) {
                std::vector<std::uint64_t> expected;
                for (std::uint64_t lsn = end; lsn > 0; --lsn)
                    if (lsn % kPages == p) expected.push_back(lsn);
                EXPECT_EQ(lsns(**store, kBranches[i], page(p)), expected) << "branch " << i << ", page " << p;
            }
            EXPECT_EQ(lsns(**store, kBranches[i], ObjectKey::two_phase(1)).size(), end);
        }
        const auto rows = *(*store)->metadata_with_prefix("row/");
        EXPECT_GE(rows.size(), cut.acknowledged_rows);
        // Rows may say how far versions are durable, as those of cutoffs do: there is no row without the versions.
        for (const auto& [name, durable] : rows)
            EXPECT_LE(std::stoull(durable), (*store)->durable_lsn(kBranches[0]).value) << name;
        if (cut.erased) {
            EXPECT_TRUE(lsns(**store, kErased, page(1)).empty());
        }
    }

    TemporaryDirectory directory_;
};

TEST_P(PowerLossTest, what_was_told_is_there_and_what_is_there_is_a_prefix) {
    std::filesystem::create_directory(directory_.path() / "lost+found");
    const auto files = std::make_shared<ForgetfulFiles>(directory_.path() / "lost+found");
    const auto env = rocksdb::NewCompositeEnv(files);
    std::vector<Cut> cuts;
    {
        StoreResources::Options options;
        options.layer_bytes = 4 << 10;
        StoreResources resources(options, env.get());
        const auto path = directory_.path() / "store";
        const auto store = *Store::create(path, resources);
        std::atomic<std::uint64_t> rows = 0;
        std::atomic<bool> erased = false;
        files->when_synced([&] {
            Cut& cut = cuts.emplace_back();
            cut.directory = directory_.path() / ("cut" + std::to_string(cuts.size()));
            for (std::size_t i = 0; i < 2; ++i) cut.told[i] = store->durable_lsn(kBranches[i]).value;
            cut.acknowledged_rows = rows;
            cut.erased = erased;
            files->leave(path, cut.directory);
        });
        std::mt19937_64 random(static_cast<std::uint64_t>(GetParam()));
        std::vector<std::byte> bytes(pg::kPageBytes, std::byte{7});
        const std::string image = encode_image(pg::ConstPage(bytes.data(), pg::kPageBytes));
        std::uint64_t next[2] = {1, 1};
        for (std::uint64_t lsn = 1; lsn < 20; ++lsn) write_record(*store, kErased, lsn);
        for (int step = 0; step < 300; ++step) {
            const std::size_t branch = random() % 2;
            write_record(*store, kBranches[branch], next[branch]++);
            const std::uint64_t chance = random() % 100;
            if (chance < 4) {
                ASSERT_TRUE(store->flush().has_value());
            }
            if (chance >= 4 && chance < 8) {
                const std::string durable = std::to_string(store->durable_lsn(kBranches[0]).value);
                ASSERT_TRUE(store->change_metadata({{"row/" + std::to_string(step), durable}}).has_value());
                ++rows;
            }
            if (chance >= 8 && chance < 14 && next[branch] > 2) {
                const std::uint64_t lsn = 1 + random() % (next[branch] - 1);
                ASSERT_TRUE(store->replace_by_image(kBranches[branch], page(lsn % kPages), Lsn{lsn}, image).has_value());
            }
            if (step == 150) {
                ASSERT_TRUE(store->erase_branch(kErased).has_value());
                ASSERT_TRUE(store->flush().has_value());
                erased = true;
            }
        }
        ASSERT_TRUE(store->flush().has_value());
        EXPECT_EQ(store->durable_lsn(kBranches[0]).value, next[0] - 1);
        // A compaction may sync a file while the store is closed, when it cannot be asked any more.
        files->when_synced(nullptr);
    }
    EXPECT_GT(cuts.size(), 50u);
    std::set<std::uint64_t> told;
    StoreResources resources{StoreResources::Options{}};
    for (const Cut& cut : cuts) {
        told.insert(cut.told[0]);
        expect_whole(cut, resources);
        if (HasFailure()) return;
    }
    EXPECT_GT(told.size(), 5u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, PowerLossTest, testing::Range(1, 3));

}  // namespace
}  // namespace bough::pageserver
