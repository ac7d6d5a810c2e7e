// What a writer of changes promises to those who drop WAL.
#include "pageserver/ingest/change_writer.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "pageserver/testing/model.hpp"
#include "pageserver/testing/operations.hpp"
#include "pageserver/testing/script.hpp"
#include "pageserver/testing/script_runner.hpp"
#include "pageserver/testing/temporary_directory.hpp"
#include "pg/page_edit.hpp"

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

// Gives the same changes to a writer and to the plain model.
class DeferredChangesTest : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(create_script_project(directory_.path(), resources_).has_value());
        runner_.emplace(*open_script_project(directory_.path(), resources_));
        writer_ = *ChangeWriter::make(*runner_->branch(0), runner_->reader());
    }

    void begin_record() {
        const LogPosition at{writer_->finished().lsn + 100, writer_->finished().lsn};
        writer_->record(at.prev_lsn, at.lsn);
        model_.record(at.prev_lsn, at.lsn);
    }
    void both(const std::function<void(pg::ChangeSink&)>& change) {
        change(*writer_);
        change(model_);
    }
    void finish_record() {
        writer_->finish_record();
        model_.finish_record();
    }
    // A record of some changes, two of them to one page.
    void add_record(std::uint32_t number) {
        begin_record();
        change_some(number);
        finish_record();
    }
    void change_some(std::uint32_t number) {
        both([&](pg::ChangeSink& to) { to.two_phase_prepare(number, "state of " + std::to_string(number)); });
        both([&](pg::ChangeSink& to) { to.page_image(tag(number % 7), pg::ConstPage(image_.data(), pg::kPageBytes)); });
        both([&](pg::ChangeSink& to) { to.slru_zero_page(pg::Slru::xact, number); });
        std::string committed;
        const auto transaction = static_cast<std::uint16_t>(number);
        pg::append_xact_status(committed, pg::XactStatus::committed, std::span(&transaction, 1));
        both([&](pg::ChangeSink& to) { to.slru_edit(pg::Slru::xact, number, committed); });
        const std::string record = "record " + std::to_string(number);
        both([&](pg::ChangeSink& to) {
            to.page_record(tag(number % 7), pg::PageBase::previous, std::as_bytes(std::span(record)));
        });
        both([&](pg::ChangeSink& to) {
            to.page_record(tag(number % 3), pg::PageBase::previous, std::as_bytes(std::span(record)));
        });
    }
    void expect_as_the_model() {
        for (const LogPosition& position : model_.positions()) runner_->expect_equal(0, model_.at(position.lsn), position.lsn);
    }

    static pg::PageTag tag(std::uint32_t block) { return {{{1663, 5, 16384}, pg::Fork::main}, block}; }

    TemporaryDirectory directory_;
    StoreResources resources_{StoreResources::Options{}};
    std::optional<ScriptRunner> runner_;
    std::unique_ptr<ChangeWriter> writer_;
    Model model_{kScriptStart, kScriptBegan, ModelState{}};
    const std::vector<std::byte> image_ = std::vector<std::byte>(pg::kPageBytes, std::byte{7});
};

TEST_F(DeferredChangesTest, all_of_many_records_are_there_as_they_were_given) {
    for (std::uint32_t i = 0; i < 200; ++i) add_record(i);
    ASSERT_TRUE(writer_->commit().has_value());
    expect_as_the_model();
    ASSERT_TRUE(runner_->project().store().flush().has_value());
    expect_as_the_model();
}

// What a record drops or copies is looked up in the store, where all before it has to be by then; its own changes are still under way.
TEST_F(DeferredChangesTest, a_record_that_has_to_see_all_before_it_keeps_its_own_changes) {
    for (std::uint32_t i = 100; i < 103; ++i) add_record(i);
    begin_record();
    change_some(103);
    both([&](pg::ChangeSink& to) { to.slru_drop_segments(pg::Slru::xact, DropBelow(4)); });
    change_some(110);  // a page of before the drop again
    both([&](pg::ChangeSink& to) { to.database_create(1663, 5); });
    finish_record();
    for (std::uint32_t i = 105; i < 108; ++i) add_record(i);
    begin_record();
    both([&](pg::ChangeSink& to) { to.two_phase_prepare(9, "before the copy"); });
    both([&](pg::ChangeSink& to) { to.database_copy(1663, 5, 1663, 6); });
    change_some(108);
    finish_record();
    add_record(109);
    ASSERT_TRUE(writer_->commit().has_value());
    expect_as_the_model();
}

TEST_F(DeferredChangesTest, of_a_dropped_record_nothing_stays_and_of_those_before_it_all) {
    for (std::uint32_t i = 100; i < 103; ++i) add_record(i);
    const Lsn end = writer_->finished().lsn;
    writer_->record(end, end + 100);
    writer_->two_phase_prepare(1, "never");
    writer_->slru_drop_segments(pg::Slru::xact, DropBelow(100));
    writer_->page_image(tag(0), pg::ConstPage(image_.data(), pg::kPageBytes));
    writer_->drop_record();
    ASSERT_TRUE(writer_->commit().has_value());
    EXPECT_EQ(runner_->branch(0)->ingest_lsn(), end);
    expect_as_the_model();
    writer_->record(end, end + 100);
    writer_->finish_record();
    EXPECT_FALSE(writer_->commit().has_value()) << "what comes after it would not be the log";
    EXPECT_EQ(runner_->branch(0)->ingest_lsn(), end);
}

}  // namespace
}  // namespace bough::pageserver
