// Restore window, snapshots, collections that take long, and closing, by themselves; gc/store_model_test.cpp mixes them.
#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>

#include "pageserver/branching/postgres_time.hpp"
#include "pageserver/branching/project_row.hpp"
#include "pageserver/branching/time_index.hpp"
#include "pageserver/gc/garbage_collector_fixture.hpp"

namespace bough::pageserver {
namespace {

using namespace std::chrono_literals;

TEST_F(GarbageCollectorTest, history_behind_the_window_goes_and_what_it_took_comes_back) {
    write_images(40, 16);
    const std::uint64_t all = project_->store().bytes_on_disk();
    // As of the moment of the thirtieth commit plus the window, that commit is the last of before the window.
    const RestoreWindow window{std::chrono::hours(1), 0};
    ASSERT_TRUE(project_->set_restore_window(window).has_value());
    ASSERT_EQ(project_->advance_cutoffs(kScriptBegan + 30 * 1'000'000 + 500'000 + window.time.count())->size(), 1u);
    EXPECT_EQ(root()->cutoff(), positions_[29].lsn);
    EXPECT_EQ(read_at(positions_[28].lsn), ErrorCode::out_of_range);
    EXPECT_EQ(read_at(positions_[29].lsn), ErrorCode::internal) << "it can be read";
    EXPECT_EQ(read_at(positions_[35].lsn), ErrorCode::internal);

    ASSERT_TRUE(project_->set_restore_window(kForEver).has_value());
    ASSERT_TRUE(garbage_->collect(*project_).has_value());
    EXPECT_EQ(root()->cutoff(), positions_[29].lsn) << "a longer window brings nothing back";
    EXPECT_EQ(read_at(positions_[29].lsn), ErrorCode::internal);
    const std::uint64_t left = project_->store().bytes_on_disk();
    EXPECT_LT(left, all * 11 / 40 * 105 / 100) << "11 of 40 versions of each page are left";
    EXPECT_GT(left, all * 11 / 40 * 90 / 100);
}

TEST_F(GarbageCollectorTest, a_window_of_bytes_keeps_more_than_the_time_says) {
    write_images(20, 1);
    const RestoreWindow window{0s, 500};
    // At the newest commit that leaves so much: a place that a branch can begin at.
    const auto kept =
        std::ranges::find_if(positions_, [&](const LogPosition& p) { return p.lsn > Lsn{positions_.back().lsn.value - 500}; });
    ASSERT_NE(kept, positions_.begin());
    EXPECT_EQ(*cutoff_for(*root(), window, now_in_postgres_time()), std::prev(kept)->lsn);
    EXPECT_EQ(*cutoff_for(*root(), {0s, 0}, now_in_postgres_time()), positions_.back().lsn);
    EXPECT_EQ(*cutoff_for(*root(), {0s, 1 << 20}, now_in_postgres_time()), kScriptStart.lsn);
    EXPECT_EQ(*cutoff_for(*root(), kForEver, now_in_postgres_time()), kScriptStart.lsn);
}

TEST_F(GarbageCollectorTest, a_cutoff_by_a_window_that_was_changed_meanwhile_is_not_raised) {
    write_images(10, 1);
    ASSERT_TRUE(project_->set_restore_window({24h, 0}).has_value());
    const std::map<BranchNumber, Lsn> wanted = {{root()->number(), positions_[6].lsn}};
    const auto none = project_->raise_cutoffs(wanted, RestoreWindow{0s, 0});
    ASSERT_TRUE(none.has_value());
    EXPECT_TRUE(none->empty());
    EXPECT_EQ(root()->cutoff(), kScriptStart.lsn);
    EXPECT_EQ(project_->raise_cutoffs(wanted, RestoreWindow{24h, 0})->size(), 1u);
    EXPECT_EQ(root()->cutoff(), positions_[6].lsn);
}

TEST_F(GarbageCollectorTest, the_cutoff_stays_within_what_is_durable) {
    write_images(5, 1);
    auto writer = *ChangeWriter::make(*root(), runner_->reader());
    const LogPosition at{writer->finished().lsn + 100, writer->finished().lsn};
    writer->record(at.prev_lsn, at.lsn);
    writer->commit(kScriptBegan + 100'000'000);
    writer->finish_record();
    ASSERT_TRUE(writer->commit().has_value());
    EXPECT_EQ(*cutoff_for(*root(), {0s, 0}, now_in_postgres_time()), positions_.back().lsn);
    ASSERT_TRUE(project_->raise_cutoffs({{root()->number(), at.lsn}}).has_value());
    EXPECT_EQ(root()->cutoff(), positions_.back().lsn);
}

TEST_F(GarbageCollectorTest, nothing_is_made_below_the_cutoff_and_the_error_names_the_oldest_place_and_moment) {
    write_images(10, 1);
    ASSERT_TRUE(project_->create_snapshot(snapshot_id("s"), branch_id("b0"), positions_[2]).has_value());
    ASSERT_TRUE(project_->create_branch(branch_id("old"), branch_id("b0"), positions_[4]).has_value());
    ASSERT_TRUE(project_->raise_cutoffs({{root()->number(), positions_[6].lsn}}).has_value());
    const auto refused = project_->create_branch(branch_id("x"), branch_id("b0"), positions_[5]);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::out_of_range);
    EXPECT_NE(refused.error().message.find(positions_[6].lsn.to_string()), std::string::npos) << refused.error().message;
    // The commit at positions_[6] was the seventh, seven seconds after the beginning.
    const std::string moment = timestamp_text(from_postgres_time(kScriptBegan + 7'000'000));
    EXPECT_NE(refused.error().message.find(moment), std::string::npos) << refused.error().message;
    EXPECT_EQ(project_->create_snapshot(snapshot_id("t"), branch_id("b0"), positions_[5]).error().code, ErrorCode::out_of_range);
    const auto moment_refused = position_at(*root(), kScriptBegan + 5'500'000);
    ASSERT_FALSE(moment_refused.has_value());
    EXPECT_EQ(moment_refused.error().code, ErrorCode::out_of_range);
    EXPECT_NE(moment_refused.error().message.find(moment), std::string::npos);

    // Where something pins history, more can be made, and it reads as before.
    ASSERT_TRUE(garbage_->collect(*project_).has_value());
    EXPECT_TRUE(project_->create_branch(branch_id("from-snapshot"), branch_id("b0"), positions_[2]).has_value());
    EXPECT_TRUE(project_->create_branch(branch_id("twin"), branch_id("b0"), positions_[4]).has_value());
    for (const char* kept : {"old", "from-snapshot", "twin"}) {
        std::vector<std::byte> page(pg::kPageBytes);
        const auto branch = *project_->branch(branch_id(kept));
        EXPECT_TRUE(runner_->reader().read(*branch, kFork, 0, page, branch->row().start.lsn).has_value()) << kept;
    }
}

TEST_F(GarbageCollectorTest, cutoffs_snapshots_and_the_window_survive_a_restart) {
    write_images(10, 1);
    ASSERT_TRUE(project_->create_snapshot(snapshot_id("s"), branch_id("b0"), positions_[2]).has_value());
    ASSERT_TRUE(project_->create_snapshot(snapshot_id("s"), branch_id("b0"), positions_[2]).has_value()) << "again";
    EXPECT_EQ(project_->create_snapshot(snapshot_id("s"), branch_id("b0"), positions_[3]).error().code,
              ErrorCode::already_exists);
    ASSERT_TRUE(project_->set_restore_window({90s, 4096}).has_value());
    ASSERT_TRUE(project_->raise_cutoffs({{root()->number(), positions_[6].lsn}}).has_value());
    garbage_.reset();
    runner_.reset();
    project_.reset();
    projects_.reset();
    projects_ = *Projects::open(directory_.path() / "data", resources_);
    project_ = *projects_->project(*ProjectId::parse("p"));
    EXPECT_EQ(project_->restore_window(), (RestoreWindow{90s, 4096}));
    EXPECT_EQ(root()->cutoff(), positions_[6].lsn);
    EXPECT_TRUE(root()->keeps(positions_[2].lsn));
    EXPECT_FALSE(root()->keeps(positions_[3].lsn));
    ASSERT_TRUE(project_->delete_snapshot(snapshot_id("s")).has_value());
    EXPECT_FALSE(root()->keeps(positions_[2].lsn));
    EXPECT_EQ(project_->delete_snapshot(snapshot_id("s")).error().code, ErrorCode::not_found);
}

// It is raised to what is durable at most, so no crash leaves that: to go on would drop versions that every read to come needs.
TEST_F(GarbageCollectorTest, a_cutoff_above_what_was_ingested_is_damage) {
    write_images(10, 1);
    const auto reopened_with = [&](Lsn cutoff) {
        const std::string row = kCutoffRowPrefix + std::to_string(root()->number().value);
        EXPECT_TRUE(project_->store().change_metadata({{row, encode_cutoff(cutoff)}}).has_value());
        garbage_.reset();
        runner_.reset();
        project_.reset();
        projects_.reset();
        projects_ = *Projects::open(directory_.path() / "data", resources_);
        return projects_->project(*ProjectId::parse("p"));
    };
    auto at_the_end = reopened_with(positions_.back().lsn);
    ASSERT_TRUE(at_the_end.has_value()) << at_the_end.error().to_string();
    project_ = *std::move(at_the_end);
    EXPECT_EQ(root()->cutoff(), root()->ingest_lsn());
    const auto above = reopened_with(positions_.back().lsn + 1);
    ASSERT_FALSE(above.has_value());
    EXPECT_EQ(above.error().code, ErrorCode::corrupt);
    EXPECT_NE(above.error().message.find("\"b0\""), std::string::npos) << above.error().message;
}

TEST_F(GarbageCollectorTest, a_branch_with_snapshots_is_not_deleted) {
    write_images(3, 1);
    ASSERT_TRUE(project_->create_branch(branch_id("x"), branch_id("b0"), positions_[1]).has_value());
    ASSERT_TRUE(project_->create_snapshot(snapshot_id("s"), branch_id("x"), positions_[1]).has_value());
    EXPECT_EQ(project_->delete_branch(branch_id("x")).error().code, ErrorCode::failed_precondition);
    ASSERT_TRUE(project_->delete_snapshot(snapshot_id("s")).has_value());
    EXPECT_TRUE(project_->delete_branch(branch_id("x")).has_value());
}

TEST_F(GarbageCollectorTest, dropped_relations_go_with_the_history_that_saw_them) {
    write_images(1, 400);
    const std::uint64_t all = project_->store().bytes_on_disk();
    auto writer = *ChangeWriter::make(*root(), runner_->reader());
    const LogPosition at{writer->finished().lsn + 100, writer->finished().lsn};
    writer->record(at.prev_lsn, at.lsn);
    writer->relation_drop(kFork.relation);
    writer->finish_record();
    ASSERT_TRUE(writer->commit().has_value());
    ASSERT_TRUE(project_->store().flush().has_value());
    ASSERT_TRUE(garbage_->collect(*project_).has_value());
    EXPECT_GT(project_->store().bytes_on_disk(), all * 9 / 10) << "it can still be read before the drop";
    ASSERT_TRUE(project_->raise_cutoffs({{root()->number(), at.lsn}}).has_value());
    ASSERT_TRUE(garbage_->collect(*project_).has_value());
    EXPECT_LT(project_->store().bytes_on_disk(), all / 20);
}

// A collection that is in the middle of making images, of which redo does not end before it may.
class LongCollection : public GarbageCollectorTest {
protected:
    void begin() {
        garbage_.reset();
        write_images(1, 16);
        ASSERT_TRUE(project_->create_branch(branch_id("x"), branch_id("b0"), positions_.back()).has_value());
        for (const char* name : {"b0", "x"}) {
            auto writer = *ChangeWriter::make(**project_->branch(branch_id(name)), runner_->reader());
            for (int i = 0; i < 100; ++i) {
                const LogPosition at{writer->finished().lsn + (1 << 20), writer->finished().lsn};
                const std::vector<std::byte> record(100, static_cast<std::byte>(i));
                writer->record(at.prev_lsn, at.lsn);
                writer->page_record({kFork, 0}, pg::PageBase::previous, record);
                writer->commit(kScriptBegan + (i + 2) * 1'000'000);
                writer->finish_record();
                if (name == std::string_view("b0")) positions_.push_back(at);
            }
            ASSERT_TRUE(writer->commit().has_value());
        }
        ASSERT_TRUE(project_->store().flush().has_value());
        busy_.emplace(*projects_, reader_, metrics_, GarbageCollectorOptions{.erasures = 5ms, .cutoffs = 5ms, .moved_bytes_min = 1});
        for (std::size_t i = 1; i < positions_.size() - 10 && !redo_.begun; ++i) {
            ASSERT_TRUE(project_->raise_cutoffs({{root()->number(), positions_[i].lsn}}).has_value());
            std::this_thread::sleep_for(20ms);
        }
        ASSERT_TRUE(redo_.begun);
    }
    void TearDown() override {
        redo_.may_end = true;
        redo_.may_end.notify_all();
        busy_.reset();
    }

    WaitingRedo redo_;
    PageReaderMetrics reader_metrics_;
    PageReader reader_{redo_, reader_metrics_, 1 << 20};
    std::optional<GarbageCollector> busy_;
};

TEST_F(LongCollection, does_not_keep_the_space_of_a_deleted_branch) {
    begin();
    EXPECT_TRUE(project_->delete_branch(branch_id("x")).has_value());
    const auto erasing = [&] { return !project_->store().metadata_with_prefix(kErasingRowPrefix)->empty(); };
    for (int i = 0; i < 1000 && erasing(); ++i) std::this_thread::sleep_for(10ms);
    EXPECT_FALSE(erasing());
}

TEST_F(LongCollection, does_not_keep_cutoffs_from_rising) {
    begin();
    const Lsn before = root()->cutoff();
    // All commits are years ago.
    ASSERT_TRUE(project_->set_restore_window({std::chrono::hours(1), 0}).has_value());
    for (int i = 0; i < 1000 && root()->cutoff() == before; ++i) std::this_thread::sleep_for(10ms);
    EXPECT_GT(root()->cutoff(), before);
}

TEST_F(GarbageCollectorTest, a_collection_that_was_asked_for_is_broken_off_at_the_end) {
    write_images(40, 16);
    ASSERT_TRUE(project_->raise_cutoffs({{root()->number(), positions_[29].lsn}}).has_value());
    garbage_->end();
    const auto collected = garbage_->collect(*project_);
    ASSERT_FALSE(collected.has_value());
    EXPECT_EQ(collected.error().code, ErrorCode::unavailable);
    EXPECT_EQ(metrics_.branches_compacted, 0u);
}

// Whoever is first, branch (or snapshot) or cutoff: a branch that was made can be read where it begins, for ever; one that was not, was
// refused.
TEST_F(GarbageCollectorTest, branches_and_snapshots_race_with_the_cutoff_and_are_whole_or_refused) {
    write_images(200, 2);
    std::vector<std::vector<std::byte>> expected;
    for (const LogPosition& at : positions_) {
        expected.emplace_back(pg::kPageBytes);
        ASSERT_TRUE(runner_->reader().read(*root(), kFork, 0, expected.back(), at.lsn).has_value());
    }
    std::atomic<int> refused = 0;
    std::mutex mutex;
    std::vector<std::pair<std::shared_ptr<Branch>, std::size_t>> made;
    std::vector<std::size_t> pinned;
    {
        std::jthread raising([&] {
            for (std::size_t i = 5; i < 150; i += 5) {
                (void)project_->raise_cutoffs({{root()->number(), positions_[i].lsn}});
                (void)garbage_->collect(*project_);
            }
        });
        std::vector<std::jthread> creating;
        for (std::uint64_t worker = 0; worker < 3; ++worker)
            creating.emplace_back([&, worker] {
                std::mt19937_64 random(worker);
                for (int i = 0; i < 60; ++i) {
                    const std::size_t place = random() % 160;
                    if (i % 3 == 0) {
                        const auto pin =
                            project_->create_snapshot(snapshot_id("s" + std::to_string(worker) + "-" + std::to_string(i)),
                                                      branch_id("b0"), positions_[place]);
                        const std::lock_guard lock(mutex);
                        if (pin) pinned.push_back(place);
                        if (!pin) {
                            EXPECT_EQ(pin.error().code, ErrorCode::out_of_range);
                        }
                        continue;
                    }
                    const auto branch = project_->create_branch(branch_id("r" + std::to_string(worker) + "-" + std::to_string(i)),
                                                                branch_id("b0"), positions_[place]);
                    if (branch) {
                        const std::lock_guard lock(mutex);
                        made.emplace_back(*branch, place);
                    } else {
                        EXPECT_EQ(branch.error().code, ErrorCode::out_of_range);
                        ++refused;
                    }
                    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 5));
                }
            });
    }
    ASSERT_TRUE(garbage_->collect(*project_).has_value());
    EXPECT_GT(refused, 0);
    EXPECT_GT(made.size(), 0u);
    for (const auto& [branch, place] : made) {
        std::vector<std::byte> page(pg::kPageBytes);
        const auto read = runner_->reader().read(*branch, kFork, 0, page, branch->row().start.lsn);
        ASSERT_TRUE(read.has_value()) << read.error().to_string();
        EXPECT_EQ(page, expected[place]);
    }
    EXPECT_GT(pinned.size(), 0u);
    for (const std::size_t place : pinned) {
        std::vector<std::byte> page(pg::kPageBytes);
        const auto read = runner_->reader().read(*root(), kFork, 0, page, positions_[place].lsn);
        ASSERT_TRUE(read.has_value()) << read.error().to_string();
        EXPECT_EQ(page, expected[place]);
    }
}

TEST_F(GarbageCollectorTest, a_project_that_nobody_holds_is_closed_and_opens_again) {
    write_images(3, 1);
    const auto later = [] { return std::chrono::steady_clock::now() + 1h; };
    EXPECT_EQ(projects_->close_idle(later()), 0u) << "it is held";
    auto held = root();
    garbage_.reset();
    runner_.reset();
    project_.reset();
    EXPECT_EQ(projects_->close_idle(later()), 0u) << "a branch is held";
    held.reset();
    EXPECT_EQ(projects_->close_idle(std::chrono::steady_clock::now() - 1h), 0u) << "it was used since";
    EXPECT_EQ(projects_->close_idle(later()), 1u);
    EXPECT_TRUE(projects_->opened().empty());
    EXPECT_EQ(projects_->project_if_open(*ProjectId::parse("p")), nullptr);
    // To look at it is no use.
    EXPECT_TRUE(projects_->look_at(*ProjectId::parse("p")).has_value());
    EXPECT_EQ(projects_->close_idle(std::chrono::steady_clock::now() - 1h), 0u) << "it was used within the hour";
    EXPECT_EQ(projects_->close_idle(later()), 1u);
    const auto again = projects_->branch(*ProjectId::parse("p"), branch_id("b0"));
    ASSERT_TRUE(again.has_value()) << again.error().to_string();
    EXPECT_EQ((*again)->ingest_lsn(), positions_.back().lsn) << "what was written last was flushed";
    EXPECT_EQ(projects_->close_idle(later()), 0u);
}

}  // namespace
}  // namespace bough::pageserver
