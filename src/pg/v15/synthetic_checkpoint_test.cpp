#include "pg/v15/synthetic_checkpoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pg/bytes.hpp"
#include "pg/testing/stock_server.hpp"
#include "pg/v15/control_file.hpp"
#include "pg/wal_format.hpp"
#include "pg/wal_stream.hpp"

namespace bough::pg::v15 {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr std::uint32_t kSegment = 1u << 20;

// A cluster that is moved from one synthetic checkpoint to the next, starting in between.
struct SyntheticCheckpointTest : ::testing::Test {
    static void SetUpTestSuite() { server = new testing::StockServer("", "--wal-segsize=1"); }
    static void TearDownTestSuite() { delete server; }
    static testing::StockServer* server;

    static ControlFile control_file() {
        return *ControlFile::parse(as_bytes(testing::StockServer::read_file(server->data() / "global/pg_control")));
    }

    // Puts the checkpoint at `at`, removes all other WAL and starts the server; it must go on right after the record.
    static void start_at(Lsn at, Lsn previous, std::span<const std::byte> prefix = {}) {
        SCOPED_TRACE(at.to_string());
        const ControlFile before = control_file();
        auto made = append_shutdown_checkpoint(prefix, at, previous, before.checkpoint(), before.system_id(), kSegment);
        ASSERT_TRUE(made) << made.error().to_string();
        expect_readable(*made, at, previous, before.system_id());

        for (const auto& entry : fs::directory_iterator(server->data() / "pg_wal"))
            if (entry.is_regular_file()) fs::remove(entry.path());
        for (const auto& file : made->segments)
            server->write_file(server->data() / "pg_wal" / wal_segment_name(file.segment, kSegment), as_text(file.content));
        server->write_file(server->data() / "global/pg_control",
                           before.with_shutdown_checkpoint(made->checkpoint, before.parameters(), before.system_id()).encode());

        const std::string dump = server->run(
            "pg_waldump", "-p " + (server->data() / "pg_wal").string() + " -s " + made->checkpoint.redo.to_string() + " -n 1");
        EXPECT_THAT(dump, HasSubstr("lsn: " + padded(made->checkpoint.redo)));
        EXPECT_THAT(dump, HasSubstr("prev " + padded(previous)));
        EXPECT_THAT(dump, HasSubstr("CHECKPOINT_SHUTDOWN redo " + made->checkpoint.redo.to_string()));

        server->start();
        EXPECT_EQ(server->sql("select 1"), "1\n");
        EXPECT_EQ(server->sql("create table t(x int); insert into t values (7); table t; drop table t"), "7\n");
        // The server's own WAL follows without a gap.
        const std::string after = server->run(
            "pg_waldump", "-p " + (server->data() / "pg_wal").string() + " -s " + made->checkpoint.redo.to_string() + " -n 2");
        EXPECT_THAT(after, HasSubstr(", prev " + padded(made->checkpoint.redo)));
        server->stop();
    }

    static void expect_readable(const SyntheticCheckpoint& made, Lsn at, Lsn previous, SystemId system_id) {
        WalStream stream({kSegment, system_id}, at);
        const Lsn base = segment_begin(made.segments.front().segment, kSegment);
        std::vector<std::byte> bytes;
        for (const auto& file : made.segments) bytes.insert(bytes.end(), file.content.begin(), file.content.end());
        stream.feed(std::span(bytes).subspan(at - base, made.end - at));
        const auto record = *stream.next();
        ASSERT_TRUE(record);
        EXPECT_EQ(record->start, made.checkpoint.redo);
        EXPECT_EQ(record->end, made.end);
        EXPECT_EQ(load<WalRecordHeader>(record->bytes.data()).previous, previous.value);
    }

    static std::string padded(Lsn lsn) {
        char text[32];
        std::snprintf(text, sizeof text, "%X/%08X", static_cast<unsigned>(lsn.value >> 32), static_cast<unsigned>(lsn.value));
        return text;
    }
};
testing::StockServer* SyntheticCheckpointTest::server = nullptr;

TEST_F(SyntheticCheckpointTest, stock_postgres_starts_from_it_at_awkward_places) {
    const std::uint64_t base = 0x20000000;  // a segment's start
    std::vector<std::uint64_t> places = {
        base + 5 * kWalPageBytes + 1000,            // in the middle of a page
        base + 0x100000 + 5 * kWalPageBytes - 64,   // the record crosses a page end
        base + 0x200000 + 5 * kWalPageBytes,        // exactly at a page end
        base + 0x300000,                            // exactly at a segment end
        base + 0x400000 + 5 * kWalPageBytes + 24,   // just after a page header
        base + 0x500000 + 40,                       // just after a segment's header
        base + 0x600000 - 72,                       // the record crosses a segment end
        base + 0x700000 - 120,                      // the record ends at a segment end
        base + 0x800000 + 3 * kWalPageBytes - 120,  // the record ends at a page end
    };
    // The record's header itself is broken at the page or segment end.
    for (std::uint64_t left = 8; left <= 24; left += 8) {
        places.push_back(base + 0x900000 + left * 0x100000 + 7 * kWalPageBytes - left);
        places.push_back(base + 0x2900000 + left * 0x100000 - left);
    }
    for (const std::uint64_t place : places) start_at(Lsn{place}, Lsn{place - 200});
}

TEST_F(SyntheticCheckpointTest, keeps_the_log_before_it) {
    server->start();
    server->sql("create table kept as select generate_series(1, 3000) x");
    server->stop();
    // The end of the real log: that of its shutdown checkpoint.
    const ControlFile control = control_file();
    const Lsn at = control.checkpoint_lsn() + 120;
    const auto content = server->wal(wal_segment_name(segment_of(at, kSegment), kSegment));
    const auto prefix = std::span(content).first(at.value % kSegment);
    const auto made =
        *append_shutdown_checkpoint(prefix, at, control.checkpoint_lsn(), control.checkpoint(), control.system_id(), kSegment);
    EXPECT_TRUE(std::ranges::equal(std::span(made.segments[0].content).first(prefix.size()), prefix));
    EXPECT_EQ(made.checkpoint.redo, at);
    start_at(at, control.checkpoint_lsn(), prefix);
}

TEST_F(SyntheticCheckpointTest, refuses_places_where_no_record_ends) {
    const ControlFile control = control_file();
    for (const std::uint64_t at : {0x20000004ull, 0x20000008ull, 0x20002010ull})
        EXPECT_EQ(
            append_shutdown_checkpoint({}, Lsn{at}, Lsn{1}, control.checkpoint(), control.system_id(), kSegment).error().code,
            ErrorCode::invalid_argument);
    const std::vector<std::byte> prefix(200);
    EXPECT_FALSE(
        append_shutdown_checkpoint(prefix, Lsn{0x20000040}, Lsn{1}, control.checkpoint(), control.system_id(), kSegment));
}

}  // namespace
}  // namespace bough::pg::v15
