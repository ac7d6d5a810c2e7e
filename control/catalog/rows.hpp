// What control remembers of projects and branches, and its JSON form in the catalog.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "bough/lsn.hpp"

namespace bough::control {

// A row is written as `creating` before anything is made elsewhere and as `deleting` before anything is taken away, so that
// after a crash nothing is half there: the second is finished at the next start; so is a branch of the first if the pageserver has it, and
// all else of the first is undone.
enum class RowState { creating, ready, deleting };

// Who keeps the WAL of a project's branches, by name, and towards whom that is being changed. Each branch's safekeepers hold the
// configuration that is in force for it; this is what their launchers begin with and what branches are brought to.
struct Membership {
    std::vector<std::string> members;
    std::vector<std::string> next;  // empty when no change is under way
    bool settling = false;          // every branch is at `next`; from now on new ones begin there, too
    bool returning = false;         // the change was called off: branches are brought back to `members`
    bool operator==(const Membership&) const = default;
};

// How much history the project's branches keep: for as long as either says.
struct RestoreWindow {
    std::uint64_t seconds = 7 * 24 * 3600;
    std::uint64_t wal_bytes = 0;
    bool operator==(const RestoreWindow&) const = default;
};

struct ProjectRow {
    ProjectId id;
    std::string name;
    SystemId system_id;
    std::int64_t created_at_us = 0;  // since 1970
    RowState state = RowState::creating;
    BranchId default_branch;
    std::string database;        // of the owner
    std::string owner;           // role name
    std::string owner_password;  // the catalog's files have mode 0600 in a directory of 0700
    bool owner_made = false;     // the role exists in the root branch's cluster
    Membership safekeepers = {};
    RestoreWindow restore_window = {};
};

struct BranchRow {
    BranchId id;
    ProjectId project;
    std::string name;
    std::optional<BranchId> parent;
    Lsn lsn;       // where it leaves its parent (of a root: where its history begins)
    Lsn prev_lsn;  // start of the record that ends there
    std::int64_t created_at_us = 0;
    RowState state = RowState::creating;
    EndpointId endpoint;
    std::uint16_t port = 0;        // of its endpoint
    bool compute_wanted = false;   // the compute is to run: after a restart of the system it is started again
};

// A safekeeper that this system knows of.
struct SafekeeperRow {
    std::string name;
    std::string admin;    // address of its admin HTTP
    std::string wal;      // libpq conninfo of its WAL service
    std::string identity = {};  // of its data, as it was found first; empty: it has not been asked yet
    bool leaving = false; // it was removed or replaced somewhere: nothing new is given to it, and its name is not used again
    bool operator==(const SafekeeperRow&) const = default;
};

// What a safekeeper has to be told that did not answer.
struct ErrandRow {
    enum class Kind {
        rest,    // it left: it follows the branch no more
        remove,  // the branch was deleted: its WAL goes
    };
    std::string safekeeper;
    ProjectId project;
    BranchId branch;
    Kind kind = Kind::remove;
    bool operator==(const ErrandRow&) const = default;
};

// A place in a branch's history that stays, whatever the restore window.
struct SnapshotRow {
    SnapshotId id;
    ProjectId project;
    BranchId branch;
    std::string name;
    Lsn lsn;
    Lsn prev_lsn;  // start of the record that ends there
    std::int64_t created_at_us = 0;
    RowState state = RowState::creating;
};

boost::json::object to_json(const ProjectRow& row);
boost::json::object to_json(const SafekeeperRow& row);
boost::json::object to_json(const BranchRow& row);
boost::json::object to_json(const ErrandRow& row);
Result<ProjectRow> project_row(const boost::json::object& from);
Result<SafekeeperRow> safekeeper_row(const boost::json::object& from);
Result<BranchRow> branch_row(const boost::json::object& from);
Result<ErrandRow> errand_row(const boost::json::object& from);
boost::json::object to_json(const SnapshotRow& row);
Result<SnapshotRow> snapshot_row(const boost::json::object& from);

}  // namespace bough::control
