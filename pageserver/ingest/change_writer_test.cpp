// What a writer of changes promises to those who drop WAL.
#include "pageserver/ingest/change_writer.hpp"

#include <gtest/gtest.h>

#include "pageserver/testing/script_runner.hpp"
#include "pageserver/testing/temporary_directory.hpp"

namespace bough::pageserver {
namespace {

// What is durable is never ingested again, since its WAL may be gone; so it must have been published, whatever came after it.
TEST(ChangeWriterTest, what_was_finished_before_a_failure_is_published) {
    TemporaryDirectory directory;
    StoreResources resources{StoreResources::Options{}};
    ASSERT_TRUE(create_script_project(directory.path(), resources).has_value());
    ScriptRunner runner(*open_script_project(directory.path(), resources));
    const auto branch = runner.branch(0);
    const auto writer = *ChangeWriter::make(*branch, runner.reader());
    const Lsn begin = branch->ingest_lsn();

    // So many that some are in the store before anybody asks for them.
    constexpr std::uint32_t kRecords = 600;
    const Lsn end = begin + kRecords * 100ull;
    for (std::uint32_t i = 0; i < kRecords; ++i) {
        writer->record(begin + i * 100ull, begin + (i + 1) * 100ull);
        writer->two_phase_finish(i);
        writer->finish_record();
    }
    writer->record(begin, begin + 50);  // out of order: the writer takes nothing any more
    writer->finish_record();
    ASSERT_TRUE(writer->failure().has_value());

    ASSERT_TRUE(branch->store().flush().has_value());
    const Lsn durable = branch->store().durable_lsn(branch->number());
    EXPECT_GT(durable, begin);
    EXPECT_EQ(branch->ingest_lsn(), begin) << "it is durable before it is published";
    EXPECT_FALSE(writer->commit().has_value());
    EXPECT_EQ(branch->ingest_lsn(), end);
    EXPECT_EQ(branch->ingested().prev_lsn, begin + (kRecords - 1) * 100ull);
    ASSERT_TRUE(branch->store().flush().has_value());
    EXPECT_EQ(branch->store().durable_lsn(branch->number()), end);
}

}  // namespace
}  // namespace bough::pageserver
