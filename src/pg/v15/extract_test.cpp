// Extraction of single records made by hand: what a workload on a young server does not log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pg/bytes.hpp"
#include "pg/record_bytes.hpp"
#include "pg/slru_layout.hpp"
#include "pg/testing/model_sink.hpp"
#include "pg/v15/change_extractor.hpp"
#include "pg/v15/checkpoint.hpp"
#include "pg/v15/version.hpp"

namespace bough::pg::v15 {
namespace {

using testing::ModelSink;

// Packs fields one after another.
template <class... Fields>
std::string pack(const Fields&... fields) {
    std::string bytes;
    (append(bytes, fields), ...);
    return bytes;
}

struct ExtractTest : ::testing::Test {
    Result<void> extract(ResourceManager manager, std::uint8_t info, const std::string& main_data, std::uint32_t xid = 0) {
        return extract(make_record(static_cast<std::uint8_t>(manager), info, xid, Lsn{1}, as_bytes(main_data)));
    }
    Result<void> extract(const std::string& record) {
        at = at + 1000;
        return extractor.extract({at, at + max_align(record.size()), as_bytes(record)}, sink);
    }
    void begin_with(const Counters& counters, const Parameters& parameters = {}) {
        extractor = ChangeExtractor(counters, parameters);
    }
    std::uint64_t next_xid() const { return extractor.counters().next_full_xid; }

    // The segments that are there of a SLRU that began with all pages.
    std::set<std::uint32_t> segments(Slru slru) const {
        std::set<std::uint32_t> found;
        for (const auto& [key, page] : sink.state.slru)
            if (key.first == slru) found.insert(key.second / kSlruSegmentPages);
        return found;
    }
    void make_segments(Slru slru, std::initializer_list<std::uint32_t> numbers) {
        for (const std::uint32_t number : numbers) sink.state.slru[{slru, number * kSlruSegmentPages}] = {};
    }

    Lsn at{0x1000000};
    ModelSink sink{{}};
    ChangeExtractor extractor{Counters{.next_full_xid = 1000, .next_multi = 1}, Parameters{}};
};

TEST_F(ExtractTest, next_xid_passes_every_id_seen_and_never_goes_back) {
    ASSERT_TRUE(extract(ResourceManager::logicalmsg, 0, "m", 1234));
    EXPECT_EQ(next_xid(), 1235u);
    ASSERT_TRUE(extract(ResourceManager::logicalmsg, 0, "m", 1100));
    EXPECT_EQ(next_xid(), 1235u);
    ASSERT_TRUE(extract(ResourceManager::standby, 0x10, pack(0, 0, 0, 1300u, 1200u, 1299u)));
    EXPECT_EQ(next_xid(), 1300u);
    ASSERT_TRUE(extract(ResourceManager::xact, 0x50, pack(1310u, 2, 1311u, 1320u)));
    EXPECT_EQ(next_xid(), 1321u);
}

TEST_F(ExtractTest, next_xid_wraps_into_the_next_epoch) {
    begin_with({.next_full_xid = 0x5'FFFFFFF0});
    ASSERT_TRUE(extract(ResourceManager::logicalmsg, 0, "m", 0xFFFFFFFF));
    EXPECT_EQ(next_xid(), 0x6'00000003u);
    ASSERT_TRUE(extract(ResourceManager::logicalmsg, 0, "m", 0xFFFFFFF5));
    EXPECT_EQ(next_xid(), 0x6'00000003u);
    begin_with({.next_full_xid = 0x5'FFFFFFF0});
    ASSERT_TRUE(extract(ResourceManager::logicalmsg, 0, "m", 20));
    EXPECT_EQ(next_xid(), 0x6'00000015u);
}

CheckPoint checkpoint_with(const Counters& counters) {
    CheckPoint checkpoint;
    checkpoint.counters = counters;
    return checkpoint;
}

TEST_F(ExtractTest, a_shutdown_checkpoint_is_believed_and_an_online_one_only_moves_forward) {
    const auto checkpoint = [&](std::uint8_t info, const Counters& counters) {
        const CheckPointData data = checkpoint_with(counters).to_data();
        return extract(ResourceManager::xlog, info, pack(data));
    };
    begin_with({.next_full_xid = 1000,
                .next_oid = 500,
                .next_multi = 10,
                .next_multi_offset = 20,
                .oldest_xid = 700,
                .oldest_multi = 5});
    ASSERT_TRUE(checkpoint(0x10, {.next_full_xid = 900,
                                  .next_oid = 9999,
                                  .next_multi = 11,
                                  .next_multi_offset = 19,
                                  .oldest_xid = 800,
                                  .oldest_xid_database = 4,
                                  .oldest_multi = 4,
                                  .oldest_multi_database = 3}));
    EXPECT_EQ(extractor.counters(), (Counters{.next_full_xid = 1000,
                                              .next_oid = 500,
                                              .next_multi = 11,
                                              .next_multi_offset = 20,
                                              .oldest_xid = 800,
                                              .oldest_xid_database = 4,
                                              .oldest_multi = 5}));
    const Counters exact{.next_full_xid = 950, .next_oid = 400, .next_multi = 3, .oldest_xid = 600};
    ASSERT_TRUE(checkpoint(0x00, exact));
    EXPECT_EQ(extractor.counters(), exact);
    EXPECT_EQ(sink.last_counters, exact);
    EXPECT_FALSE(extract(ResourceManager::xlog, 0x00, "short"));
}

TEST_F(ExtractTest, status_segments_before_the_cutoff_go_in_circular_order) {
    // A segment of pg_xact has 2^20 transactions. In use: from the oldest, in segment 4090, over the wrap to segment 5.
    begin_with({.next_full_xid = 0x1'00000000 | (5u << 20), .oldest_xid = 0xFF000000});
    make_segments(Slru::xact, {3000, 4080, 4089, 4090, 4095, 0, 5});
    const std::uint32_t oldest = 4090u << 20;
    ASSERT_TRUE(extract(ResourceManager::clog, 0x10, pack(oldest / kXactsPerPage, oldest, 16384u)));
    EXPECT_EQ(segments(Slru::xact), (std::set<std::uint32_t>{4090, 4095, 0, 5}));
    EXPECT_EQ(extractor.counters().oldest_xid, oldest);
    EXPECT_EQ(extractor.counters().oldest_xid_database, 16384u);
}

TEST_F(ExtractTest, a_cutoff_beyond_what_is_in_use_removes_nothing) {
    begin_with({.next_full_xid = 5u << 20});
    make_segments(Slru::xact, {0, 4, 5});
    ASSERT_TRUE(extract(ResourceManager::clog, 0x10, pack((9u << 20) / kXactsPerPage, 3u, 1u)));
    EXPECT_EQ(segments(Slru::xact), (std::set<std::uint32_t>{0, 4, 5}));
}

TEST_F(ExtractTest, a_segment_goes_only_whole) {
    begin_with({.next_full_xid = 5u << 20});
    make_segments(Slru::xact, {0, 1, 2});
    // The cutoff page is in the middle of segment 1.
    ASSERT_TRUE(extract(ResourceManager::clog, 0x10, pack(40u, 40 * kXactsPerPage, 1u)));
    EXPECT_EQ(segments(Slru::xact), (std::set<std::uint32_t>{1, 2}));
}

TEST_F(ExtractTest, multixact_truncation_takes_members_by_range_and_offsets_by_order) {
    constexpr std::uint32_t kMembersPerSegment = kMembersPerPage * kSlruSegmentPages;
    begin_with({.next_full_xid = 1000, .next_multi = 70000 * 5, .oldest_multi = 1});
    make_segments(Slru::multixact_members, {0, 1, 2, 82040});
    make_segments(Slru::multixact_offsets, {0, 1, 2, 5});
    // Members from the last segment over the wrap up to, not including, segment 1; offsets below 65536 * 2.
    ASSERT_TRUE(extract(ResourceManager::multixact, 0x30,
                        pack(16384u, 1u, 65536u * 2 + 1, 82040u * kMembersPerSegment, 1 * kMembersPerSegment + 7)));
    EXPECT_EQ(segments(Slru::multixact_members), (std::set<std::uint32_t>{1, 2}));
    EXPECT_EQ(segments(Slru::multixact_offsets), (std::set<std::uint32_t>{2, 5}));
    EXPECT_EQ(extractor.counters().oldest_multi, 65536u * 2 + 1);
    EXPECT_EQ(extractor.counters().oldest_multi_database, 16384u);
}

TEST_F(ExtractTest, multixact_members_wrap_with_their_offsets) {
    begin_with({.next_full_xid = 1000, .next_multi = 7, .next_multi_offset = 0xFFFFFFFE});
    sink.state.slru[{Slru::multixact_offsets, 0}] = {};
    const std::uint32_t last_page = 0xFFFFFFFF / kMembersPerPage;
    sink.state.slru[{Slru::multixact_members, last_page}] = {};
    sink.state.slru[{Slru::multixact_members, 0}] = {};
    ASSERT_TRUE(extract(ResourceManager::multixact, 0x20, pack(7u, 0xFFFFFFFEu, 3, 2001u, 1u, 2002u, 2u, 2003u, 5u), 1500));
    EXPECT_EQ(extractor.counters().next_multi, 8u);
    EXPECT_EQ(extractor.counters().next_multi_offset, 1u);
    EXPECT_EQ(next_xid(), 2004u);
    const auto& offsets = sink.state.slru[{Slru::multixact_offsets, 0}];
    EXPECT_EQ(load<std::uint32_t>(offsets.data() + 7 * 4), 0xFFFFFFFEu);
    EXPECT_EQ(load<std::uint32_t>(offsets.data() + 8 * 4), 1u);
    EXPECT_EQ(load<std::uint32_t>(sink.state.slru[{Slru::multixact_members, 0}].data() + 4), 2003u);
}

TEST_F(ExtractTest, an_offsets_page_that_an_older_minor_version_makes_late_keeps_its_first_entry) {
    begin_with({.next_full_xid = 1000, .next_multi = 2046, .next_multi_offset = 10});
    sink.state.slru[{Slru::multixact_members, 0}] = {};
    ASSERT_TRUE(extract(ResourceManager::multixact, 0x00, pack(0u)));
    ASSERT_TRUE(extract(ResourceManager::multixact, 0x20, pack(2047u, 10u, 1, 900u, 1u)));
    ASSERT_TRUE(extract(ResourceManager::multixact, 0x00, pack(1u)));
    EXPECT_EQ(load<std::uint32_t>(sink.state.slru[{Slru::multixact_offsets, 1}].data()), 11u);
    // Where the page comes first, as it does now, it is zeroed once.
    ASSERT_TRUE(extract(ResourceManager::multixact, 0x00, pack(2u)));
    ASSERT_TRUE(extract(ResourceManager::multixact, 0x20, pack(4095u, 11u, 1, 900u, 1u)));
    EXPECT_EQ(load<std::uint32_t>(sink.state.slru[{Slru::multixact_offsets, 2}].data()), 12u);
}

TEST_F(ExtractTest, commit_timestamps_of_a_replicated_transaction_are_the_origins) {
    begin_with({.next_full_xid = 1000, .oldest_commit_ts_xid = 900, .newest_commit_ts_xid = 990},
               {.track_commit_timestamp = true});
    sink.state.slru[{Slru::xact, 0}] = sink.state.slru[{Slru::commit_ts, 1}] = {};
    // With an origin, no subtransactions; the origin's id is in the record's headers.
    std::string record =
        make_record(1, 0x80, 1000, Lsn{1}, as_bytes(pack(std::int64_t{5555}, 1u << 5, std::uint64_t{77}, std::int64_t{4444})));
    record.insert(24, pack(std::uint8_t{253}, std::uint16_t{3}));
    store(reinterpret_cast<std::byte*>(record.data()), static_cast<std::uint32_t>(record.size()));
    ASSERT_TRUE(extract(record));
    EXPECT_THAT(sink.commits, ::testing::ElementsAre(5555));
    const auto& page = sink.state.slru[{Slru::commit_ts, 1}];
    const std::byte* entry = page.data() + (1000 - kCommitTsPerPage) * 10;
    EXPECT_EQ(load<std::int64_t>(entry), 4444);
    EXPECT_EQ(load<std::uint16_t>(entry + 8), 3);
    EXPECT_EQ(sink.origins, (std::map<std::uint16_t, Lsn>{{3, Lsn{77}}}));
    EXPECT_EQ(extractor.counters().newest_commit_ts_xid, 1000u);
}

TEST_F(ExtractTest, subtransactions_on_several_pages_get_their_status) {
    begin_with({.next_full_xid = 32760});
    sink.state.slru[{Slru::xact, 0}] = sink.state.slru[{Slru::xact, 1}] = {};
    ASSERT_TRUE(extract(ResourceManager::xact, 0x80, pack(std::int64_t{1}, 1u << 1, 3, 32767u, 32768u, 32771u), 32766));
    EXPECT_EQ((sink.state.slru[{Slru::xact, 0}][8191]), std::byte{0b01010000});
    EXPECT_EQ((sink.state.slru[{Slru::xact, 1}][0]), std::byte{0b01000001});
    EXPECT_EQ(next_xid(), 32772u);
}

TEST_F(ExtractTest, truncation_cuts_the_maps_where_redo_would) {
    const Relation relation{1663, 5, 16384};
    for (const Fork fork : {Fork::main, Fork::free_space, Fork::visibility}) sink.state.lengths[{relation, fork}] = 100000;
    ASSERT_TRUE(extract(ResourceManager::smgr, 0x20, pack(40000u, relation, 7u)));
    EXPECT_EQ((sink.state.lengths[{relation, Fork::main}]), 40000u);
    EXPECT_EQ((sink.state.lengths[{relation, Fork::visibility}]), 2u);
    EXPECT_EQ((sink.state.lengths[{relation, Fork::free_space}]), 2u + 40000 / 4069 + 1);
    ASSERT_TRUE(extract(ResourceManager::smgr, 0x20, pack(0u, relation, 7u)));
    EXPECT_EQ((sink.state.lengths[{relation, Fork::visibility}]), 0u);
    EXPECT_EQ((sink.state.lengths[{relation, Fork::free_space}]), 2u);
}

TEST_F(ExtractTest, records_of_unknown_kinds_are_refused_by_name) {
    const std::pair<ResourceManager, std::uint8_t> unknown[] = {
        {ResourceManager::xlog, 0xC0},      {ResourceManager::xact, 0x70},      {ResourceManager::smgr, 0x00},
        {ResourceManager::clog, 0x20},      {ResourceManager::dbase, 0x30},     {ResourceManager::tblspc, 0x20},
        {ResourceManager::multixact, 0x40}, {ResourceManager::relmap, 0x10},    {ResourceManager::standby, 0x30},
        {ResourceManager::btree, 0xF0},     {ResourceManager::hash, 0xD0},      {ResourceManager::gin, 0x00},
        {ResourceManager::gist, 0x40},      {ResourceManager::seq, 0x10},       {ResourceManager::spgist, 0x00},
        {ResourceManager::brin, 0x60},      {ResourceManager::commit_ts, 0x20}, {ResourceManager::replorigin, 0x20},
        {ResourceManager::logicalmsg, 0x10}};
    for (const auto& [manager, info] : unknown) {
        const auto result = extract(manager, info, std::string(64, '\1'));
        ASSERT_FALSE(result) << static_cast<int>(manager);
        EXPECT_EQ(result.error().code, ErrorCode::unsupported);
        EXPECT_THAT(result.error().message,
                    ::testing::HasSubstr("resource manager " + std::to_string(static_cast<int>(manager))));
    }
    EXPECT_EQ(extract(static_cast<ResourceManager>(22), 0, "x").error().code, ErrorCode::unsupported);
}

TEST_F(ExtractTest, records_of_extensions_are_taken_by_their_blocks) {
    // One block reference, to be initialised.
    std::string record = make_record(200, 0x30, 5, Lsn{1}, as_bytes("data"));
    record.insert(24, pack(std::uint8_t{0}, std::uint8_t{0x40}, std::uint16_t{0}, 1663u, 5u, 99999u, 3u));
    store(reinterpret_cast<std::byte*>(record.data()), static_cast<std::uint32_t>(record.size()));
    ASSERT_TRUE(extract(record));
    EXPECT_EQ(sink.page_records, 1u);
    EXPECT_EQ((sink.state.lengths[{{1663, 5, 99999}, Fork::main}]), 4u);
}

// The records of pages, as they were given.
struct RecordingSink : ModelSink {
    using ModelSink::ModelSink;
    void page_record(const PageTag& tag, PageBase base, std::span<const std::byte> record_bytes) override {
        records.emplace_back(tag, std::string(as_text(record_bytes)));
        ModelSink::page_record(tag, base, record_bytes);
    }
    std::vector<std::pair<PageTag, std::string>> records;
};

TEST_F(ExtractTest, a_record_that_asks_whether_hint_bits_are_logged_says_what_wal_log_hints_was) {
    // Heap2 VISIBLE: block 0 is the map's page, block 1 the heap's.
    std::string visible = make_record(9, 0x40, 0, Lsn{1}, as_bytes(pack(700u, std::uint8_t{1})));
    visible.insert(24, pack(std::uint8_t{0}, std::uint8_t{0x02}, std::uint16_t{0}, 1663u, 5u, 99999u, 0u, std::uint8_t{1},
                            std::uint8_t{0x80}, std::uint16_t{0}, 3u));
    store(reinterpret_cast<std::byte*>(visible.data()), static_cast<std::uint32_t>(visible.size()));
    const auto parameter_change = [](bool hints) {
        return make_record(
            0, 0x60, 0, Lsn{1},
            as_bytes(pack(100, 8, 10, 0, 64, 1, static_cast<std::uint8_t>(hints), std::uint8_t{0}, std::uint16_t{0})));
    };
    RecordingSink recording{{}};
    ChangeExtractor extracting{Counters{.next_full_xid = 1000, .next_multi = 1}, Parameters{}};
    Lsn place{0x1000000};
    for (const std::string& record : {visible, parameter_change(true), visible, parameter_change(false), visible}) {
        place = place + 1000;
        const auto extracted = extracting.extract({place, place + max_align(record.size()), as_bytes(record)}, recording);
        ASSERT_TRUE(extracted) << extracted.error().to_string();
    }
    std::string marked = visible;
    marked[16] = static_cast<char>(marked[16] | 0x04);  // xl_info
    const PageTag heap{{{1663, 5, 99999}, Fork::main}, 3};
    const std::vector<std::pair<PageTag, std::string>> expected = {{heap, visible}, {heap, marked}, {heap, visible}};
    EXPECT_EQ(recording.records, expected);
}

TEST_F(ExtractTest, records_too_short_for_their_kind_are_corrupt) {
    const std::pair<ResourceManager, std::uint8_t> kinds[] = {
        {ResourceManager::xlog, 0x00},      {ResourceManager::xlog, 0x10},      {ResourceManager::xlog, 0x30},
        {ResourceManager::xlog, 0x60},      {ResourceManager::xact, 0x00},      {ResourceManager::xact, 0x10},
        {ResourceManager::xact, 0x30},      {ResourceManager::xact, 0x50},      {ResourceManager::smgr, 0x10},
        {ResourceManager::smgr, 0x20},      {ResourceManager::clog, 0x00},      {ResourceManager::clog, 0x10},
        {ResourceManager::dbase, 0x00},     {ResourceManager::dbase, 0x10},     {ResourceManager::dbase, 0x20},
        {ResourceManager::tblspc, 0x10},    {ResourceManager::heap, 0x00},      {ResourceManager::multixact, 0x20},
        {ResourceManager::multixact, 0x30}, {ResourceManager::relmap, 0x00},    {ResourceManager::heap, 0x60},
        {ResourceManager::commit_ts, 0x10}, {ResourceManager::heap2, 0x40},     {ResourceManager::heap2, 0x50},
        {ResourceManager::standby, 0x10},   {ResourceManager::replorigin, 0x00}};
    for (const auto& [manager, info] : kinds) {
        const auto result = extract(manager, info, "", 5000);
        ASSERT_FALSE(result) << static_cast<int>(manager) << " " << static_cast<int>(info);
        EXPECT_EQ(result.error().code, ErrorCode::corrupt);
    }
}

}  // namespace
}  // namespace bough::pg::v15
