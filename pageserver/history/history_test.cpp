// What must stay of an object's versions, against reading everything the plain way.
#include <algorithm>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "pageserver/history/fork_reach.hpp"
#include "pageserver/history/version_sieve.hpp"

namespace bough::pageserver {
namespace {

struct Version {
    Lsn lsn;
    bool is_base = true;
};

Lsn lsn_of(std::uint64_t place) { return Lsn{place}; }

// The LSNs of the versions that a read at `at` looks at, newest first; `newest_first` as GC left them.
std::vector<Lsn> looked_at(const std::vector<Version>& newest_first, Lsn at) {
    std::vector<Lsn> seen;
    for (const Version& version : newest_first) {
        if (version.lsn > at) continue;
        seen.push_back(version.lsn);
        if (version.is_base) break;
    }
    return seen;
}

std::vector<Version> sifted(const std::vector<Version>& newest_first, const KeptPoints& kept) {
    std::vector<Version> left;
    VersionSieve sieve(kept);
    for (const Version& version : newest_first)
        if (sieve.needed(version.lsn, version.is_base)) left.push_back(version);
    return left;
}

// By definition: what any kept read looks at.
std::set<Lsn> needed_by_definition(const std::vector<Version>& newest_first, const KeptPoints& kept, std::uint64_t end) {
    std::set<Lsn> needed;
    for (std::uint64_t at = 0; at <= end; ++at)
        if (kept.keeps(lsn_of(at)))
            for (const Lsn lsn : looked_at(newest_first, lsn_of(at))) needed.insert(lsn);
    return needed;
}

// Versions at the places of `places`, bases where `bases` has a bit: bit i stands for LSN i + 1.
std::vector<Version> versions_of(unsigned places, unsigned bases, unsigned bits) {
    std::vector<Version> newest_first;
    for (unsigned i = bits; i-- > 0;)
        if (places >> i & 1) newest_first.push_back({lsn_of(i + 1), (bases >> i & 1) != 0});
    return newest_first;
}

TEST(KeptPoints, know_the_next_place_that_is_read) {
    const KeptPoints kept(Lsn{100}, {Lsn{50}, Lsn{20}, Lsn{50}, Lsn{100}, Lsn{200}});
    EXPECT_EQ(kept.points_below_cutoff(), (std::vector<Lsn>{Lsn{20}, Lsn{50}}));
    EXPECT_EQ(kept.next_kept(Lsn{1}), Lsn{20});
    EXPECT_EQ(kept.next_kept(Lsn{20}), Lsn{20});
    EXPECT_EQ(kept.next_kept(Lsn{21}), Lsn{50});
    EXPECT_EQ(kept.next_kept(Lsn{51}), Lsn{100});
    EXPECT_EQ(kept.next_kept(Lsn{777}), Lsn{777});
    EXPECT_EQ(kept.oldest(), Lsn{20});
    EXPECT_TRUE(KeptPoints().keeps(Lsn{0}));
}

// All sets of versions on five places, all choices of bases, every cutoff, all sets of points.
TEST(VersionSieve, keeps_exactly_what_some_read_looks_at) {
    constexpr unsigned kPlaces = 5;
    constexpr unsigned kAll = 1u << kPlaces;
    for (unsigned cutoff = 0; cutoff <= kPlaces + 1; ++cutoff) {
        for (unsigned points = 0; points < kAll; ++points) {
            std::vector<Lsn> pinned;
            for (unsigned i = 0; i < kPlaces; ++i)
                if (points >> i & 1) pinned.push_back(lsn_of(i + 1));
            const KeptPoints kept(lsn_of(cutoff), pinned);
            for (unsigned places = 0; places < kAll; ++places) {
                // Of the bits of `bases` only those of versions matter: go through the subsets.
                for (unsigned bases = places;; bases = (bases - 1) & places) {
                    const auto versions = versions_of(places, bases, kPlaces);
                    const auto left = sifted(versions, kept);
                    const auto needed = needed_by_definition(versions, kept, kPlaces + 2);
                    ASSERT_EQ(left.size(), needed.size()) << cutoff << " " << points << " " << places << " " << bases;
                    for (const Version& version : left) ASSERT_TRUE(needed.contains(version.lsn));
                    if (bases == 0) break;
                }
            }
        }
    }
}

TEST(VersionSieve, what_is_shown_in_parts_and_more_than_once_reads_the_same) {
    std::mt19937_64 random(1);
    for (int round = 0; round < 20'000; ++round) {
        std::vector<Version> versions;
        for (std::uint64_t lsn = 60; lsn > 0; --lsn)
            if (random() % 3 == 0) versions.push_back({lsn_of(lsn), random() % 4 == 0});
        std::vector<Lsn> pinned;
        for (std::uint64_t i = random() % 4; i > 0; --i) pinned.push_back(lsn_of(random() % 62));
        const auto original = versions;
        std::uint64_t cutoff = 0;
        for (int pass = 0; pass < 4; ++pass) {
            cutoff = std::max(cutoff, random() % 62);
            if (!pinned.empty() && random() % 4 == 0) pinned.pop_back();
            const KeptPoints kept(lsn_of(cutoff), pinned);
            // A part of the versions, as a compaction of some files sees them.
            std::vector<Version> part;
            std::vector<Version> rest;
            for (const Version& version : versions) (random() % 3 == 0 ? rest : part).push_back(version);
            versions = sifted(part, kept);
            versions.insert(versions.end(), rest.begin(), rest.end());
            std::ranges::sort(versions, [](const Version& a, const Version& b) { return a.lsn > b.lsn; });
            for (std::uint64_t at = 0; at <= 62; ++at) {
                if (kept.keeps(lsn_of(at))) {
                    ASSERT_EQ(looked_at(versions, lsn_of(at)), looked_at(original, lsn_of(at)));
                }
            }
        }
    }
}

TEST(VersionSieve, tells_what_an_image_at_the_cutoff_would_free) {
    std::mt19937_64 random(2);
    for (int round = 0; round < 20'000; ++round) {
        std::vector<Version> versions;
        for (std::uint64_t lsn = 40; lsn > 0; --lsn)
            if (random() % 2 == 0) versions.push_back({lsn_of(lsn), random() % 6 == 0});
        std::vector<Lsn> pinned;
        for (std::uint64_t i = random() % 3; i > 0; --i) pinned.push_back(lsn_of(random() % 41));
        const KeptPoints kept(lsn_of(random() % 41), pinned);
        VersionSieve sieve(kept);
        std::size_t before = 0;
        std::size_t bases_before = 0;
        for (const Version& version : versions) {
            if (!sieve.needed(version.lsn, version.is_base, 10)) continue;
            ++before;
            bases_before += version.is_base ? 1 : 0;
        }
        std::size_t bases_made = 0;
        for (Version& version : versions) {
            if (version.lsn > kept.cutoff()) continue;
            bases_made = version.is_base ? 0 : 1;
            version.is_base = true;
            break;
        }
        const std::vector<Version> after = sifted(versions, kept);
        EXPECT_EQ(sieve.reducible_versions(), before - after.size());
        const auto bases_after = static_cast<std::size_t>(std::ranges::count_if(after, &Version::is_base));
        EXPECT_EQ(sieve.reducible_base(), bases_before + bases_made > bases_after);
        EXPECT_EQ(sieve.reducible_bytes(), 10 * sieve.reducible_versions());
    }
}

TEST(ForkReach, is_the_greatest_length_that_a_kept_read_sees) {
    std::mt19937_64 random(3);
    int unknown = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::vector<LengthVersion> lengths;
        for (std::uint64_t lsn = 30; lsn > 0; --lsn)
            if (random() % 4 == 0) lengths.push_back({lsn_of(lsn), static_cast<std::uint32_t>(random() % 9)});
        std::vector<Lsn> pinned;
        for (std::uint64_t i = random() % 3; i > 0; --i) pinned.push_back(lsn_of(random() % 31));
        const KeptPoints kept(lsn_of(random() % 31), pinned);
        std::optional<std::uint32_t> expected = 0;
        for (std::uint64_t at = 0; at <= 32; ++at) {
            if (!kept.keeps(lsn_of(at))) continue;
            const auto seen = std::ranges::find_if(lengths, [&](const LengthVersion& v) { return v.lsn <= lsn_of(at); });
            if (seen == lengths.end())
                expected.reset();
            else if (expected)
                expected = std::max(*expected, seen->pages);
        }
        EXPECT_EQ(reach_of(lengths, kept), expected);
        unknown += expected ? 0 : 1;
    }
    EXPECT_GT(unknown, 0);
    EXPECT_LT(unknown, 20'000);
}

TEST(ForkReach, spares_what_came_after_the_lengths_were_looked_at) {
    const pg::RelationFork fork{{1663, 5, 16384}, pg::Fork::main};
    ForkReach reach{Lsn{100}, {{ObjectKey::fork_length(fork), 3}, {ObjectKey::slru_segment(pg::Slru::xact, 1), 0}}};
    EXPECT_FALSE(reach.out_of_reach(ObjectKey::page({fork, 2}), Lsn{50}));
    EXPECT_TRUE(reach.out_of_reach(ObjectKey::page({fork, 3}), Lsn{100}));
    EXPECT_FALSE(reach.out_of_reach(ObjectKey::page({fork, 3}), Lsn{101}));
    EXPECT_FALSE(reach.out_of_reach(ObjectKey::page({{{1663, 5, 16385}, pg::Fork::main}, 9}), Lsn{50}));
    EXPECT_FALSE(reach.out_of_reach(ObjectKey::slru_page(pg::Slru::xact, 31), Lsn{50}));
    EXPECT_TRUE(reach.out_of_reach(ObjectKey::slru_page(pg::Slru::xact, 32), Lsn{50}));
    EXPECT_FALSE(reach.out_of_reach(ObjectKey::slru_page(pg::Slru::xact, 64), Lsn{50}));
}

}  // namespace
}  // namespace bough::pageserver
