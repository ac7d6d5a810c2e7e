// One project: its store and its branches.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "pageserver/branching/branch.hpp"
#include "pageserver/branching/project_row.hpp"
#include "pageserver/page_store/store.hpp"

namespace bough::pageserver {

// Thread-safe. Finding a branch takes a lock; reading from it then takes none of the project's.
class Project {
public:
    // The store must hold the project row and the root branch's (import/ writes them).
    static Result<std::shared_ptr<Project>> open(ProjectId id, const std::filesystem::path& directory, StoreResources& resources);
    // Where the store lies in a project's directory.
    static std::filesystem::path store_path(const std::filesystem::path& directory) { return directory / "store"; }

    const ProjectId& id() const { return id_; }
    const ProjectRow& row() const { return row_; }
    Store& store() const { return *store_; }

    Result<std::shared_ptr<Branch>> branch(const BranchId& id) const;
    std::vector<std::shared_ptr<Branch>> branches() const;

    // Durable on return. Errors: already_exists, not_found (parent), out_of_range (before the parent began), invalid_argument.
    // `start` must be a place between two records of the parent's log; it may be ahead of what the parent has ingested.
    Result<std::shared_ptr<Branch>> create_branch(const BranchId& id, const BranchId& parent, LogPosition start);

    // Whether delete_branch() would be refused just now.
    Result<void> check_deletable(const BranchId& id) const;
    // Its versions go too. The caller has ended its ingest. failed_precondition while it has children or is the root.
    Result<void> delete_branch(const BranchId& id);

private:
    Project(ProjectId id, std::shared_ptr<Store> store, ProjectRow row);
    Result<void> load_branches();
    Result<void> finish_erasures();

    const ProjectId id_;
    const std::shared_ptr<Store> store_;
    const ProjectRow row_;

    // changing_ is held while a metadata change is made durable; mutex_ only for moments, so that lookups never wait for disk.
    std::mutex changing_;
    mutable std::mutex mutex_;
    std::map<BranchId, std::shared_ptr<Branch>> branches_;  // under mutex_
    BranchNumber next_number_;                              // under changing_
};

}  // namespace bough::pageserver
