#include "control/branching/branching.hpp"

#include <utility>

#include <spdlog/spdlog.h>

#include "base/timestamp.hpp"
#include "control/branching/dropped_wal.hpp"
#include "control/branching/names.hpp"
#include "control/computes/sql_port.hpp"

namespace bough::control {
namespace {

constexpr const char* kRootName = "main";
constexpr auto kTipTimeout = std::chrono::seconds(10);
constexpr auto kHistoryTimeout = std::chrono::seconds(120);

// A role or database name that needs no quoting anywhere, in URLs either.
Result<void> check_sql_name(const std::string& name, const std::string& what) {
    bool good =
        !name.empty() && name.size() <= 63 && ((name[0] >= 'a' && name[0] <= 'z') || name[0] == '_') && !name.starts_with("pg_");
    for (char c : name) good = good && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_');
    if (good && name != "postgres" && name != "template0" && name != "template1") return {};
    return Error{ErrorCode::invalid_argument, "invalid " + what + " name \"" + name.substr(0, 80) + "\"",
                 "use 1 to 63 of a-z, 0-9 and '_', not beginning with a digit or \"pg_\""};
}

bool sql_port_is_free(std::uint16_t port) { return check_sql_port(port).has_value(); }

bool gone(const Error& error) { return error.code == ErrorCode::not_found; }
bool gone(const Result<void>& result) { return result || gone(result.error()); }

std::string label(const ProjectRow& row) { return "project " + row.id.str() + " (" + row.name + ")"; }
std::string label(const BranchRow& row) {
    return "project " + row.project.str() + " branch " + row.id.str() + " (" + row.name + ")";
}
std::string label(const SnapshotRow& row) {
    return "project " + row.project.str() + " snapshot " + row.id.str() + " (" + row.name + ")";
}

}  // namespace

template <class Row>
Error Branching::erase_later(ById<Row> ToErase::*rows, const Row& row, const Error& why) {
    spdlog::warn("{}: could not be erased, which is tried again: {}", label(row), why.message);
    const std::lock_guard lock(to_erase_mutex_);
    (to_erase_.*rows).insert_or_assign(row.id, row);
    return {why.code, why.message, "it is tried again until it can be deleted"};
}

Result<ProjectRow> Branching::create_project(const NewProject& wanted) {
    BOUGH_TRY(check_name(wanted.name, "project"));
    BOUGH_TRY(check_sql_name(wanted.database, "database"));
    BOUGH_TRY(check_sql_name(wanted.owner, "role"));
    ProjectRow project{new_project_id(),
                       wanted.name,
                       new_system_id(),
                       now_us(),
                       RowState::creating,
                       new_branch_id(),
                       wanted.database,
                       wanted.owner,
                       new_password(),
                       false,
                       {safekeepers_.for_new_project(), {}, false, false},
                       wanted.restore_window};
    if (project.safekeepers.members.empty())
        return Error{ErrorCode::failed_precondition, "there is no safekeeper for a new project: all known ones are leaving",
                     "name another with --safekeeper"};
    BOUGH_TRY(catalog_.add(project));
    auto undo = [&](const Error& error) {
        if (auto undone = erase_project(project); !undone) erase_later(&ToErase::projects, project, undone.error());
        return error;
    };
    auto start = pageserver_.create_project(project.id, project.default_branch, project.system_id);
    if (!start) return undo(start.error());
    if (auto told = pageserver_.set_restore_window(project.id, project.restore_window.seconds, project.restore_window.wal_bytes);
        !told)
        return undo(told.error());
    BranchRow root{
        project.default_branch, project.id,        kRootName, std::nullopt, start->lsn, start->prev_lsn, project.created_at_us,
        RowState::ready,        new_endpoint_id(), 0,         false};
    auto added = catalog_.add(root, first_sql_port_, sql_port_is_free);
    if (!added) return undo(added.error());
    BOUGH_ASSIGN(project, catalog_.change(project.id, [](ProjectRow& row) -> Result<void> {
        if (row.state != RowState::creating)
            return Error{ErrorCode::failed_precondition, "project \"" + row.name + "\" is being deleted", {}};
        row.state = RowState::ready;
        return {};
    }));
    spdlog::info("project {} ({}): created, history begins at {}", project.id.str(), project.name, start->lsn.to_string());
    return project;
}

Result<void> Branching::delete_project(const std::string& id_or_name) {
    BOUGH_ASSIGN(auto project, catalog_.project(id_or_name));
    BOUGH_ASSIGN(project, catalog_.change(project.id, [](ProjectRow& row) -> Result<void> {
        row.state = RowState::deleting;
        return {};
    }));
    if (auto erased = erase_project(project); !erased) return erase_later(&ToErase::projects, project, erased.error());
    spdlog::info("project {} ({}): deleted", project.id.str(), project.name);
    return {};
}

Result<void> Branching::erase_project(const ProjectRow& project) {
    for (auto branch : catalog_.branches(project.id)) {
        branch.state = RowState::deleting;  // no compute is started from here on
        auto stopped = catalog_.put(branch);
        if (stopped) stopped = computes_.stop(branch);
        if (!gone(stopped)) return stopped;  // gone: one that a former process had not finished was not there
    }
    auto deleted = pageserver_.delete_project(project.id);
    if (!gone(deleted)) return deleted;
    for (const auto& snapshot : catalog_.snapshots(project.id)) BOUGH_TRY(catalog_.remove(snapshot));
    for (const auto& branch : catalog_.branches(project.id)) BOUGH_TRY(erase_branch(branch, false));
    return catalog_.remove(project.id);
}

Result<ProjectRow> Branching::set_restore_window(const ProjectRow& project, const RestoreWindow& window) {
    // One after another, or catalog and pageserver could be left with different ones.
    const std::lock_guard lock(restore_windows_);
    const auto ready = [](const ProjectRow& row) -> Result<void> {
        if (row.state == RowState::ready) return {};
        return Error{ErrorCode::failed_precondition, "project \"" + row.name + "\" is not ready", {}};
    };
    BOUGH_ASSIGN(auto row, catalog_.project(project.id.str()));
    BOUGH_TRY(ready(row));
    BOUGH_TRY(pageserver_.set_restore_window(row.id, window.seconds, window.wal_bytes));
    BOUGH_ASSIGN(row, catalog_.change(row.id, [&](ProjectRow& now) -> Result<void> {
        BOUGH_TRY(ready(now));
        now.restore_window = window;
        return {};
    }));
    spdlog::info("project {} ({}): keeps {} seconds of history", row.id.str(), row.name, window.seconds);
    return row;
}

std::optional<Position> Branching::known_position(const BranchRow& branch, Lsn lsn) const {
    for (const auto& snapshot : catalog_.snapshots(branch.project))
        if (snapshot.branch == branch.id && snapshot.lsn == lsn) return Position{snapshot.lsn, snapshot.prev_lsn};
    for (const auto& child : catalog_.branches(branch.project))
        if (child.parent == branch.id && child.lsn == lsn) return Position{child.lsn, child.prev_lsn};
    return std::nullopt;
}

Result<Tip> Branching::tip_of(const BranchRow& branch) {
    BOUGH_ASSIGN(auto quorum, safekeepers_.of(branch.project));
    BOUGH_ASSIGN(auto tip, quorum.tip(branch.project, branch.id));
    if (tip.none) tip.end = {branch.lsn, branch.prev_lsn};
    if (!tip.committed) {
        // It may be known to a minority only. What a majority comes to have, the pageserver comes to have.
        auto waited = pageserver_.wait(branch.project, branch.id, tip.end.lsn, kTipTimeout);
        if (!waited) {
            return Error{ErrorCode::unavailable,
                         "the end of branch \"" + branch.name + "\" is not settled: " + waited.error().message,
                         "a safekeeper is away; start the branch's compute, or try again"};
        }
    }
    return tip;
}

Result<Position> Branching::resolve(const BranchRow& parent, BranchPoint point) {
    if (point.time_us && *point.time_us > now_us()) {
        return Error{ErrorCode::out_of_range, "the time " + timestamp_text(*point.time_us) + " is in the future",
                     "it is " + timestamp_text(now_us()) + " now; leave the time out for the present"};
    }
    if (point.snapshot) return *point.snapshot;
    BOUGH_ASSIGN(auto tip, tip_of(parent));
    if (point.time_us) {
        BOUGH_TRY(catchup_.up_to(parent, tip.end.lsn, kHistoryTimeout));
        BOUGH_ASSIGN(auto position, pageserver_.position_at_time(parent.project, parent.id, *point.time_us));
        // Ingest may have gone on since: what is later than the tip asked for is later than the request.
        return position.lsn > tip.end.lsn ? tip.end : position;
    }
    if (!point.lsn || *point.lsn == tip.end.lsn) return tip.end;
    if (*point.lsn > tip.end.lsn) {
        return Error{ErrorCode::out_of_range,
                     "LSN " + point.lsn->to_string() + " is in the future of branch \"" + parent.name + "\"",
                     "its log ends at " + tip.end.lsn.to_string()};
    }
    if (*point.lsn < parent.lsn) {
        return Error{ErrorCode::out_of_range, "LSN " + point.lsn->to_string() + " is before branch \"" + parent.name + "\" began",
                     "it began at " + parent.lsn.to_string() + (parent.parent ? "; branch from its parent instead" : "")};
    }
    if (*point.lsn == parent.lsn) return Position{parent.lsn, parent.prev_lsn};
    if (auto known = known_position(parent, *point.lsn)) return *known;
    // Any byte position is welcome: the branch leaves at the end of the last record that is whole there. Only logs of the newest
    // term are asked: what an older one has at its end may never have been committed.
    BOUGH_ASSIGN(auto quorum, safekeepers_.of(parent.project));
    BOUGH_ASSIGN(auto newest, quorum.newest_logs(parent.project, parent.id));
    Error last{ErrorCode::unavailable, "no safekeeper answers", {}};
    for (auto* member : newest.members) {
        auto boundary = member->boundary(parent.project, parent.id, *point.lsn);
        if (boundary) return boundary->lsn < parent.lsn ? Position{parent.lsn, parent.prev_lsn} : *boundary;
        last = boundary.error();
    }
    if (last.code == ErrorCode::out_of_range) return in_dropped_wal(parent, *point.lsn);
    return last;
}

// The WAL there was dropped because the pageserver has it durably: it knows every state up to there.
Result<Position> Branching::in_dropped_wal(const BranchRow& parent, Lsn lsn) {
    BOUGH_ASSIGN(auto known, pageserver_.branch(parent.project, parent.id));
    if (lsn > known.durable_lsn) {
        return Error{ErrorCode::unavailable,
                     "no safekeeper has the WAL of branch \"" + parent.name + "\" at " + lsn.to_string() + " now",
                     "a safekeeper is catching up; try again"};
    }
    auto place = last_place_for_an_end(lsn, kWalSegmentBytes);
    if (place <= parent.lsn) return Position{parent.lsn, parent.prev_lsn};
    // Where the record before it began nobody knows any more. Any earlier record will do: all that is asked of it is that it is earlier.
    return Position{place, parent.prev_lsn};
}

Result<BranchRow> Branching::create_branch(const ProjectRow& project, const std::string& name, const BranchRow& parent,
                                           BranchPoint point) {
    BOUGH_TRY(check_name(name, "branch"));
    if (project.state != RowState::ready)
        return Error{ErrorCode::failed_precondition, "project \"" + project.name + "\" is not ready", {}};
    if (parent.state != RowState::ready)
        return Error{ErrorCode::failed_precondition, "branch \"" + parent.name + "\" is not ready", {}};
    if (auto other = catalog_.branch(project.id, name); other && other->name == name)
        return Error{ErrorCode::already_exists, "branch \"" + name + "\" already exists", "choose another name"};
    BOUGH_ASSIGN(auto position, resolve(parent, point));
    BranchRow row{new_branch_id(),    project.id,        name, parent.id, position.lsn, position.prev_lsn, now_us(),
                  RowState::creating, new_endpoint_id(), 0,    false};
    BOUGH_ASSIGN(auto branch, catalog_.add(row, first_sql_port_, sql_port_is_free));
    auto created = pageserver_.create_branch(project.id, branch.id, parent.id, position);
    if (!created) {
        // Says so before it is undone: one that is `creating` when the process ends may be finished by the next.
        const auto deleting = catalog_.begin_deletion(branch);
        branch.state = RowState::deleting;
        const auto undone = deleting ? erase_branch(branch, true) : Result<void>(deleting.error());
        if (!undone) erase_later(&ToErase::branches, branch, undone.error());
        return created.error();
    }
    branch.state = RowState::ready;
    BOUGH_TRY(catalog_.put_later(branch));
    spdlog::info("project {} branch {} ({}): created from {} at {}", project.id.str(), branch.name, branch.id.str(), parent.name,
                 branch.lsn.to_string());
    return branch;
}

Result<void> Branching::delete_branch(const BranchRow& branch) {
    if (!branch.parent) {
        return Error{ErrorCode::failed_precondition, "branch \"" + branch.name + "\" is the root of its project",
                     "delete the project instead"};
    }
    if (being_made(branch)) {
        return Error{ErrorCode::failed_precondition, "branch \"" + branch.name + "\" is still being made", "try again when it is there"};
    }
    // First of all, under the catalog's lock: from here on no child is made and no compute is started. One that is starting is
    // waited for by stop().
    BOUGH_ASSIGN(auto row, catalog_.begin_deletion(branch));
    auto erased = computes_.stop(row);
    if (erased) erased = erase_branch(row, true);
    if (!erased) return erase_later(&ToErase::branches, row, erased.error());
    spdlog::info("project {} branch {} ({}): deleted", row.project.str(), row.name, row.id.str());
    return {};
}

Result<SnapshotRow> Branching::create_snapshot(const ProjectRow& project, const std::string& name, const BranchRow& branch,
                                               BranchPoint point) {
    BOUGH_TRY(check_name(name, "snapshot"));
    if (branch.state != RowState::ready)
        return Error{ErrorCode::failed_precondition, "branch \"" + branch.name + "\" is not ready", {}};
    if (catalog_.snapshot(project.id, name))
        return Error{ErrorCode::already_exists, "snapshot \"" + name + "\" already exists", "choose another name"};
    BOUGH_ASSIGN(auto at, resolve(branch, point));
    SnapshotRow row{new_snapshot_id(), project.id, branch.id, name, at.lsn, at.prev_lsn, now_us(), RowState::creating};
    BOUGH_TRY(catalog_.add(row));
    auto created = pageserver_.create_snapshot(project.id, row.id, branch.id, at);
    if (!created) {
        if (auto undone = erase_snapshot(row); !undone) erase_later(&ToErase::snapshots, row, undone.error());
        return created.error();
    }
    row.state = RowState::ready;
    BOUGH_TRY(catalog_.put(row));
    spdlog::info("project {} branch {}: snapshot {} ({}) at {}", project.id.str(), branch.name, row.name, row.id.str(),
                 row.lsn.to_string());
    return row;
}

Result<void> Branching::delete_snapshot(const SnapshotRow& snapshot) {
    if (snapshot.state == RowState::ready) {
        auto row = snapshot;
        row.state = RowState::deleting;
        BOUGH_TRY(catalog_.put(row));
    }
    if (auto erased = erase_snapshot(snapshot); !erased) return erase_later(&ToErase::snapshots, snapshot, erased.error());
    return {};
}

Result<void> Branching::erase_snapshot(const SnapshotRow& snapshot) {
    auto deleted = pageserver_.delete_snapshot(snapshot.project, snapshot.id);
    if (!gone(deleted)) return deleted;
    return catalog_.remove(snapshot);
}

Result<BranchRow> Branching::settled(const BranchRow& branch) {
    BOUGH_ASSIGN(auto row, catalog_.branch(branch.project, branch.id.str()));
    if (row.state != RowState::creating) return row;
    // Held until the row is written: nobody changes what another has settled meanwhile.
    const std::lock_guard lock(unsettled_mutex_);
    BOUGH_ASSIGN(row, catalog_.branch(branch.project, branch.id.str()));
    if (row.state != RowState::creating || !unsettled_.contains(row.id)) return row;
    if (const auto created = pageserver_.branch(row.project, row.id); !created) {
        if (gone(created.error())) {
            BOUGH_TRY(erase_branch(row, true));
            unsettled_.erase(row.id);
        }
        return created.error().within("branch \"" + row.name + "\"");
    }
    row.state = RowState::ready;
    BOUGH_TRY(catalog_.put(row));
    unsettled_.erase(row.id);
    spdlog::info("{}: was created before this process", label(row));
    return row;
}

bool Branching::being_made(const BranchRow& branch) {
    const auto row = catalog_.branch(branch.project, branch.id.str());
    if (!row || row->state != RowState::creating) return false;
    const std::lock_guard lock(unsettled_mutex_);
    return !unsettled_.contains(row->id);
}

Result<void> Branching::finish(const BranchRow& leftover) {
    const auto row = catalog_.branch(leftover.project, leftover.id.str());
    if (!row) return {};
    if (leftover.state == RowState::deleting) return erase_branch(*row, true);
    // Whoever began to delete it meanwhile sees that through.
    if (row->state != RowState::creating) return {};
    const auto now = settled(*row);
    return now || gone(now.error()) ? Result<void>{} : now.error();
}

Result<void> Branching::erase_branch(const BranchRow& branch, bool in_pageserver) {
    if (in_pageserver) {
        auto deleted = pageserver_.delete_branch(branch.project, branch.id);
        if (!gone(deleted)) return deleted;
    }
    BOUGH_ASSIGN(auto quorum, safekeepers_.of(branch.project));
    for (const auto& member : quorum.members()) {
        auto deleted = member->delete_branch(branch.project, branch.id);
        if (gone(deleted)) continue;
        // One that is away must not keep the branch; it hears of it later.
        const auto& name = member->address().name;
        spdlog::warn("branch {}: safekeeper {}: {}; it will be told again", branch.id.str(), name, deleted.error().message);
        BOUGH_TRY(errands_.add({name, branch.project, branch.id, ErrandRow::Kind::remove}));
    }
    // Nor has one that left and was not told of that to follow it any more.
    for (auto errand : catalog_.errands()) {
        if (errand.project != branch.project || errand.branch != branch.id) continue;
        errand.kind = ErrandRow::Kind::remove;
        BOUGH_TRY(errands_.add(errand));
    }
    computes_.forget(branch);
    return catalog_.remove(branch);
}

Branching::Branching(Catalog& catalog, PageserverClient& pageserver, Safekeepers& safekeepers, Errands& errands,
                     IngestCatchup& catchup, Computes& computes, std::uint16_t first_sql_port)
    : catalog_(catalog),
      pageserver_(pageserver),
      safekeepers_(safekeepers),
      errands_(errands),
      catchup_(catchup),
      computes_(computes),
      first_sql_port_(first_sql_port) {
    for (const auto& branch : catalog_.branches()) {
        if (branch.state != RowState::ready) to_erase_.branches.emplace(branch.id, branch);
        if (branch.state == RowState::creating) unsettled_.insert(branch.id);
    }
    for (const auto& project : catalog_.projects())
        if (project.state != RowState::ready) to_erase_.projects.emplace(project.id, project);
    for (const auto& snapshot : catalog_.snapshots())
        if (snapshot.state != RowState::ready) to_erase_.snapshots.emplace(snapshot.id, snapshot);
}

void Branching::recover() {
    ToErase rest;
    {
        const std::lock_guard lock(to_erase_mutex_);
        rest = std::exchange(to_erase_, {});
    }
    // One that fails waits for the next call and does not keep the others waiting.
    const auto finished = [](const auto& row, const Result<void>& erased) {
        if (erased)
            spdlog::info("{}: finished what was interrupted", label(row));
        else
            spdlog::debug("{}: cannot finish what was interrupted yet: {}", label(row), erased.error().message);
        return erased.has_value();
    };
    std::erase_if(rest.snapshots, [&](const auto& entry) {
        const SnapshotRow& row = entry.second;
        return !catalog_.snapshot(row.project, row.id.str()) || finished(row, erase_snapshot(row));
    });
    std::erase_if(rest.branches, [&](const auto& entry) {
        return finished(entry.second, finish(entry.second));
    });
    std::erase_if(rest.projects, [&](const auto& entry) {
        const ProjectRow& row = entry.second;
        return !catalog_.project(row.id.str()) || finished(row, erase_project(row));
    });
    const std::lock_guard lock(to_erase_mutex_);
    to_erase_.snapshots.merge(rest.snapshots);
    to_erase_.branches.merge(rest.branches);
    to_erase_.projects.merge(rest.projects);
}

}  // namespace bough::control
