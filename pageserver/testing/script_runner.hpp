// Carries a script out on a project, and compares the project with the script's models.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <random>

#include "pageserver/branching/project.hpp"
#include "pageserver/ingest/change_writer.hpp"
#include "pageserver/read/page_reader.hpp"
#include "pageserver/testing/fake_redo.hpp"
#include "pageserver/testing/script.hpp"

namespace bough::pageserver {

// An empty project whose root branch is script_branch_name(0) at kScriptStart.
Result<void> create_script_project(const std::filesystem::path& directory, StoreResources& resources);
Result<std::shared_ptr<Project>> open_script_project(const std::filesystem::path& directory, StoreResources& resources);

class ScriptRunner {
public:
    explicit ScriptRunner(std::shared_ptr<Project> project)
        : project_(std::move(project)), reader_(redo_, metrics_, kCacheBytes) {}

    // Steps that the project has behind it are passed over, so that an interrupted run can be taken up. Commits and flushes
    // now and then, as `random` says; all is committed at the end.
    Result<void> run(const Script& script, std::mt19937_64& random, const std::function<void()>& after_step = {});

    Project& project() { return *project_; }
    PageReader& reader() { return reader_; }
    PageReaderMetrics& metrics() { return metrics_; }
    std::shared_ptr<Branch> branch(std::size_t index);

    // Everything but page content, then every page, of the branch as of `lsn`; failures are GoogleTest's.
    void expect_equal(std::size_t branch, const ModelState& expected, Lsn lsn);
    void expect_equal(const Branch& branch, const ModelState& expected, Lsn lsn);
    // The pages of one fork, and that nothing lies beyond them.
    void expect_pages(const Branch& branch, const pg::RelationFork& fork, const std::vector<ModelPage>& expected, Lsn lsn);

private:
    // Two pages a shard: pages come and go.
    static constexpr std::size_t kCacheBytes = 1 << 20;
    Result<void> commit_all();
    void expect_pages(const Branch& branch, const ModelState& expected, Lsn lsn);
    void expect_slrus(const Branch& branch, const ModelState& expected, Lsn lsn);

    std::shared_ptr<Project> project_;
    FakeRedo redo_;
    PageReaderMetrics metrics_;
    PageReader reader_;
    std::map<std::size_t, std::unique_ptr<ChangeWriter>> writers_;
};

}  // namespace bough::pageserver
