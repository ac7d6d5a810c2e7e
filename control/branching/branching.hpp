// Creates and deletes projects and branches: all of it or nothing, whatever dies on the way.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "control/catalog/catalog.hpp"
#include "control/computes/computes.hpp"
#include "control/storage/errands.hpp"
#include "control/storage/ingest_catchup.hpp"
#include "control/storage/pageserver_client.hpp"
#include "control/storage/safekeepers.hpp"

namespace bough::control {

struct NewProject {
    std::string name;
    std::string database = "app";
    std::string owner = "app";
    RestoreWindow restore_window;
};

// Where a branch leaves its parent: at an LSN, just after the last commit at or before a time, where a snapshot is, or (none of
// these) at the tip.
struct BranchPoint {
    std::optional<Lsn> lsn;
    std::optional<std::int64_t> time_us;
    std::optional<Position> snapshot;
};

// Thread-safe.
class Branching {
public:
    // Before requests are served: every row that is not ready then is a leftover.
    Branching(Catalog& catalog, PageserverClient& pageserver, Safekeepers& safekeepers, Errands& errands, IngestCatchup& catchup,
              Computes& computes, std::uint16_t first_sql_port);

    // Undoes what was left half created and finishes what was left half deleted: by a crash, or because a storage daemon was away. To be
    // called again and again. One caller.
    void recover();

    Result<ProjectRow> create_project(const NewProject& wanted);
    Result<void> delete_project(const std::string& id_or_name);
    // What falls out of a shorter one is gone for good, soon.
    Result<ProjectRow> set_restore_window(const ProjectRow& project, const RestoreWindow& window);

    // The branch as it is now. One that was `creating` when the last process ended may have been acknowledged: the pageserver is asked
    // whether it is there. not_found when it is not; the pageserver's error when that cannot be said.
    Result<BranchRow> settled(const BranchRow& branch);

    // The tip contains every commit acknowledged before the call.
    Result<BranchRow> create_branch(const ProjectRow& project, const std::string& name, const BranchRow& parent,
                                    BranchPoint point);
    // failed_precondition for a root and for a branch with children or snapshots.
    Result<void> delete_branch(const BranchRow& branch);

    // What the branch holds there stays readable until the snapshot is deleted.
    Result<SnapshotRow> create_snapshot(const ProjectRow& project, const std::string& name, const BranchRow& branch,
                                        BranchPoint point);
    Result<void> delete_snapshot(const SnapshotRow& snapshot);

private:
    Result<Position> resolve(const BranchRow& parent, BranchPoint point);
    Result<Position> in_dropped_wal(const BranchRow& parent, Lsn lsn);
    Result<Tip> tip_of(const BranchRow& branch);
    Result<void> erase_branch(const BranchRow& branch, bool in_pageserver);
    Result<void> erase_project(const ProjectRow& project);
    // By this process, just now.
    bool being_made(const BranchRow& branch);
    // Of a leftover: success when nothing is left to do.
    Result<void> finish(const BranchRow& leftover);
    Result<void> erase_snapshot(const SnapshotRow& snapshot);
    template <class Row>
    using ById = std::map<decltype(Row::id), Row>;
    struct ToErase {
        ById<ProjectRow> projects;
        ById<BranchRow> branches;
        ById<SnapshotRow> snapshots;
    };
    // It could not be erased for the reason that is returned, with the hint that it will be: recover() goes on.
    template <class Row>
    Error erase_later(ById<Row> ToErase::*rows, const Row& row, const Error& why);
    // A place in the branch's history that a row knows: safekeepers may have forgotten it.
    std::optional<Position> known_position(const BranchRow& branch, Lsn lsn) const;

    Catalog& catalog_;
    PageserverClient& pageserver_;
    Safekeepers& safekeepers_;
    Errands& errands_;
    IngestCatchup& catchup_;
    Computes& computes_;
    std::uint16_t first_sql_port_;
    std::mutex restore_windows_;  // held while one is changed in catalog and pageserver
    std::mutex to_erase_mutex_;
    ToErase to_erase_;  // under it
    std::mutex unsettled_mutex_;
    // Under it: those that were `creating` when the last process ended. Others are being created by this one.
    std::set<BranchId> unsettled_;
};

}  // namespace bough::control
