// Pages looked for one after the other with one cursor: found are the versions that each has, as if it had been looked for alone.
#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "pageserver/page_store/object_hash.hpp"
#include "pageserver/page_store/page_version.hpp"
#include "pageserver/page_store/store.hpp"
#include "pageserver/testing/flip_bit.hpp"
#include "pageserver/testing/temporary_directory.hpp"

namespace bough::pageserver {
namespace {

using Random = std::mt19937_64;
constexpr std::uint32_t kBlocks = 120;

ObjectKey page(std::uint32_t fork, std::uint32_t block) {
    if (fork == 2) return ObjectKey::slru_page(pg::Slru::xact, block);
    return ObjectKey::page({{{1663, 5, 16384 + fork}, pg::Fork::main}, block});
}

class FileSweepTest : public testing::Test {
protected:
    struct Place {
        BranchNumber branch;
        ObjectKey object;
        auto operator<=>(const Place&) const = default;
    };

    std::filesystem::path path() const { return directory_.path() / "store"; }
    void put(const Place& place, Lsn lsn, std::string_view value) {
        auto write = *store_->write_to(place.branch);
        write.put(place.object, hash_object(place.object), lsn, value, !has_runs(place.object.kind) || is_base_version(value));
        write.set_position({lsn, Lsn{lsn.value - 1}});
        written_[place][lsn.value] = value;
    }
    // In the order they were written.
    std::vector<std::filesystem::path> ssts() const {
        std::vector<std::filesystem::path> files;
        for (const auto& entry : std::filesystem::directory_iterator(path()))
            if (entry.path().extension() == ".sst") files.push_back(entry.path());
        std::ranges::sort(files);
        return files;
    }
    // Versions of some pages, a few of each, everything newer than what was written before. Some pages stay without any.
    void write_some(Random& random) {
        std::uint64_t lsn = ++last_ * 1000;
        for (unsigned i = 0; i < 400; ++i) {
            const Place place{BranchNumber{static_cast<std::uint32_t>(1 + random() % 2)},
                              page(static_cast<std::uint32_t>(random() % 3), static_cast<std::uint32_t>(random() % kBlocks))};
            for (std::uint64_t versions = random() % 8 == 0 ? 30 : 1 + random() % 3; versions > 0; --versions) {
                ++lsn;
                const std::string filler(random() % 300, static_cast<char>(random()));
                put(place, Lsn{lsn}, random() % 4 == 0 ? encode_zero_page() : encode_edits(pg::PageBase::previous, filler));
            }
        }
        last_ = lsn / 1000;
    }
    // The versions at or below an LSN, newest first, as far as `most`.
    using Versions = std::vector<std::pair<std::uint64_t, std::string>>;
    Versions expected(const Place& place, std::uint64_t at, std::size_t most) const {
        Versions versions;
        const auto of = written_.find(place);
        if (of == written_.end()) return versions;
        for (auto next = of->second.upper_bound(at); next != of->second.begin() && versions.size() < most;) {
            --next;
            versions.emplace_back(next->first, next->second);
        }
        return versions;
    }
    static Result<Versions> found(Cursor& cursor, const Place& place, std::uint64_t at, std::size_t most) {
        Versions versions;
        for (auto there = cursor.seek(place.branch, place.object, Lsn{at}); versions.size() < most; there = cursor.next_older()) {
            if (!there) return there.error();
            if (!*there) break;
            versions.emplace_back(cursor.lsn().value, cursor.value());
        }
        return versions;
    }
    static std::uint32_t next_block(Random& random, std::uint32_t block, std::uint64_t die) {
        if (die <= 1) return static_cast<std::uint32_t>(random() % kBlocks);
        if (die == 2) return block - (block > 0 ? 1 : 0);
        if (die == 3) return block;
        return block + (die == 4 ? static_cast<std::uint32_t>(random() % 20) : 1);
    }
    // One cursor over pages that follow one another mostly, as of LSNs of all kinds.
    void read_some(Random& random) {
        Cursor cursor = store_->cursor();
        Place place{BranchNumber{1}, page(0, 0)};
        bool alternating = false;  // between two branches, as who reads pages of which both have versions
        for (unsigned i = 0; i < 2000; ++i) {
            const auto die = random() % 40;
            if (die == 0) {
                place = {BranchNumber{static_cast<std::uint32_t>(1 + random() % 2)}, page(static_cast<std::uint32_t>(random() % 3), 0)};
                cursor.expect_neighbours(random() % 2 == 0);
                alternating = random() % 2 == 0;
            }
            if (alternating) place.branch.value = 3 - place.branch.value;
            const bool same_page_again = alternating && place.branch.value == 2;
            if (!same_page_again) place.object.block = next_block(random, place.object.block, die);
            const std::uint64_t at = random() % 3 == 0 ? random() % ((last_ + 2) * 1000) : ~0ull;
            const std::size_t most = random() % 4 == 0 ? 100 : 1 + random() % 3;
            const auto read = found(cursor, place, at, most);
            ASSERT_TRUE(read.has_value()) << read.error().to_string();
            ASSERT_EQ(*read, expected(place, at, most)) << "block " << place.object.block << " at " << at;
            // What is sealed under the cursor is found by it all the same.
            if (random() % 500 == 0) {
                write_some(random);
                ASSERT_TRUE(store_->flush().has_value());
            }
            if (random() % 500 == 0) {
                ASSERT_TRUE(store_->compact_branches(BranchNumber{1}, BranchNumber{2}).has_value());
            }
        }
    }

    TemporaryDirectory directory_;
    StoreResources resources_{[] {
        StoreResources::Options options;
        options.file_bytes = 16 << 10;  // so that there are several in a level
        return options;
    }()};
    std::unique_ptr<Store> store_;
    std::map<Place, std::map<std::uint64_t, std::string>> written_;
    std::uint64_t last_ = 0;  // thousand of LSNs
};

TEST_F(FileSweepTest, pages_in_turn_are_found_as_each_alone) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        SCOPED_TRACE(seed);
        Random random(seed);
        store_.reset();
        written_.clear();
        std::filesystem::remove_all(path());
        store_ = *Store::create(path(), resources_);
        for (unsigned files = 0; files < 5; ++files) {
            write_some(random);
            ASSERT_TRUE(store_->flush().has_value());
        }
        write_some(random);
        read_some(random);
        if (HasFatalFailure()) return;
    }
}

// A sweep stands in every file at once, also in those that have none of the pages it looks for.
TEST_F(FileSweepTest, damage_beside_the_pages_looked_for_hinders_nobody) {
    store_ = *Store::create(path(), resources_);
    const BranchNumber branch{1};
    for (std::uint32_t block = 0; block < 50; ++block) put({branch, page(0, block)}, Lsn{10}, encode_zero_page());
    ASSERT_TRUE(store_->flush().has_value());
    for (std::uint32_t block = 1000; block < 1050; ++block) put({branch, page(0, block)}, Lsn{20}, encode_zero_page());
    ASSERT_TRUE(store_->flush().has_value());
    store_.reset();
    const auto files = ssts();
    ASSERT_EQ(files.size(), 2u);
    flip_bit(files.back(), 40);  // in the first block of the second file

    store_ = *Store::open(path(), resources_);
    Cursor cursor = store_->cursor();
    cursor.expect_neighbours(true);
    for (std::uint32_t block = 0; block < 50; ++block) {
        const auto read = found(cursor, {branch, page(0, block)}, 100, 10);
        ASSERT_TRUE(read.has_value()) << read.error().to_string();
        EXPECT_EQ(read->size(), 1u);
    }
    const auto damaged = found(cursor, {branch, page(0, 1000)}, 100, 10);
    ASSERT_FALSE(damaged.has_value());
    EXPECT_EQ(damaged.error().code, ErrorCode::corrupt);
}

// A level of several files, one of them damaged in its first block: who comes to it from the file before hears of it, whether he sweeps,
// seeks or scans. Nothing is ever missing without an error.
TEST_F(FileSweepTest, damage_at_the_beginning_of_a_file_in_a_lower_level_hides_nothing) {
    constexpr std::uint32_t kPages = 300, kVersions = 3, kVersionsOfOne = 400;
    StoreResources::Options small_files;
    small_files.file_bytes = 64 << 10;
    std::optional<StoreResources> resources(small_files);
    const BranchNumber branch{1};
    Random random(1);
    store_ = *Store::create(path(), *resources);
    std::string bytes(1000, 0);
    const auto change = [&] {
        for (char& byte : bytes) byte = static_cast<char>(random());
    };
    const Place long_one{branch, page(1, 0)};
    for (std::uint64_t lsn = 1; lsn <= kVersionsOfOne; ++lsn) {
        change();
        put(long_one, Lsn{lsn}, encode_edits(pg::PageBase::previous, bytes));
    }
    for (std::uint64_t lsn = 1; lsn <= kVersions; ++lsn)
        for (std::uint32_t block = 0; block < kPages; ++block) {
            change();
            put({branch, page(0, block)}, Lsn{lsn * 1000 + block}, encode_edits(pg::PageBase::previous, bytes));
            if (lsn == 1) put({branch, ObjectKey::two_phase(block)}, Lsn{lsn * 1000 + block}, encode_present(bytes));
        }
    ASSERT_TRUE(store_->flush().has_value());
    ASSERT_TRUE(store_->compact_branches(branch, branch).has_value());
    store_.reset();
    const auto files = ssts();
    ASSERT_GE(files.size(), 8u);

    unsigned errors = 0, errors_of_long_one = 0, scan_errors = 0;
    for (const auto& file : files) {
        flip_bit(file, 40);
        resources.emplace(small_files);  // what its block cache has is not read again
        store_ = *Store::open(path(), *resources);
        for (const bool sweeps : {false, true}) {
            std::optional<Cursor> cursor;
            for (std::uint32_t block = 0; block < kPages; ++block) {
                if (!sweeps || !cursor) cursor = store_->cursor();
                cursor->expect_neighbours(sweeps);
                const Place place{branch, page(0, block)};
                const auto read = found(*cursor, place, ~0ull, 10);
                if (read)
                    ASSERT_EQ(*read, expected(place, ~0ull, 10)) << file << " " << block << " " << sweeps;
                else
                    ++errors;
            }
        }
        std::optional<Cursor> alone = store_->cursor();
        if (const auto read = found(*alone, long_one, ~0ull, kVersionsOfOne))
            ASSERT_EQ(*read, expected(long_one, ~0ull, kVersionsOfOne)) << file;
        else
            ++errors_of_long_one;
        alone.reset();
        std::map<ObjectKey, std::string> rows;
        if (store_->scan(branch, ObjectKey::two_phase(0), ObjectKey::two_phase(kPages), Lsn{~0ull}, rows))
            ASSERT_EQ(rows.size(), kPages) << file;
        else
            ++scan_errors;
        store_.reset();
        flip_bit(file, 40);
    }
    EXPECT_GE(errors, files.size());
    EXPECT_GE(errors_of_long_one, 3u);
    EXPECT_GE(scan_errors, 3u);
}

}  // namespace
}  // namespace bough::pageserver
