#include "pageserver/branching/projects.hpp"

#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "pageserver/testing/script_runner.hpp"
#include "pageserver/testing/temporary_directory.hpp"

namespace bough::pageserver {
namespace {

using namespace std::chrono_literals;

ProjectId project_id(const char* text) { return *ProjectId::parse(text); }
BranchId branch_id(const char* text) { return *BranchId::parse(text); }

class ProjectsTest : public testing::Test {
protected:
    std::unique_ptr<Projects> open() { return *Projects::open(directory_.path(), resources_); }
    Result<std::shared_ptr<Project>> create(Projects& projects, const char* id) {
        return projects.create(project_id(id), [&](const auto& path) { return create_script_project(path, resources_); });
    }

    TemporaryDirectory directory_;
    StoreResources resources_{StoreResources::Options{}};
};

TEST_F(ProjectsTest, a_project_is_there_after_a_restart) {
    {
        const auto projects = open();
        ASSERT_TRUE(create(*projects, "one").has_value());
        EXPECT_EQ(create(*projects, "one").error().code, ErrorCode::already_exists);
    }
    const auto projects = open();
    EXPECT_EQ(projects->ids().size(), 1u);
    EXPECT_TRUE(projects->branch(project_id("one"), branch_id("b0")).has_value());
    EXPECT_EQ(projects->project(project_id("two")).error().code, ErrorCode::not_found);
}

TEST_F(ProjectsTest, what_fails_to_be_made_leaves_nothing) {
    const auto projects = open();
    const auto failed = projects->create(project_id("one"), [&](const std::filesystem::path& path) -> Result<void> {
        std::ofstream(path / "half") << "made";
        return Error{ErrorCode::io, "disk full", {}};
    });
    EXPECT_EQ(failed.error().message, "disk full");
    EXPECT_TRUE(projects->ids().empty());
    EXPECT_TRUE(std::filesystem::is_empty(directory_.path() / "projects"));
    EXPECT_TRUE(std::filesystem::is_empty(directory_.path() / "scratch"));
    EXPECT_TRUE(create(*projects, "one").has_value());
}

TEST_F(ProjectsTest, leftovers_of_a_crash_are_removed) {
    { (void)open(); }
    std::filesystem::create_directories(directory_.path() / "scratch" / "half" / "store");
    const auto projects = open();
    EXPECT_TRUE(std::filesystem::is_empty(directory_.path() / "scratch"));
    EXPECT_TRUE(projects->ids().empty());
}

TEST_F(ProjectsTest, a_removed_project_is_gone_and_its_name_free_once_nobody_reads_it) {
    const auto projects = open();
    auto old = *create(*projects, "one");
    auto branch = *old->branch(branch_id("b0"));
    ASSERT_TRUE(projects->remove(project_id("one")).has_value());
    EXPECT_TRUE(branch->deleted());
    EXPECT_EQ(projects->project(project_id("one")).error().code, ErrorCode::not_found);
    WriteSet set;
    set.put(branch->number(), ObjectKey::two_phase(1), Lsn{0x3000000}, "x");
    EXPECT_FALSE(branch->store().write(std::move(set)).has_value());
    EXPECT_FALSE(create(*projects, "one").has_value());
    EXPECT_EQ(projects->project(project_id("one")).error().code, ErrorCode::not_found);

    branch.reset();
    old.reset();
    ASSERT_TRUE(create(*projects, "one").has_value());
    EXPECT_TRUE(projects->branch(project_id("one"), branch_id("b0")).has_value());
}

// A reader leaves its iterator, and the blocks that it stands on, to the next; but not for long.
TEST_F(ProjectsTest, blocks_that_a_reader_stood_on_are_let_go_when_no_other_comes) {
    const auto projects = open();
    const auto project = *create(*projects, "one");
    const auto branch = *project->branch(branch_id("b0"));
    const ObjectKey object = ObjectKey::two_phase(1);
    WriteSet set;
    set.put(branch->number(), object, branch->ingest_lsn(), encode_present("x"));
    ASSERT_TRUE(project->store().write(std::move(set)).has_value());
    ASSERT_TRUE(project->store().flush().has_value());
    const std::size_t before = resources_.counts().block_cache_pinned_bytes;
    {
        Cursor cursor = project->store().cursor();
        ASSERT_TRUE(*cursor.seek(branch->number(), object, branch->ingest_lsn()));
    }
    EXPECT_GT(resources_.counts().block_cache_pinned_bytes, before);
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (resources_.counts().block_cache_pinned_bytes > before && std::chrono::steady_clock::now() < deadline)
        std::this_thread::sleep_for(10ms);
    EXPECT_EQ(resources_.counts().block_cache_pinned_bytes, before);
}

TEST_F(ProjectsTest, a_damaged_project_does_not_hinder_the_others) {
    {
        const auto projects = open();
        ASSERT_TRUE(create(*projects, "bad").has_value());
        ASSERT_TRUE(create(*projects, "good").has_value());
    }
    std::ofstream(directory_.path() / "projects" / "bad" / "store" / "CURRENT") << "nonsense\n";
    const auto projects = open();
    EXPECT_FALSE(projects->project(project_id("bad")).has_value());
    EXPECT_TRUE(projects->project(project_id("good")).has_value());
    EXPECT_TRUE(projects->remove(project_id("bad")).has_value());
}

TEST_F(ProjectsTest, branches_are_durable_and_numbers_are_never_reused) {
    BranchNumber deleted;
    {
        const auto projects = open();
        const auto project = *create(*projects, "one");
        deleted = (*project->create_branch(branch_id("x"), branch_id("b0"), kScriptStart))->number();
        ASSERT_TRUE(project->delete_branch(branch_id("x")).has_value());
    }
    const auto projects = open();
    const auto project = *projects->project(project_id("one"));
    EXPECT_EQ(project->branch(branch_id("x")).error().code, ErrorCode::not_found);
    const auto made = *project->create_branch(branch_id("x"), branch_id("b0"), kScriptStart);
    EXPECT_GT(made->number(), deleted);
    EXPECT_EQ(made->row().start, kScriptStart);
}

TEST_F(ProjectsTest, branches_that_make_no_sense_are_refused) {
    const auto projects = open();
    const auto project = *create(*projects, "one");
    const auto refusal = [&](const char* id, const char* parent, LogPosition start) {
        return project->create_branch(branch_id(id), branch_id(parent), start).error().code;
    };
    EXPECT_EQ(refusal("b0", "b0", kScriptStart), ErrorCode::already_exists);
    EXPECT_EQ(refusal("x", "nobody", kScriptStart), ErrorCode::not_found);
    EXPECT_EQ(refusal("x", "b0", {Lsn{0x1000000}, Lsn{0}}), ErrorCode::out_of_range);
    EXPECT_EQ(refusal("x", "b0", {Lsn{0x2000100}, Lsn{0x2000100}}), ErrorCode::invalid_argument);
    EXPECT_EQ(project->delete_branch(branch_id("b0")).error().code, ErrorCode::failed_precondition);
    ASSERT_TRUE(project->create_branch(branch_id("x"), branch_id("b0"), kScriptStart).has_value());
    ASSERT_TRUE(project->create_branch(branch_id("y"), branch_id("x"), kScriptStart).has_value());
    EXPECT_EQ(project->delete_branch(branch_id("x")).error().code, ErrorCode::failed_precondition) << "it has a child";
}

TEST_F(ProjectsTest, a_child_is_readable_once_its_parent_has_caught_up_with_its_beginning) {
    const auto projects = open();
    const auto project = *create(*projects, "one");
    const auto parent = *project->branch(branch_id("b0"));
    const LogPosition ahead{kScriptStart.lsn + 100, kScriptStart.lsn};
    const auto child = *project->create_branch(branch_id("x"), branch_id("b0"), ahead);
    EXPECT_FALSE(child->readable_at(ahead.lsn));
    EXPECT_EQ(child->wait_readable(ahead.lsn, std::chrono::steady_clock::now() + 10ms).error().code, ErrorCode::timeout);

    std::atomic<int> calls = 0;
    ASSERT_TRUE(child->when_readable(ahead.lsn, [&] { ++calls; }).has_value());
    const auto cancelled = child->when_readable(ahead.lsn, [&] { calls += 100; });
    Branch::cancel(*cancelled);
    std::jthread ingest([&] {
        std::this_thread::sleep_for(20ms);
        parent->publish(ahead);
    });
    EXPECT_TRUE(child->wait_readable(ahead.lsn, std::chrono::steady_clock::now() + 10s).has_value());
    ingest.join();
    EXPECT_EQ(calls, 1);
    EXPECT_TRUE(child->readable_at(ahead.lsn));
    EXPECT_FALSE(child->readable_at(ahead.lsn + 1));
    EXPECT_FALSE(child->when_readable(ahead.lsn, [] {}).has_value());
}

TEST_F(ProjectsTest, who_waits_for_a_branch_whose_parent_is_behind_hears_of_its_deletion) {
    const auto projects = open();
    const auto project = *create(*projects, "one");
    const LogPosition ahead{kScriptStart.lsn + 100, kScriptStart.lsn};
    const auto child = *project->create_branch(branch_id("x"), branch_id("b0"), ahead);
    const auto sibling = *project->create_branch(branch_id("y"), branch_id("b0"), ahead);
    std::atomic<int> calls = 0;
    ASSERT_TRUE(child->when_readable(ahead.lsn, [&] { ++calls; }).has_value());
    ASSERT_TRUE(sibling->when_readable(ahead.lsn, [&] { calls += 100; }).has_value());
    std::jthread deletion([&] {
        std::this_thread::sleep_for(20ms);
        EXPECT_TRUE(project->delete_branch(branch_id("x")).has_value());
    });
    EXPECT_EQ(child->wait_readable(ahead.lsn, std::chrono::steady_clock::now() + 10s).error().code, ErrorCode::not_found);
    deletion.join();
    EXPECT_EQ(calls, 1);
    EXPECT_FALSE(child->when_readable(ahead.lsn, [] {}).has_value());
    (*project->branch(branch_id("b0")))->publish(ahead);
    EXPECT_EQ(calls, 101) << "who waits for another branch";
}

}  // namespace
}  // namespace bough::pageserver
