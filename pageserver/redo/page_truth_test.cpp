// Pages that the pool makes out of real WAL, against those a stock server left on disk.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "pageserver/redo/native_redo.hpp"
#include "pageserver/redo/testing/differential.hpp"
#include "pageserver/redo/testing/pool_under_test.hpp"
#include "pageserver/redo/testing/stock_history.hpp"
#include "pg/bytes.hpp"
#include "pg/page_header.hpp"

namespace bough::pageserver {
namespace {

using testing::HistoryRecord;
using testing::PageHistory;
using testing::StockHistory;
using PageBytes = std::array<std::byte, pg::kPageBytes>;

constexpr std::array<const char*, 22> kNames = {"XLOG",       "Transaction",   "Storage", "CLOG",     "Database",
                                                "Tablespace", "MultiXact",     "RelMap",  "Standby",  "Heap2",
                                                "Heap",       "Btree",         "Hash",    "Gin",      "Gist",
                                                "Sequence",   "SPGist",        "BRIN",    "CommitTs", "ReplicationOrigin",
                                                "Generic",    "LogicalMessage"};
constexpr std::uint8_t kXlog = 0, kHeap2 = 9, kHeap = 10, kBtree = 11, kHash = 12, kGin = 13, kGist = 14, kSequence = 15,
                       kSpgist = 16, kBrin = 17, kGeneric = 20;

// What the native engine is to take, by the numbers of heapam_xlog.h and nbtxlog.h.
constexpr testing::Differential::Operation kNative[] = {
    {kXlog, 0xB0},  {kHeap2, 0x10}, {kHeap2, 0x20}, {kHeap2, 0x30}, {kHeap2, 0x40}, {kHeap2, 0x50},
    {kHeap2, 0x60}, {kHeap, 0x00},  {kHeap, 0x10},  {kHeap, 0x20},  {kHeap, 0x40},  {kHeap, 0x50},
    {kHeap, 0x60},  {kHeap, 0x70},  {kBtree, 0x00}, {kBtree, 0x10}, {kBtree, 0x20}, {kBtree, 0x30},
    {kBtree, 0x40}, {kBtree, 0x50}, {kBtree, 0x60}, {kBtree, 0x70}, {kBtree, 0xA0}, {kBtree, 0xC0}};

std::string workload() {
    std::ifstream file(BOUGH_REDO_TEST_SQL);
    return {std::istreambuf_iterator<char>(file), {}};
}

// Which resource manager's mask fits a page, by what its access method keeps in the special space.
std::uint8_t kind_of(pg::ConstPage page) {
    const auto special = pg::load<std::uint16_t>(page.data() + offsetof(pg::PageHeader, special));
    const auto last = pg::load<std::uint16_t>(page.data() + pg::kPageBytes - 2);
    switch (pg::kPageBytes - special) {
        case 0: return kHeap;
        case 8:
            if (pg::load<std::uint32_t>(page.data() + special) == 0x1717) return kSequence;
            if (last >= 0xF091 && last <= 0xF093) return kBrin;
            if (last == 0xFF82) return kSpgist;
            if (last == 0xFF83) return kGeneric;  // bloom
            return kGin;
        case 16:
            if (last == 0xFF80) return kHash;
            if (last == 0xFF81) return kGist;
            return kBtree;
        default: return kGeneric;
    }
}

std::vector<RedoRecord> views(const PageHistory& history, bool whole) {
    std::vector<RedoRecord> records;
    for (const HistoryRecord& r : history.records)
        records.push_back(
            {r.start, r.end, whole ? std::span<const std::byte>(*r.whole) : std::span<const std::byte>(r.for_page)});
    return records;
}

struct Redone {
    std::vector<std::vector<RedoRecord>> records;
    std::vector<RedoJob> jobs;
    std::vector<PageBytes> pages;
};

Redone redo_all(RedoPool& pool, const StockHistory& history, bool whole, bool hint_bits_logged) {
    Redone r;
    r.records.reserve(history.pages().size());
    r.pages.resize(history.pages().size());
    for (const auto& [tag, page] : history.pages()) {
        r.records.push_back(views(page, whole));
        RedoJob job;
        job.request = {tag, page.has_base ? page.base.data() : nullptr, r.records.back(), hint_bits_logged};
        job.page = r.pages[r.jobs.size()].data();
        r.jobs.push_back(job);
    }
    pool.apply_many(r.jobs);
    return r;
}

// Every step of every page by both engines; all operations that the native one knows and this workload has must be among them.
void expect_the_same_natively(RedoPool& pool, const StockHistory& history, bool hint_bits_logged) {
    testing::Differential differential(pool);
    differential.compare(history.pages(), hint_bits_logged);
    differential.compare(history.visibility_pages(), hint_bits_logged);
    for (const std::string& complaint : differential.complaints()) ADD_FAILURE() << complaint;
    fmt::print("{}", differential.report());
    for (const testing::Differential::Operation& operation : kNative) {
        const auto at = differential.counts().find(operation);
        const auto same = at == differential.counts().end() ? 0 : at->second.same;
        EXPECT_GT(same, 0u) << kNames[operation.first] << fmt::format(" operation {:02X}", operation.second);
    }
    EXPECT_EQ(differential.total().different, 0u);
}

// What wal_log_hints was when a record was written is said in the record, to both engines.
void expect_hint_bits_said_by_the_record(RedoPool& pool, const StockHistory& history) {
    constexpr std::uint8_t kVisible = 0x40, kHintBitsLogged = 0x04;
    constexpr std::size_t kInfo = 16;
    int pages = 0;
    for (const auto& [tag, page] : history.pages()) {
        const auto sets_visible = [](const HistoryRecord& r) {
            return r.resource_manager == kHeap2 && (std::to_integer<int>(r.for_page[kInfo]) & 0x70) == kVisible;
        };
        const auto at = std::ranges::find_if(page.records, sets_visible);
        if (at == page.records.end()) continue;
        const auto count = static_cast<std::size_t>(at - page.records.begin());
        const auto records = views(page, false);
        PageBytes before, plain, marked;
        ASSERT_TRUE(
            pool.apply({tag, page.has_base ? page.base.data() : nullptr, std::span(records).first(count), false}, before));
        std::vector<std::byte> bytes = at->for_page;
        bytes[kInfo] |= std::byte{kHintBitsLogged};
        const RedoRecord with_bit{at->start, at->end, bytes};
        const RedoRequest without{tag, before.data(), std::span(records).subspan(count, 1), false};
        const RedoRequest with{tag, before.data(), std::span(&with_bit, 1), false};
        ASSERT_TRUE(pool.apply(without, plain) && pool.apply(with, marked));
        EXPECT_EQ(pg::page_lsn(plain), pg::page_lsn(before));
        EXPECT_EQ(pg::page_lsn(marked), at->end);
        PageBytes natively;
        ASSERT_TRUE(redo_natively(without, natively));
        EXPECT_EQ(natively, plain);
        ASSERT_TRUE(redo_natively(with, natively));
        EXPECT_EQ(natively, marked);
        if (++pages == 20) return;
    }
    EXPECT_GT(pages, 5);
}

// Each record in a request of its own, on what the one before it made. Wave by wave over all pages with not too many records.
void expect_the_same_record_by_record(RedoPool& pool, const Redone& redone) {
    constexpr std::size_t kRecordsMax = 200;
    std::vector<PageBytes> pages(redone.jobs.size());
    for (std::size_t wave = 0; wave < kRecordsMax; wave++) {
        std::vector<RedoJob> jobs;
        for (std::size_t i = 0; i < pages.size(); i++) {
            if (wave >= redone.records[i].size() || redone.records[i].size() > kRecordsMax) continue;
            RedoJob& job = jobs.emplace_back(redone.jobs[i]);
            job.request.records = std::span(redone.records[i]).subspan(wave, 1);
            if (wave > 0) job.request.base = pages[i].data();
            job.page = pages[i].data();
        }
        pool.apply_many(jobs);
        for (const RedoJob& job : jobs) ASSERT_TRUE(job.result) << job.result.error().to_string();
    }
    for (std::size_t i = 0; i < pages.size(); i++) {
        if (redone.records[i].empty() || redone.records[i].size() > kRecordsMax) continue;
        ASSERT_EQ(redone.pages[i], pages[i]) << "job " << i;
    }
}

class PageTruth : public ::testing::TestWithParam<bool> {
protected:
    void compare(RedoPool& pool, const StockHistory& history, const Redone& redone);
    void compare_visibility_maps(RedoPool& pool, const StockHistory& history, bool hint_bits_logged);
    bool equal_when_masked(RedoPool& pool, std::uint8_t kind, std::uint32_t block, const PageBytes& ours, pg::ConstPage theirs);

    struct Count {
        int same = 0, masked = 0, sequence_ahead = 0, spgist_cache = 0, copied_revmap = 0;
        int all() const { return same + masked + sequence_ahead + spgist_cache + copied_revmap; }
    };
    std::array<Count, kNames.size()> counts_;
    int untouched_ = 0;
};

bool PageTruth::equal_when_masked(RedoPool& pool, std::uint8_t kind, std::uint32_t block, const PageBytes& ours,
                                  pg::ConstPage theirs) {
    PageBytes a = ours, b;
    std::memcpy(b.data(), theirs.data(), b.size());
    for (PageBytes* page : {&a, &b}) {
        const auto masked = pool.mask(kind, block, *page);
        EXPECT_TRUE(masked) << masked.error().to_string();
    }
    return a == b;
}

// CREATE DATABASE ... STRATEGY WAL_LOG logs the pages it copies without what lies between pd_lower and pd_upper, and a BRIN range
// map keeps its content just there: stock recovery too makes an empty map of it, which is a valid one.
bool lost_in_copy(const PageBytes& ours, pg::ConstPage theirs) {
    constexpr std::uint16_t kRangeMap = 0xF092;
    PageBytes emptied;
    std::memcpy(emptied.data(), theirs.data(), emptied.size());
    if (pg::load<std::uint16_t>(emptied.data() + pg::kPageBytes - 2) != kRangeMap) return false;
    const auto lower = pg::load<std::uint16_t>(emptied.data() + offsetof(pg::PageHeader, lower));
    const auto upper = pg::load<std::uint16_t>(emptied.data() + offsetof(pg::PageHeader, upper));
    std::memset(emptied.data() + lower, 0, static_cast<std::size_t>(upper - lower));
    std::memcpy(emptied.data() + offsetof(pg::PageHeader, checksum), ours.data() + offsetof(pg::PageHeader, checksum), 2);
    return emptied == ours;
}

void PageTruth::compare(RedoPool& pool, const StockHistory& history, const Redone& redone) {
    std::map<pg::PageTag, std::size_t> place;
    for (std::size_t i = 0; i < redone.jobs.size(); i++) place.emplace(redone.jobs[i].request.tag, i);

    history.for_each_final_page([&](const pg::PageTag& tag, pg::ConstPage theirs) {
        const std::string name = fmt::format("{}/{} block {}", tag.fork.relation.database, tag.fork.relation.number, tag.block);
        const auto at = place.find(tag);
        if (at == place.end() || history.pages().at(tag).records.empty()) {
            // Nothing in the log: as before, or extended and never used.
            untouched_++;
            return;
        }
        const PageBytes& ours = redone.pages[at->second];
        ASSERT_TRUE(redone.jobs[at->second].result) << redone.jobs[at->second].result.error().to_string();
        EXPECT_EQ(pg::page_lsn(ours).to_string(), pg::page_lsn(theirs).to_string()) << name;

        Count& count = counts_.at(history.pages().at(tag).records.back().resource_manager);
        if (std::memcmp(ours.data(), theirs.data(), ours.size()) == 0) {
            count.same++;
            return;
        }
        const std::uint8_t kind = kind_of(theirs);
        if (equal_when_masked(pool, kind, tag.block, ours, theirs)) {
            count.masked++;
        } else if (kind == kSequence) {
            // Values are logged 32 ahead: as in stock recovery.
            count.sequence_ahead++;
        } else if (kind == kSpgist && tag.block == 0) {
            // The metapage's cache of pages with room is not logged: as in stock recovery.
            count.spgist_cache++;
        } else if (lost_in_copy(ours, theirs)) {
            count.copied_revmap++;
        } else {
            ADD_FAILURE() << name << " differs, kind " << kNames[kind] << ", records " << history.pages().at(tag).records.size();
        }
    });
}

// Redo of these records sets bits; what clears bits is not in block references. So the server has no bit that we have not.
void PageTruth::compare_visibility_maps(RedoPool& pool, const StockHistory& history, bool hint_bits_logged) {
    int pages = 0, bits = 0;
    for (const auto& [tag, page] : history.visibility_pages()) {
        PageBytes ours, theirs;
        const auto records = views(page, false);
        const auto result = pool.apply({tag, page.has_base ? page.base.data() : nullptr, records, hint_bits_logged}, ours);
        ASSERT_TRUE(result) << result.error().to_string();
        if (!history.final_page(tag, theirs)) continue;  // dropped
        // Copied by CREATE DATABASE: a map lies between pd_lower and pd_upper too (see lost_in_copy), so its copy is empty.
        if (std::ranges::any_of(page.records, [](const HistoryRecord& r) { return r.resource_manager == kXlog; })) continue;
        pages++;
        for (std::size_t i = pg::kPageContentsOffset; i < theirs.size(); i++) {
            bits += std::popcount(std::to_integer<unsigned>(theirs[i]));
            ASSERT_EQ(theirs[i] & ~ours[i], std::byte{}) << tag.fork.relation.number << " byte " << i;
        }
    }
    EXPECT_GT(pages, 3);
    EXPECT_GT(bits, 100);
    fmt::print("visibility map pages {}, bits set {}\n", pages, bits);
}

TEST_P(PageTruth, every_page_is_as_the_stock_server_left_it) {
    const bool checksums = GetParam();
    StockHistory history({checksums ? "-k" : "", "", workload()});
    testing::PoolUnderTest under_test(history.control_file());
    RedoPool& pool = under_test.pool();

    const Redone redone = redo_all(pool, history, false, checksums);
    compare(pool, history, redone);

    // With the images of other blocks, and record by record: the same pages.
    const Redone from_whole = redo_all(pool, history, true, checksums);
    for (std::size_t i = 0; i < redone.jobs.size(); i++)
        ASSERT_EQ(redone.pages[i], from_whole.pages[i]) << "with whole records, job " << i;
    if (!checksums) expect_the_same_record_by_record(pool, redone);
    compare_visibility_maps(pool, history, checksums);
    expect_the_same_natively(pool, history, checksums);
    if (!checksums) expect_hint_bits_said_by_the_record(pool, history);

    for (std::size_t i = 0; i < counts_.size(); i++) {
        const Count& c = counts_[i];
        if (c.all() == 0) continue;
        fmt::print("{:10} equal {:6}, equal under mask {:6}, sequence ahead {}, sp-gist cache {}, copied brin map {}\n",
                   kNames[i], c.same, c.masked, c.sequence_ahead, c.spgist_cache, c.copied_revmap);
    }
    for (const std::uint8_t id : {kXlog, kHeap2, kHeap, kBtree, kHash, kGin, kGist, kSequence, kSpgist, kBrin, kGeneric})
        EXPECT_GT(counts_[id].all(), 0) << kNames[id] << " is not covered";
    EXPECT_EQ(pool.metrics().errors, 0u);
    EXPECT_EQ(pool.metrics().worker_deaths, 0u);
    fmt::print("pages not in the log {}, requests {}, records {}\n", untouched_, pool.metrics().requests.load(),
               pool.metrics().records.load());
}

INSTANTIATE_TEST_SUITE_P(Clusters, PageTruth, ::testing::Values(false, true),
                         [](const auto& cluster) { return cluster.param ? "with_checksums" : "without_checksums"; });

}  // namespace
}  // namespace bough::pageserver
