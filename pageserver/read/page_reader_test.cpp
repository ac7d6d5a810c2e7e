#include "pageserver/read/page_reader.hpp"

#include <thread>

#include <gtest/gtest.h>

#include "pageserver/ingest/change_writer.hpp"
#include "pageserver/ingest/hot_pages.hpp"
#include "pageserver/testing/script_runner.hpp"
#include "pageserver/testing/temporary_directory.hpp"
#include "pg/page_edit.hpp"

namespace bough::pageserver {
namespace {

using namespace std::chrono_literals;

const pg::RelationFork kFork{{1663, 5, 16384}, pg::Fork::main};
const pg::RelationFork kMap{{1663, 5, 16384}, pg::Fork::visibility};

class PageReaderTest : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(create_script_project(directory_.path(), resources_).has_value());
        project_ = *open_script_project(directory_.path(), resources_);
        branch_ = *project_->branch(*BranchId::parse("b0"));
        writer_ = *ChangeWriter::make(*branch_, reader_);
    }
    template <class F>
    Lsn write(F changes) {
        const Lsn start = writer_->finished().lsn;
        writer_->record(start, start + 64);
        changes(*writer_);
        writer_->finish_record();
        return start + 64;
    }
    Lsn write_record(const pg::PageTag& tag, const std::string& bytes) {
        return write([&](pg::ChangeSink& sink) {
            sink.page_record(tag, pg::PageBase::previous, std::as_bytes(std::span(bytes)));
        });
    }
    std::vector<std::byte> read(const pg::PageTag& tag, Lsn at) {
        std::vector<std::byte> page(pg::kPageBytes);
        const auto result = reader_.read(*branch_, tag.fork, tag.block, page, at);
        EXPECT_TRUE(result.has_value()) << result.error().to_string();
        return page;
    }

    TemporaryDirectory directory_;
    StoreResources resources_{StoreResources::Options{}};
    FakeRedo redo_;
    PageReaderMetrics metrics_;
    PageReader reader_{redo_, metrics_};
    std::shared_ptr<Project> project_;
    std::shared_ptr<Branch> branch_;
    std::unique_ptr<ChangeWriter> writer_;
};

TEST_F(PageReaderTest, a_long_chain_is_cut_once_and_every_version_stays_as_it_was) {
    std::vector<Lsn> lsns;
    std::vector<std::vector<std::byte>> expected;
    std::vector<std::byte> page(pg::kPageBytes);
    for (int i = 0; i < 200; ++i) {
        const std::string bytes = "record " + std::to_string(i);
        const Lsn start = writer_->finished().lsn;
        lsns.push_back(write_record({kFork, 0}, bytes));
        fake_apply(pg::Page(page.data(), pg::kPageBytes), {start, lsns.back(), std::as_bytes(std::span(bytes))});
        expected.push_back(page);
    }
    ASSERT_TRUE(writer_->commit().has_value());
    EXPECT_EQ(read({kFork, 0}, lsns.back()), expected.back());
    EXPECT_EQ(metrics_.images_written_back, 1u);
    const auto applied = redo_.records.load();
    EXPECT_EQ(read({kFork, 0}, lsns.back()), expected.back());
    EXPECT_EQ(redo_.records, applied) << "the image answers now";
    for (std::size_t i = 0; i < lsns.size(); ++i) EXPECT_EQ(read({kFork, 0}, lsns[i]), expected[i]) << i;
    EXPECT_GT(metrics_.images_written_back, 1u);
    for (std::size_t i = 0; i < lsns.size(); ++i) EXPECT_EQ(read({kFork, 0}, lsns[i]), expected[i]) << i;
}

TEST_F(PageReaderTest, records_and_edits_apply_in_their_order) {
    std::vector<std::byte> page(pg::kPageBytes);
    const pg::Page expected(page.data(), pg::kPageBytes);
    for (int i = 0; i < 20; ++i) {
        if (i % 3 == 0) {
            const std::string bytes = "r" + std::to_string(i);
            const Lsn start = writer_->finished().lsn;
            const Lsn end = write_record({kMap, 0}, bytes);
            fake_apply(expected, {start, end, std::as_bytes(std::span(bytes))});
        } else {
            std::string edit;
            pg::append_visibility_set(edit, static_cast<std::uint16_t>(100 + i), 3);
            const Lsn end = write([&](pg::ChangeSink& sink) { sink.page_edit({kMap, 0}, false, edit); });
            ASSERT_TRUE(pg::apply_page_edits(expected, edit, end).has_value());
        }
    }
    ASSERT_TRUE(writer_->commit().has_value());
    EXPECT_EQ(read({kMap, 0}, writer_->finished().lsn), page);
}

TEST_F(PageReaderTest, a_damaged_version_is_an_error_that_says_where) {
    write_record({kFork, 3}, "x");
    ASSERT_TRUE(writer_->commit().has_value());
    const Lsn at = writer_->finished().lsn;
    WriteSet set;
    set.put(branch_->number(), ObjectKey::page({kFork, 3}), at, "\x09nonsense");
    ASSERT_TRUE(branch_->store().write(std::move(set)).has_value());
    std::vector<std::byte> page(pg::kPageBytes);
    const auto result = reader_.read(*branch_, kFork, 3, page, at);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, ErrorCode::corrupt);
    EXPECT_NE(result.error().message.find("16384"), std::string::npos);
    EXPECT_EQ(metrics_.failures, 1u);
}

TEST_F(PageReaderTest, a_page_without_a_beginning_is_an_error_not_zeros) {
    WriteSet set;
    set.put(branch_->number(), ObjectKey::fork_length(kFork), kScriptStart.lsn, encode_length(2));
    ASSERT_TRUE(branch_->store().write(std::move(set)).has_value());
    std::vector<std::byte> page(pg::kPageBytes);
    EXPECT_EQ(reader_.read(*branch_, kFork, 1, page, kScriptStart.lsn).error().code, ErrorCode::corrupt);
}

TEST_F(PageReaderTest, hot_pages_get_images_without_being_read) {
    for (std::uint32_t i = 0; i < 3 * ChangeWriter::kHotChanges; ++i) {
        write_record({kFork, 0}, "often");
        if (i % 100 == 0) write_record({kFork, 1 + i / 100}, "seldom");
    }
    EXPECT_TRUE(writer_->take_hot_pages().empty()) << "not before they are committed";
    ASSERT_TRUE(writer_->commit().has_value());
    const auto hot = writer_->take_hot_pages();
    ASSERT_EQ(hot.size(), 2u) << "the first change is the page's beginning and does not count";
    EXPECT_EQ(hot[0], ObjectKey::page({kFork, 0}));
    {
        HotPages cutter(reader_);
        cutter.add(branch_, hot);
        for (int i = 0; i < 1000 && metrics_.images_written_back == 0; ++i) std::this_thread::sleep_for(5ms);
    }
    EXPECT_GE(metrics_.images_written_back, 1u);
    const auto applied = redo_.records.load();
    read({kFork, 0}, writer_->finished().lsn);
    EXPECT_EQ(redo_.records, applied);
}

}  // namespace
}  // namespace bough::pageserver
