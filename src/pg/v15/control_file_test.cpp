#include "pg/v15/control_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pg/bytes.hpp"
#include "pg/testing/stock_server.hpp"

namespace bough::pg::v15 {
namespace {

using ::testing::HasSubstr;

// What initdb made, and what pg_controldata says of it.
struct ControlFileTest : ::testing::Test {
    static void SetUpTestSuite() { server = new testing::StockServer("", "--wal-segsize=64 -k"); }
    static void TearDownTestSuite() { delete server; }
    static std::filesystem::path path() { return server->data() / "global/pg_control"; }
    static std::string content() { return testing::StockServer::read_file(path()); }
    static std::string describe() { return server->run("pg_controldata", server->data().string()); }
    static testing::StockServer* server;
};
testing::StockServer* ControlFileTest::server = nullptr;

TEST_F(ControlFileTest, says_what_pg_controldata_says) {
    const std::string said = describe();
    const auto file = *ControlFile::parse(as_bytes(content()));
    EXPECT_THAT(said, HasSubstr("Database system identifier:           " + std::to_string(file.system_id().value)));
    EXPECT_THAT(said, HasSubstr("Latest checkpoint location:           " + file.checkpoint_lsn().to_string()));
    EXPECT_THAT(said, HasSubstr("Latest checkpoint's NextXID:          0:" + std::to_string(file.counters().next_full_xid)));
    EXPECT_THAT(said, HasSubstr("Latest checkpoint's NextOID:          " + std::to_string(file.counters().next_oid)));
    EXPECT_THAT(said, HasSubstr("Latest checkpoint's oldestXID:        " + std::to_string(file.counters().oldest_xid)));
    EXPECT_THAT(said, HasSubstr("Bytes per WAL segment:                " + std::to_string(file.wal_segment_bytes())));
    EXPECT_THAT(said, HasSubstr("Data page checksum version:           1"));
    EXPECT_EQ(file.data_checksum_version(), 1u);
    EXPECT_EQ(file.wal_segment_bytes(), 64u << 20);
    EXPECT_EQ(file.state(), ClusterState::shut_down);
    EXPECT_EQ(file.checkpoint().redo, file.checkpoint_lsn());
    EXPECT_EQ(file.parameters(), Parameters{});
}

TEST_F(ControlFileTest, is_written_as_it_was_read) { EXPECT_EQ(ControlFile::parse(as_bytes(content()))->encode(), content()); }

TEST_F(ControlFileTest, a_made_one_is_valid_to_postgres) {
    const std::string original = content();
    const auto file = *ControlFile::parse(as_bytes(original));
    Counters counters = file.counters();
    counters.next_full_xid = (std::uint64_t{3} << 32) + 77;
    counters.next_multi = 9;
    counters.oldest_commit_ts_xid = 5;
    Parameters parameters{.wal_level = 2, .max_connections = 33, .track_commit_timestamp = true};
    const auto made = file.with_shutdown_checkpoint(*Lsn::parse("7/8000028"), counters, parameters, SystemId{424242});
    server->write_file(path(), made.encode());
    const std::string said = describe();
    server->write_file(path(), original);

    EXPECT_THAT(said, Not(HasSubstr("WARNING")));
    EXPECT_THAT(said, HasSubstr("Database system identifier:           424242\n"));
    EXPECT_THAT(said, HasSubstr("Database cluster state:               shut down\n"));
    EXPECT_THAT(said, HasSubstr("Latest checkpoint location:           7/8000028\n"));
    EXPECT_THAT(said, HasSubstr("Latest checkpoint's REDO location:    7/8000028\n"));
    EXPECT_THAT(said, HasSubstr("Latest checkpoint's NextXID:          3:77\n"));
    EXPECT_THAT(said, HasSubstr("Latest checkpoint's NextMultiXactId:  9\n"));
    EXPECT_THAT(said, HasSubstr("Latest checkpoint's oldestCommitTsXid:5\n"));
    EXPECT_THAT(said, HasSubstr("wal_level setting:                    logical\n"));
    EXPECT_THAT(said, HasSubstr("max_connections setting:              33\n"));
    EXPECT_THAT(said, HasSubstr("track_commit_timestamp setting:       on\n"));
    const auto again = *ControlFile::parse(as_bytes(made.encode()));
    EXPECT_EQ(again.counters(), counters);
    EXPECT_EQ(again.parameters(), parameters);
}

TEST_F(ControlFileTest, damaged_ones_are_refused_by_name) {
    const auto refused = [](std::string bytes) { return ControlFile::parse(as_bytes(bytes)).error(); };
    std::string bytes = content();
    EXPECT_EQ(refused(bytes.substr(0, 295)).code, ErrorCode::corrupt);
    EXPECT_EQ(refused("").message, "control file: 0 bytes are too few");
    bytes[100] = static_cast<char>(bytes[100] ^ 1);
    EXPECT_EQ(refused(bytes).message, "control file: incorrect checksum");
    bytes[8] = static_cast<char>(bytes[8] ^ 1);
    EXPECT_EQ(refused(bytes).code, ErrorCode::unsupported);
    EXPECT_EQ(refused(bytes).message, "control file: version 1301 where 1300 is expected");
}

}  // namespace
}  // namespace bough::pg::v15
