#include "safekeeper/serve/replication_command.hpp"

#include <gtest/gtest.h>

namespace bough::safekeeper::serve {
namespace {

using Kind = ReplicationCommand::Kind;

TEST(ReplicationCommand, what_stock_clients_send_is_understood) {
    EXPECT_EQ(parse_replication_command("IDENTIFY_SYSTEM")->kind, Kind::identify_system);
    EXPECT_EQ(parse_replication_command("identify_system;")->kind, Kind::identify_system);
    EXPECT_EQ(parse_replication_command("SHOW wal_segment_size")->name, "wal_segment_size");
    EXPECT_EQ(parse_replication_command("SHOW bough.term")->name, "bough.term");
    for (auto text : {"START_REPLICATION 1A/2B TIMELINE 1", "START_REPLICATION PHYSICAL 1A/2B TIMELINE 1",
                      "START_REPLICATION SLOT \"a \"\"b\" PHYSICAL 1A/2B TIMELINE 1;", "start_replication slot x 1a/2b timeline 1"}) {
        auto command = parse_replication_command(text);
        ASSERT_TRUE(command) << text;
        EXPECT_EQ(command->kind, Kind::start_replication);
        EXPECT_EQ(command->start, Lsn{0x1A0000002B});
        EXPECT_EQ(command->timeline, 1u);
    }
    EXPECT_EQ(parse_replication_command("START_REPLICATION 0/0")->timeline, 0u);
    EXPECT_EQ(parse_replication_command("  ; ")->kind, Kind::empty);
    EXPECT_EQ(parse_replication_command("")->kind, Kind::empty);
}

TEST(ReplicationCommand, what_is_not_offered_is_told_from_nonsense) {
    EXPECT_EQ(parse_replication_command("BASE_BACKUP ( LABEL 'x' )")->kind, Kind::not_offered);
    EXPECT_EQ(parse_replication_command("READ_REPLICATION_SLOT x")->name, "read_replication_slot");
    EXPECT_EQ(parse_replication_command("START_REPLICATION SLOT x LOGICAL 0/0").error().code, ErrorCode::unsupported);
    for (auto bad : {"DROP TABLE x", "START_REPLICATION", "START_REPLICATION x", "START_REPLICATION 0/0 TIMELINE",
                     "START_REPLICATION 0/0 TIMELINE 0", "START_REPLICATION 0/0 TIMELINE 99999999999", "START_REPLICATION 0/0 x",
                     "START_REPLICATION SLOT", "SHOW", "SHOW a b", "IDENTIFY_SYSTEM x", "\"IDENTIFY_SYSTEM\"", "\"open"})
        EXPECT_EQ(parse_replication_command(bad).error().code, ErrorCode::invalid_argument) << bad;
}

}  // namespace
}  // namespace bough::safekeeper::serve
