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
        return write(
            [&](pg::ChangeSink& sink) { sink.page_record(tag, pg::PageBase::previous, std::as_bytes(std::span(bytes))); });
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

TEST_F(PageReaderTest, a_kept_page_is_brought_forward_by_what_came_after_it) {
    PageReader cached(redo_, metrics_, 8 << 20);
    std::vector<std::vector<std::byte>> expected;
    std::vector<Lsn> lsns;
    std::vector<std::byte> page(pg::kPageBytes);
    const auto read_at = [&](Lsn at) {
        std::vector<std::byte> got(pg::kPageBytes);
        EXPECT_TRUE(cached.read(*branch_, kFork, 0, got, at).has_value());
        return got;
    };
    for (int i = 0; i < 30; ++i) {
        const std::string bytes = "record " + std::to_string(i);
        const Lsn start = writer_->finished().lsn;
        lsns.push_back(write_record({kFork, 0}, bytes));
        write_record({kFork, 1}, "another page");
        fake_apply(pg::Page(page.data(), pg::kPageBytes), {start, lsns.back(), std::as_bytes(std::span(bytes))});
        expected.push_back(page);
        ASSERT_TRUE(writer_->commit().has_value());
        const auto applied = redo_.records.load();
        EXPECT_EQ(read_at(branch_->ingest_lsn()), page);
        EXPECT_EQ(redo_.records, applied + 1) << "only the record that is new";
        EXPECT_EQ(read_at(branch_->ingest_lsn()), page);
        EXPECT_EQ(redo_.records, applied + 1);
        if (i % 10 == 9) {
            ASSERT_TRUE(branch_->store().flush().has_value());
        }
    }
    for (std::size_t i = 0; i < lsns.size(); ++i) EXPECT_EQ(read_at(lsns[i]), expected[i]) << i;
    EXPECT_EQ(read_at(branch_->ingest_lsn()), page);
    EXPECT_GT(metrics_.pages_from_cache, 0u);
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

// Who reads through many ancestors while one of them is yet to ingest what its child begins with does not pass over it later.
TEST_F(PageReaderTest, an_ancestor_that_catches_up_is_not_passed_over) {
    constexpr std::uint32_t kDepth = AncestorSkip::kReaches.back();  // a multiple of all of them
    const auto name = [](std::uint32_t depth) { return *BranchId::parse("b" + std::to_string(depth)); };
    const auto page = [](std::byte content) {
        std::vector<std::byte> bytes(pg::kPageBytes);
        bytes[100] = content;
        return bytes;
    };
    const auto write = [&](Branch& branch, LogPosition to, std::byte content) {
        WriteSet set;
        if (branch.parent() == nullptr) set.put(branch.number(), ObjectKey::fork_length(kFork), to.lsn, encode_length(1));
        const auto bytes = page(content);
        set.put(branch.number(), ObjectKey::page({kFork, 0}), to.lsn, encode_image(pg::ConstPage(bytes.data(), pg::kPageBytes)));
        set.set_position(branch.number(), to);
        ASSERT_TRUE(branch.store().write(std::move(set)).has_value());
        branch.publish(to);
    };
    const LogPosition begin{kScriptStart.lsn + 64, kScriptStart.lsn}, later{begin.lsn + 64, begin.lsn};
    write(*branch_, begin, std::byte{1});
    const auto behind = *project_->create_branch(name(1), name(0), begin);
    for (std::uint32_t depth = 2; depth <= kDepth; ++depth)
        ASSERT_TRUE(project_->create_branch(name(depth), name(depth - 1), later).has_value());
    const auto leaf = *project_->branch(name(kDepth));
    std::vector<std::byte> got(pg::kPageBytes);
    ASSERT_TRUE(leaf->readable_at(begin.lsn) && !leaf->readable_at(later.lsn));
    ASSERT_TRUE(reader_.read(*leaf, kFork, 0, got, begin.lsn).has_value());
    EXPECT_EQ(got, page(std::byte{1}));
    write(*behind, later, std::byte{2});
    ASSERT_TRUE(leaf->readable_at(later.lsn));
    ASSERT_TRUE(reader_.read(*leaf, kFork, 0, got, later.lsn).has_value());
    EXPECT_EQ(got, page(std::byte{2}));
    ASSERT_TRUE(reader_.read(*leaf, kFork, 0, got, begin.lsn).has_value());
    EXPECT_EQ(got, page(std::byte{1}));
}

// With a branch of that generation that has touched more than a set holds, and cannot be passed over; zero is the root, kNobody none.
struct LongChain : PageReaderTest, ::testing::WithParamInterface<std::uint32_t> {
    static constexpr std::uint32_t kNobody = ~0u;
};

// Every branch of a long chain writes a page of its own, and one that its descendants write again; before and after a restart.
TEST_P(LongChain, pages_are_found_whichever_ancestor_has_them) {
    constexpr std::uint32_t kDepth = 2 * AncestorSkip::kReaches.back() + AncestorSkip::kReaches.front() + 5;
    const auto page = [](std::uint32_t content) {
        std::vector<std::byte> bytes(pg::kPageBytes);
        std::memcpy(bytes.data() + 100, &content, sizeof(content));
        return bytes;
    };
    const auto name = [](std::uint32_t depth) { return *BranchId::parse("b" + std::to_string(depth)); };
    const auto put = [&](WriteSet& set, const Branch& branch, std::uint32_t block, Lsn lsn, std::uint32_t content) {
        const auto bytes = page(content);
        set.put(branch.number(), ObjectKey::page({kFork, block}), lsn, encode_image(pg::ConstPage(bytes.data(), pg::kPageBytes)));
    };
    LogPosition end = kScriptStart;
    std::shared_ptr<Branch> branch = branch_;
    for (std::uint32_t depth = 0; depth <= kDepth; ++depth) {
        if (depth > 0) branch = *project_->create_branch(name(depth), name(depth - 1), end);
        // Every third writes nothing, and every seventh goes on after its child has begun.
        if (depth % 3 == 2) continue;
        WriteSet set;
        const LogPosition written{end.lsn + 64, end.lsn};
        if (depth == 0) set.put(branch->number(), ObjectKey::fork_length(kFork), written.lsn, encode_length(kDepth + 1));
        for (std::uint32_t other = 0; depth == GetParam() && other < TouchedSet::kObjectsMax; ++other)
            set.put(branch->number(), ObjectKey::fork_length({{1663, 6, other}, pg::Fork::main}), written.lsn, encode_length(1));
        if (depth == 0)
            for (std::uint32_t block = 0; block <= kDepth; ++block) put(set, *branch, block, written.lsn, 1'000'000 + block);
        put(set, *branch, depth, Lsn{written.lsn.value}, 2'000'000 + depth);
        put(set, *branch, kDepth, written.lsn, depth);
        set.set_position(branch->number(), written);
        ASSERT_TRUE(branch->store().write(std::move(set)).has_value());
        branch->publish(written);
        end = written;
        if (depth % 7 == 0) {
            WriteSet later;
            // Of block 2 below what its descendants are read at, of block 1 above.
            const LogPosition soon{written.lsn + 32, written.lsn}, more{written.lsn + 640'000, soon.lsn};
            put(later, *branch, 2, soon.lsn, 3'000'000);
            put(later, *branch, 1, more.lsn, 3'000'000);
            later.set_position(branch->number(), more);
            ASSERT_TRUE(branch->store().write(std::move(later)).has_value());
            branch->publish(more);
        }
    }
    for (const bool restarted : {false, true}) {
        if (restarted) {
            writer_.reset();
            branch.reset();
            branch_.reset();
            project_.reset();
            project_ = *open_script_project(directory_.path(), resources_);
        }
        PageReader cached(redo_, metrics_, 8 << 20), uncached(redo_, metrics_);
        for (const std::uint32_t depth : {1u, 3u, 4u, 5u, 8u, 15u, 16u, 17u, 20u, 63u, 64u, 65u, 80u, 84u, 128u, kDepth}) {
            const auto reading = *project_->branch(name(depth));
            for (PageReader* reader : {&cached, &uncached, &cached, &uncached})
                for (std::uint32_t block = 0; block <= kDepth; ++block) {
                    std::vector<std::byte> got(pg::kPageBytes);
                    // As its child of the same LSN would see it, where it went on itself.
                    const Lsn at = std::min(reading->ingest_lsn(), end.lsn);
                    ASSERT_TRUE(reader->read(*reading, kFork, block, got, at).has_value());
                    const bool own = block <= depth && block % 3 != 2;
                    const std::uint32_t nearest = depth % 3 == 2 ? depth - 1 : depth;  // the last that wrote
                    std::uint32_t expected = own ? 2'000'000 + block : 1'000'000 + block;
                    if (block == 2 && depth % 7 == 0) expected = 3'000'000;
                    if (block == kDepth) expected = nearest;
                    EXPECT_EQ(got, page(expected)) << depth << " " << block << " " << restarted;
                }
        }
        // What is known of an ancestor's page gives way to one of the branch's own, and is there below it.
        const auto leaf = *project_->branch(name(kDepth));
        for (const std::uint32_t block : {1u, 7u, 40u}) {
            const Lsn before = std::max(leaf->ingest_lsn(), end.lsn);
            WriteSet set;
            const LogPosition written{before + 64, before};
            put(set, *leaf, block, written.lsn, 4'000'000 + block);
            set.set_position(leaf->number(), written);
            ASSERT_TRUE(leaf->store().write(std::move(set)).has_value());
            leaf->publish(written);
            for (PageReader* reader : {&cached, &uncached})
                for (const auto& [at, content] : {std::pair{written.lsn, 4'000'000 + block}, {end.lsn, 2'000'000 + block}}) {
                    std::vector<std::byte> got(pg::kPageBytes);
                    ASSERT_TRUE(reader->read(*leaf, kFork, block, got, at).has_value());
                    EXPECT_EQ(got, page(content)) << block << " " << at.to_string();
                }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(WithOneThatTouchedMuch, LongChain,
                         ::testing::Values(LongChain::kNobody, 0u, 61u, AncestorSkip::kReaches.back(), 127u));

// Ancestors that all change the same objects are passed over together, however many times these are changed.
TEST_F(PageReaderTest, what_many_ancestors_touched_counts_once) {
    constexpr std::uint32_t kDepth = AncestorSkip::kReaches.back(), kObjects = 1'000;
    const auto name = [](std::uint32_t depth) { return *BranchId::parse("b" + std::to_string(depth)); };
    const auto object = [](std::uint32_t block) { return ObjectKey::page({kFork, block}); };
    LogPosition end = kScriptStart;
    std::shared_ptr<Branch> branch = branch_;
    for (std::uint32_t depth = 1; depth <= kDepth; ++depth) {
        branch = *project_->create_branch(name(depth), name(depth - 1), end);
        const LogPosition written{end.lsn + 64, end.lsn};
        WriteSet set;
        for (std::uint32_t block = 0; block < kObjects; ++block)
            set.put(branch->number(), object(block), written.lsn, encode_zero_page());
        set.put(branch->number(), object(kObjects + depth), written.lsn, encode_zero_page());
        set.set_position(branch->number(), written);
        ASSERT_TRUE(branch->store().write(std::move(set)).has_value());
        branch->publish(written);
        end = written;
    }
    const AncestorSkip& skip = *branch->ancestor_skip();
    EXPECT_EQ(skip.find(hash_object(object(kObjects * 2))).branch, branch_.get());
    EXPECT_FALSE(skip.find(hash_object(object(kObjects * 2))).passed_over);
    for (std::uint32_t block = 0; block < kObjects; ++block)
        ASSERT_EQ(skip.find(hash_object(object(block))).branch->generation(), kDepth - 1);
    for (std::uint32_t depth = 1; depth < kDepth; ++depth)
        ASSERT_EQ(skip.find(hash_object(object(kObjects + depth))).branch->generation(), depth);
}

TEST_F(PageReaderTest, no_image_is_stored_of_what_an_ancestor_has_yet_to_ingest) {
    const Lsn end = write_record({kFork, 0}, "of the parent");
    ASSERT_TRUE(writer_->commit().has_value());
    // Begins where its parent will have come to.
    const auto child = *project_->create_branch(*BranchId::parse("child"), *BranchId::parse("b0"), {end + 640, end + 576});
    const std::vector<ObjectKey> pages = {ObjectKey::page({kFork, 0})};
    const auto made = reader_.make_images(*child, pages, end + 640);
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error().code, ErrorCode::unavailable);
    EXPECT_EQ(metrics_.images_written_back, 0u);
    EXPECT_EQ(*reader_.make_images(*branch_, pages, end), 1u);
    EXPECT_EQ(*reader_.make_images(*branch_, pages, end), 0u) << "it is one";
    EXPECT_EQ(metrics_.images_written_back, 1u);
}

TEST_F(PageReaderTest, images_of_history_take_nobodys_place_in_the_cache) {
    const Lsn end = write_record({kFork, 0}, "one");
    ASSERT_TRUE(writer_->commit().has_value());
    PageReader cached(redo_, metrics_, 1 << 20);
    EXPECT_EQ(*cached.make_images(*branch_, std::vector{ObjectKey::page({kFork, 0})}, end), 1u);
    EXPECT_EQ(cached.cached_bytes(), 0u);
    std::vector<std::byte> page(pg::kPageBytes);
    ASSERT_TRUE(cached.read(*branch_, kFork, 0, page, end).has_value());
    EXPECT_GT(cached.cached_bytes(), 0u);
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
