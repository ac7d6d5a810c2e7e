// Images that take the place of history below the cutoff.
#include <algorithm>
#include <array>
#include <cstring>
#include <thread>

#include "pageserver/gc/garbage_collector_fixture.hpp"

namespace bough::pageserver {
namespace {

using namespace std::chrono_literals;

TEST_F(GarbageCollectorTest, long_chains_below_the_cutoff_give_way_to_an_image) {
    auto writer = *ChangeWriter::make(*root(), runner_->reader());
    std::mt19937_64 random(7);
    for (int i = 0; i < 2000; ++i) {
        const LogPosition at{writer->finished().lsn + 200, writer->finished().lsn};
        std::vector<std::byte> record(150);
        for (std::byte& b : record) b = static_cast<std::byte>(random());
        writer->record(at.prev_lsn, at.lsn);
        writer->page_record({kFork, 0}, pg::PageBase::previous, record);
        writer->finish_record();
        positions_.push_back(at);
    }
    ASSERT_TRUE(writer->commit().has_value());
    ASSERT_TRUE(project_->store().flush().has_value());
    std::vector<std::byte> before(pg::kPageBytes);
    ASSERT_TRUE(runner_->reader().read(*root(), kFork, 0, before, positions_[1950].lsn).has_value());
    const std::uint64_t all = (*project_->store().branch_bytes(root()->number())).files;
    ASSERT_TRUE(project_->raise_cutoffs({{root()->number(), positions_[1900].lsn}}).has_value());
    ASSERT_TRUE(garbage_->collect(*project_).has_value());
    EXPECT_LT((*project_->store().branch_bytes(root()->number())).files, all / 4);
    std::vector<std::byte> after(pg::kPageBytes);
    ASSERT_TRUE(runner_->reader().read(*root(), kFork, 0, after, positions_[1950].lsn).has_value());
    EXPECT_EQ(before, after);
}

// 2,000 pages that compress well, and changes of 80 bytes each.
class SmallChanges : public GarbageCollectorTest {
protected:
    enum class What { image, heap_image, record, change };
    void write(What what) {
        auto writer = *ChangeWriter::make(*root(), runner_->reader());
        std::mt19937_64 random(positions_.size());
        const LogPosition at{writer->finished().lsn + 200, writer->finished().lsn};
        writer->record(at.prev_lsn, at.lsn);
        for (std::uint32_t block = 0; block < kPages; ++block) {
            std::vector<std::byte> page(pg::kPageBytes);
            for (std::size_t i = 0; i < 800; ++i) page[i] = static_cast<std::byte>(random());
            const pg::PageTag where{kFork, block};
            switch (what) {
                case What::heap_image:
                    become_heap(page);
                    [[fallthrough]];
                case What::image: writer->page_image(where, pg::ConstPage(page.data(), pg::kPageBytes)); break;
                case What::record: writer->page_record(where, pg::PageBase::zero, std::span(page).first(kRecordBytes)); break;
                case What::change: writer->page_record(where, pg::PageBase::previous, std::span(page).first(80)); break;
            }
        }
        writer->finish_record();
        ASSERT_TRUE(writer->commit().has_value());
        positions_.push_back(at);
    }
    // Unused line pointers, over which the fake redo writes, and no rows.
    static void become_heap(std::vector<std::byte>& page) {
        const std::array<std::uint16_t, 3> lower_upper_special = {424, 4096, pg::kPageBytes};
        std::memcpy(page.data() + 12, lower_upper_special.data(), sizeof(lower_upper_special));
        std::copy(page.begin() + 24, page.begin() + 800, page.begin() + 7000);
        std::fill(page.begin() + 24, page.begin() + 4096, std::byte{0});
    }
    std::uint32_t pages_by_columns() {
        constexpr char kByColumns = 7;  // docs/formats/page_store.md
        Cursor cursor = project_->store().cursor();
        std::uint32_t count = 0;
        for (std::uint32_t block = 0; block < kPages; ++block)
            count += *cursor.seek(root()->number(), ObjectKey::page({kFork, block}), positions_.back().lsn) && cursor.value()[0] == kByColumns;
        return count;
    }
    std::uint64_t bytes_collected() {
        EXPECT_TRUE(project_->store().flush().has_value());
        EXPECT_TRUE(project_->raise_cutoffs({{root()->number(), positions_.back().lsn}}).has_value());
        EXPECT_TRUE(garbage_->collect(*project_).has_value());
        return (*project_->store().branch_bytes(root()->number())).files;
    }
    std::vector<std::byte> all_pages() {
        std::vector<std::byte> pages(kPages * pg::kPageBytes);
        EXPECT_TRUE(runner_->reader().read(*root(), kFork, 0, pages, positions_.back().lsn).has_value());
        return pages;
    }

    static constexpr std::uint32_t kPages = 2000;
    static constexpr std::size_t kRecordBytes = 6500;
};

// What counts is that the image they begin at goes too.
TEST_F(SmallChanges, give_way_to_images_where_their_base_goes_with_them) {
    write(What::image);
    const std::uint64_t images = bytes_collected();
    for (int i = 0; i < 5; ++i) write(What::change);
    ASSERT_TRUE(project_->create_branch(branch_id("x"), branch_id("b0"), positions_[2]).has_value());
    const auto before = all_pages();
    EXPECT_GT(bytes_collected(), images * 13 / 10) << "the branch reads the images, and the changes of before it";
    EXPECT_EQ(metrics_.images_at_cutoffs, 0u);
    EXPECT_EQ(all_pages(), before);
    ASSERT_TRUE(project_->delete_branch(branch_id("x")).has_value());
    EXPECT_LT(bytes_collected(), images * 105 / 100);
    EXPECT_EQ(metrics_.images_at_cutoffs, kPages);
    EXPECT_EQ(all_pages(), before);
    (void)bytes_collected();
    EXPECT_EQ(metrics_.images_at_cutoffs, kPages) << "once is enough";
    EXPECT_TRUE(project_->store().take_image_candidates(root()->number(), 1).empty());
}

TEST_F(SmallChanges, of_heap_pages_leave_images_by_columns_that_can_be_changed_again) {
    write(What::heap_image);
    for (int round = 1; round <= 3; ++round) {
        for (int i = 0; i < 5; ++i) write(What::change);
        const auto before = all_pages();
        EXPECT_EQ(pages_by_columns(), 0u) << "they are changed";
        (void)bytes_collected();
        EXPECT_EQ(metrics_.images_at_cutoffs, round * kPages);
        EXPECT_GT(pages_by_columns(), kPages / 4);
        EXPECT_EQ(all_pages(), before);
    }
}

TEST_F(SmallChanges, stay_while_an_image_has_more_than_the_record_it_would_replace) {
    write(What::record);
    write(What::change);
    (void)bytes_collected();
    EXPECT_EQ(metrics_.images_at_cutoffs, 0u);
    for (int i = 0; i < 5; ++i) write(What::change);
    const auto before = all_pages();
    (void)bytes_collected();
    EXPECT_EQ(metrics_.images_at_cutoffs, kPages);
    EXPECT_EQ(all_pages(), before);
}

TEST_F(SmallChanges, become_images_a_part_at_a_time) {
    garbage_ = std::make_unique<GarbageCollector>(*projects_, runner_->reader(), metrics_,
                                                  GarbageCollectorOptions{.images_at_once = 100});
    write(What::image);
    const std::uint64_t images = bytes_collected();
    for (int i = 0; i < 5; ++i) write(What::change);
    const auto before = all_pages();
    EXPECT_LT(bytes_collected(), images * 105 / 100);
    EXPECT_EQ(metrics_.images_at_cutoffs, kPages);
    EXPECT_EQ(all_pages(), before);
}

// Compactions, those of the collection itself too, go by the newest cutoff, and leave nothing to read at the one it began with.
TEST_F(SmallChanges, become_images_at_a_cutoff_that_rises_meanwhile) {
    write(What::image);
    const std::uint64_t images = bytes_collected();
    for (int i = 0; i < 3; ++i) write(What::change);
    write(What::image);
    for (int i = 0; i < 3; ++i) write(What::change);
    ASSERT_TRUE(project_->store().flush().has_value());
    ASSERT_TRUE(project_->raise_cutoffs({{root()->number(), positions_[3].lsn}}).has_value());
    const auto expected = all_pages();
    WaitingRedo redo;
    PageReaderMetrics reader_metrics;
    PageReader reader(redo, reader_metrics, 1 << 20);
    GarbageCollector collector(*projects_, reader, metrics_, {.erasures = 1h, .cutoffs = 1h});
    std::thread collecting([&] { EXPECT_TRUE(collector.collect(*project_).has_value()); });
    redo.begun.wait(false);
    EXPECT_TRUE(project_->raise_cutoffs({{root()->number(), positions_.back().lsn}}).has_value());
    redo.may_end = true;
    redo.may_end.notify_all();
    collecting.join();
    EXPECT_EQ(metrics_.failures, 0u);
    EXPECT_FALSE(project_->store().has_image_candidates(root()->number()));
    EXPECT_GE(metrics_.images_at_cutoffs, kPages);
    EXPECT_LT((*project_->store().branch_bytes(root()->number())).files, images * 105 / 100);
    EXPECT_EQ(all_pages(), expected);
}

TEST_F(SmallChanges, become_images_whoever_else_collects) {
    write(What::image);
    const std::uint64_t images = bytes_collected();
    for (int i = 0; i < 5; ++i) write(What::change);
    ASSERT_TRUE(project_->store().flush().has_value());
    ASSERT_TRUE(project_->raise_cutoffs({{root()->number(), positions_.back().lsn}}).has_value());
    const auto before = all_pages();
    {
        std::vector<std::jthread> collecting;
        for (int i = 0; i < 3; ++i)
            collecting.emplace_back([&] { EXPECT_TRUE(garbage_->collect(*project_).has_value()); });
    }
    EXPECT_EQ(metrics_.images_at_cutoffs, kPages);
    EXPECT_LT((*project_->store().branch_bytes(root()->number())).files, images * 105 / 100);
    EXPECT_EQ(all_pages(), before);
}

TEST_F(SmallChanges, stay_while_redo_does_not_work_and_are_found_again) {
    class FailingRedo final : public PageRedo {
    public:
        void apply_many(std::span<RedoJob> jobs) override {
            ++calls;
            for (RedoJob& job : jobs) job.result = Error{ErrorCode::unavailable, "no worker", {}};
        }
        std::size_t calls = 0;
    };
    write(What::image);
    write(What::change);
    const auto before = all_pages();
    FailingRedo redo;
    PageReaderMetrics reader_metrics;
    PageReader reader(redo, reader_metrics, 0);
    garbage_ = std::make_unique<GarbageCollector>(*projects_, reader, metrics_);
    (void)bytes_collected();
    EXPECT_EQ(metrics_.images_at_cutoffs, 0u);
    EXPECT_LE(redo.calls, 1 + PageReader::kPagesPerCut) << "it is not asked again and again";
    EXPECT_EQ(metrics_.failures, 1u);
    // Without the cutoff moving, and without rewriting all of it once more.
    const std::uint64_t rewritten = metrics_.branches_compacted;
    garbage_ = std::make_unique<GarbageCollector>(*projects_, runner_->reader(), metrics_, GarbageCollectorOptions{.cutoffs = 5ms});
    const auto left = kPages - PageReader::kPagesPerCut;
    for (int i = 0; i < 1000 && metrics_.images_at_cutoffs < left; ++i) std::this_thread::sleep_for(10ms);
    EXPECT_EQ(metrics_.images_at_cutoffs, left) << "all but those of the batch that failed";
    EXPECT_EQ(metrics_.branches_compacted, rewritten);
    garbage_ = std::make_unique<GarbageCollector>(*projects_, runner_->reader(), metrics_);
    (void)bytes_collected();
    EXPECT_EQ(metrics_.images_at_cutoffs, kPages);
    EXPECT_EQ(all_pages(), before);
}

}  // namespace
}  // namespace bough::pageserver
