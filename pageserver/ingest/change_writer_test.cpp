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

    writer->record(begin, begin + 100);
    writer->commit(1000);
    writer->finish_record();
    writer->record(begin, begin + 50);  // out of order: the writer takes nothing any more
    writer->finish_record();
    ASSERT_TRUE(writer->failure().has_value());

    ASSERT_TRUE(branch->store().flush().has_value());
    EXPECT_EQ(branch->store().durable_lsn(branch->number()), begin + 100);
    EXPECT_FALSE(writer->commit().has_value());
    EXPECT_EQ(branch->ingest_lsn(), begin + 100);
    EXPECT_EQ(branch->ingested().prev_lsn, begin);
}

}  // namespace
}  // namespace bough::pageserver
