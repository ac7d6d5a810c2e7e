// All projects of a data directory.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "pageserver/branching/project.hpp"
#include "pageserver/page_store/store.hpp"

namespace bough::pageserver {

// A project is a directory <data>/projects/ID, there whole or not at all; it is opened when first asked for, and one that
// cannot be opened does not hinder the others; one that nobody uses for a while is closed. Flushes open stores in the background.
// Thread-safe.
class Projects {
public:
    // Removes what unfinished creations and deletions left.
    static Result<std::unique_ptr<Projects>> open(const std::filesystem::path& data_directory, StoreResources& resources,
                                                  std::chrono::milliseconds close_after = std::chrono::minutes(10));
    // Ends the background flushes, flushes and closes all stores. Branches that others still hold stay readable.
    ~Projects();
    Projects(const Projects&) = delete;
    Projects& operator=(const Projects&) = delete;

    // not_found, or what hindered opening it.
    Result<std::shared_ptr<Project>> project(const ProjectId& id);
    // The same, but it does not count as use: opened for this only, the project is closed again soon.
    Result<std::shared_ptr<Project>> look_at(const ProjectId& id);
    Result<std::shared_ptr<Branch>> branch(const ProjectId& project, const BranchId& branch);
    // Without waiting: nullopt when the project is not open, or is just being opened or closed. Counts as use.
    std::optional<Result<std::shared_ptr<Branch>>> branch_if_open(const ProjectId& project, const BranchId& branch);
    // nullptr when it is not open just now; does not open it, and does not count as use.
    std::shared_ptr<Project> project_if_open(const ProjectId& id) const;
    std::vector<ProjectId> ids() const;
    std::vector<std::shared_ptr<Project>> opened() const;
    // Closes those that were asked for last at or before `last_use` and that nobody holds; how many that were.
    std::size_t close_idle(std::chrono::steady_clock::time_point last_use);
    // This one, if nobody has asked for it since the start.
    void close_unused(const ProjectId& id);

    // `fill` makes the content of the directory it is given; the project then appears as a whole. already_exists. While somebody
    // still holds a branch of a removed project, its name cannot be used again (io).
    using Fill = std::function<Result<void>(const std::filesystem::path& directory)>;
    Result<std::shared_ptr<Project>> create(const ProjectId& id, const Fill& fill);

    // The caller has ended the ingest of its branches.
    Result<void> remove(const ProjectId& id);

private:
    // One per known id; `opening` is held while the store is opened or removed.
    struct Slot {
        std::mutex opening;
        std::shared_ptr<Project> project;  // under opening
        bool removed = false;              // under opening
        std::chrono::steady_clock::time_point last_use;  // under opening
    };

    Projects(std::filesystem::path data_directory, StoreResources& resources, std::chrono::milliseconds close_after);
    std::filesystem::path directory_of(const ProjectId& id) const;
    std::filesystem::path scratch_directory(const ProjectId& id) const;
    Result<std::shared_ptr<Slot>> slot(const ProjectId& id) const;
    // Whether it was closed.
    static bool close_idle(const ProjectId& id, Slot& slot, std::chrono::steady_clock::time_point last_use);
    Result<std::shared_ptr<Project>> open_project(const ProjectId& id, bool used);
    void flush_in_background(const std::stop_token& stop);

    const std::filesystem::path data_directory_;
    StoreResources& resources_;
    const std::chrono::milliseconds close_after_;
    mutable std::mutex mutex_;
    std::map<ProjectId, std::shared_ptr<Slot>> slots_;  // under mutex_
    std::jthread flusher_;
};

}  // namespace bough::pageserver
