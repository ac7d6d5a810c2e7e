// One project: its store, its branches, and how much of their histories stays.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "pageserver/branching/branch.hpp"
#include "pageserver/branching/project_row.hpp"
#include "pageserver/branching/restore_window.hpp"
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

    // Durable on return. Errors: already_exists, not_found (parent), out_of_range (before the parent began, or before its restore
    // window and not where a snapshot or another child is), invalid_argument.
    // `start` must be a place between two records of the parent's log; it may be ahead of what the parent has ingested.
    Result<std::shared_ptr<Branch>> create_branch(const BranchId& id, const BranchId& parent, LogPosition start);

    // Whether delete_branch() would be refused just now.
    Result<void> check_deletable(const BranchId& id) const;
    // Its versions go too. The caller has ended its ingest. failed_precondition while it has children or
    // snapshots, or is the root.
    Result<void> delete_branch(const BranchId& id);

    // Gives back what deleted branches still take. Work for minutes at times; one caller works, others wait. `unavailable` when
    // `cancelled` (which may be null) becomes true. `corrupt` once for those whose files are damaged: they keep the space of none but
    // whom they share files with, and are tried again when the project is opened next.
    Result<void> finish_erasures(std::atomic<bool>* cancelled = nullptr);
    // What deleted branches still take in files.
    Result<std::uint64_t> deleted_bytes() const;

    RestoreWindow restore_window() const;
    // Durable on return. A longer one brings nothing back.
    Result<void> set_restore_window(const RestoreWindow& window);

    // Durable on return. Errors as for create_branch(); doing it again with the same place is no error.
    Result<void> create_snapshot(const SnapshotId& id, const BranchId& branch, LogPosition at);
    Result<void> delete_snapshot(const SnapshotId& id);
    std::vector<SnapshotRow> snapshots() const;

    // Raises the branches' cutoffs as far as the restore window lets, as of `now` (microseconds since 2000-01-01); those that moved,
    // which is durable on return.
    Result<std::vector<std::shared_ptr<Branch>>> advance_cutoffs(std::int64_t now);
    // Raises these branches' cutoffs, where they lie below; never above what is durable. None if they follow from `window` and it is
    // another one by now.
    Result<std::vector<std::shared_ptr<Branch>>> raise_cutoffs(const std::map<BranchNumber, Lsn>& wanted,
                                                               const std::optional<RestoreWindow>& window = std::nullopt);

    // Somebody holds the project, one of its branches or its store, `self` apart.
    static bool held_elsewhere(const std::shared_ptr<Project>& self);

private:
    Project(ProjectId id, std::shared_ptr<Store> store, ProjectRow row);
    Result<void> load_branches();
    Result<void> load_history();
    Result<void> load_erasures();
    // Under changing_: `at` on the branch is kept, and stays so once it is a child's beginning or a snapshot.
    Result<void> check_kept(const Branch& branch, LogPosition at) const;
    // Under changing_ and mutex_: tells the branch and the store what is kept with that cutoff.
    void publish_kept(Branch& branch, Lsn cutoff);
    bool has_children(const Branch& branch) const;
    std::vector<std::vector<BranchNumber>> stretches_to_erase() const;

    const ProjectId id_;
    const std::shared_ptr<Store> store_;
    const ProjectRow row_;

    // changing_ is held while a metadata change is made durable; mutex_ only for moments, so that lookups never wait for disk.
    std::mutex changing_;
    mutable std::mutex mutex_;
    std::map<BranchId, std::shared_ptr<Branch>> branches_;  // under mutex_
    RestoreWindow restore_window_;                          // under mutex_
    std::map<SnapshotId, SnapshotRow> snapshots_;           // under mutex_
    std::map<BranchNumber, std::multiset<Lsn>> children_;   // under mutex_: where each branch's children begin
    std::set<BranchNumber> erasing_;                        // under mutex_: deleted branches whose bytes are still in files
    std::set<BranchNumber> unerasable_;                     // under mutex_: deleted branches beside damage, left until the next opening
    std::mutex erasures_;                                   // held by the one who works on them
    BranchNumber next_number_;                              // under changing_
    // How far each branch had come when its cutoff was last asked for and could not rise by more ingest: under changing_.
    std::map<BranchNumber, Lsn> settled_;
};

}  // namespace bough::pageserver
