// The durable list of projects, branches and snapshots.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "control/catalog/rows.hpp"

namespace rocksdb {
class DB;
class WriteBatch;
}

namespace bough::control {

// Owns its RocksDB (log on: every change but put_later is fsynced before the call returns) and a copy of all rows in memory.
// Thread-safe. Rows are handed out as copies.
class Catalog {
public:
    // corrupt or failed_precondition (in use, another version) name the directory.
    static Result<std::unique_ptr<Catalog>> open(const std::filesystem::path& directory);
    ~Catalog();

    std::vector<ProjectRow> projects() const;
    // By id, or by name.
    Result<ProjectRow> project(const std::string& id_or_name) const;
    // already_exists when a project has that name.
    Result<void> add(const ProjectRow& row);
    // Changes the row as it is now, but for its safekeepers: whoever read it before may have an old one. `change` runs under the catalog's
    // lock, and its error leaves the row as it was. The row that came of it; not_found when there is none (any more).
    using ProjectChange = std::function<Result<void>(ProjectRow&)>;
    Result<ProjectRow> change(const ProjectId& id, const ProjectChange& change);
    Result<void> remove(const ProjectId& id);

    std::vector<BranchRow> branches() const;
    std::vector<BranchRow> branches(const ProjectId& project) const;
    Result<BranchRow> branch(const ProjectId& project, const std::string& id_or_name) const;
    // Adds a row whose `port` is the lowest one from `first_port` on that no other branch has and that is `free`; returns it with
    // that port. already_exists when a branch of the project has that name; failed_precondition when its parent is being deleted.
    using PortCheck = std::function<bool(std::uint16_t)>;
    Result<BranchRow> add(BranchRow row, std::uint16_t first_port, const PortCheck& free);
    // not_found, failed_precondition: the row was deleted meanwhile, or is being deleted and `row` would undo that.
    Result<void> put(const BranchRow& row);
    // The same, durable only with the next change or flush(): for what is found out again after a crash.
    Result<void> put_later(const BranchRow& row);
    // Turns the row into `deleting`, from which there is no way back. failed_precondition while it has children or
    // snapshots.
    Result<BranchRow> begin_deletion(const BranchRow& row);
    Result<void> remove(const BranchRow& row);

    std::vector<SafekeeperRow> safekeepers() const;
    // Adds or changes it.
    Result<void> put(const SafekeeperRow& row);
    // Changes only the project's safekeepers, and only from `before`: failed_precondition when they were changed meanwhile.
    Result<void> put(const ProjectId& project, const Membership& before, const Membership& after);

    std::vector<ErrandRow> errands() const;
    // One for a safekeeper and a branch: a removal takes the place of a rest, never the other way round.
    Result<void> put(const ErrandRow& row);
    // Just this one; nothing when there is another by now.
    Result<void> remove(const ErrandRow& row);

    std::vector<SnapshotRow> snapshots() const;
    std::vector<SnapshotRow> snapshots(const ProjectId& project) const;
    Result<SnapshotRow> snapshot(const ProjectId& project, const std::string& id_or_name) const;
    // already_exists when a snapshot of the project has that name; failed_precondition when its branch is being deleted.
    Result<void> add(const SnapshotRow& row);
    Result<void> put(const SnapshotRow& row);
    Result<void> remove(const SnapshotRow& row);

    // What was put for later is durable on return.
    Result<void> flush();

private:
    Catalog();
    Result<void> load();
    // Both under mutex_: the row is, or is no longer, among those that names and ports lead to.
    void index(const BranchRow& row);
    void unindex(const BranchRow& row);
    Result<void> write(const std::string& key, const std::string& value);
    Result<void> erase(const std::string& key);
    // A change begins with what put_later left, and what comes after it in the batch prevails.
    rocksdb::WriteBatch what_waits() const;
    Result<void> commit(rocksdb::WriteBatch& changes);
    Result<void> put(const BranchRow& row, bool later);

    std::unique_ptr<rocksdb::DB> db_;
    mutable std::mutex mutex_;
    // Guarded by mutex_.
    std::map<ProjectId, ProjectRow> projects_;
    std::map<std::pair<ProjectId, BranchId>, BranchRow> branches_;
    std::map<std::string, SafekeeperRow> safekeepers_;
    std::map<std::string, ErrandRow> errands_;  // by key
    std::map<std::pair<ProjectId, SnapshotId>, SnapshotRow> snapshots_;
    // So that one branch more costs the same whatever there are already.
    std::map<std::pair<ProjectId, std::string>, BranchId> branch_names_;
    // Of put_later, by key. Not written to the log without being synced: two records that become durable in either order could not
    // be told from damage (rocksdb_log/row_logs.hpp).
    std::map<std::string, std::string> later_;
    std::vector<bool> ports_taken_ = std::vector<bool>(65536);
};

}  // namespace bough::control
