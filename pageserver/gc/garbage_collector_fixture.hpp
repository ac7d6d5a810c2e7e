// A project of scripted history with its garbage collector, for this folder's tests.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <random>
#include <span>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "pageserver/branching/restore_window.hpp"
#include "pageserver/gc/garbage_collector.hpp"
#include "pageserver/ingest/change_writer.hpp"
#include "pageserver/testing/fake_redo.hpp"
#include "pageserver/testing/script_runner.hpp"
#include "pageserver/testing/temporary_directory.hpp"

namespace bough::pageserver {

inline constexpr RestoreWindow kForEver{std::chrono::hours(24 * 36500), 0};

inline BranchId branch_id(std::string_view text) { return *BranchId::parse(text); }
inline SnapshotId snapshot_id(std::string_view text) { return *SnapshotId::parse(text); }

// Does not go on before it is told to.
class WaitingRedo final : public PageRedo {
public:
    void apply_many(std::span<RedoJob> jobs) override {
        begun = true;
        begun.notify_all();
        may_end.wait(false);
        redo_.apply_many(jobs);
    }
    std::atomic<bool> begun = false;
    std::atomic<bool> may_end = false;

private:
    FakeRedo redo_;
};

class GarbageCollectorTest : public testing::Test {
protected:
    void SetUp() override {
        std::filesystem::create_directories(directory_.path() / "data");
        projects_ = *Projects::open(directory_.path() / "data", resources_);
        ASSERT_TRUE(projects_
                        ->create(*ProjectId::parse("p"),
                                 [&](const std::filesystem::path& into) { return create_script_project(into, resources_); })
                        .has_value());
        project_ = *projects_->project(*ProjectId::parse("p"));
        ASSERT_TRUE(project_->set_restore_window(kForEver).has_value());
        runner_ = std::make_unique<ScriptRunner>(project_);
        garbage_ = std::make_unique<GarbageCollector>(*projects_, runner_->reader(), metrics_);
    }
    std::shared_ptr<Branch> root() { return *project_->branch(branch_id("b0")); }
    // Records on the root with one image each of the pages, at commit times a second apart, and made durable.
    void write_images(int records, std::uint32_t pages) {
        auto writer = *ChangeWriter::make(*root(), runner_->reader());
        std::mt19937_64 random(static_cast<std::uint64_t>(records));
        for (int i = 0; i < records; ++i) {
            const LogPosition at{writer->finished().lsn + 100, writer->finished().lsn};
            writer->record(at.prev_lsn, at.lsn);
            give_images(*writer, pages, random);
            writer->commit(kScriptBegan + (i + 1) * 1'000'000);
            writer->finish_record();
            positions_.push_back(at);
        }
        ASSERT_TRUE(writer->commit().has_value());
        ASSERT_TRUE(project_->store().flush().has_value());
    }
    static void give_images(ChangeWriter& writer, std::uint32_t pages, std::mt19937_64& random) {
        std::vector<std::byte> page(pg::kPageBytes);
        for (std::uint32_t block = 0; block < pages; ++block) {
            for (std::byte& b : page) b = static_cast<std::byte>(random());
            writer.page_image({kFork, block}, pg::ConstPage(page.data(), pg::kPageBytes));
        }
    }
    // One record with images of random bytes, which are not durable yet.
    void write_record(const char* name, std::uint32_t pages, std::uint64_t seed) {
        auto writer = *ChangeWriter::make(**project_->branch(branch_id(name)), runner_->reader());
        std::mt19937_64 random(seed);
        const LogPosition at{writer->finished().lsn + 100, writer->finished().lsn};
        writer->record(at.prev_lsn, at.lsn);
        give_images(*writer, pages, random);
        writer->finish_record();
        ASSERT_TRUE(writer->commit().has_value());
    }
    ErrorCode read_at(Lsn lsn) {
        std::vector<std::byte> page(pg::kPageBytes);
        const auto read = runner_->reader().read(*root(), kFork, 0, page, lsn);
        return read ? ErrorCode::internal : read.error().code;
    }

    static constexpr pg::RelationFork kFork{{1663, 5, 16384}, pg::Fork::main};
    TemporaryDirectory directory_;
    StoreResources resources_{StoreResources::Options{}};
    std::unique_ptr<Projects> projects_;
    std::shared_ptr<Project> project_;
    GarbageMetrics metrics_;
    std::unique_ptr<ScriptRunner> runner_;
    std::unique_ptr<GarbageCollector> garbage_;
    std::vector<LogPosition> positions_;
};

}  // namespace bough::pageserver
