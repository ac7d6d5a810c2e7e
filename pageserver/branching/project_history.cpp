// What Project does about history: cutoffs, snapshots, the restore window.
#include <algorithm>

#include "bough/check.hpp"
#include "pageserver/branching/postgres_time.hpp"
#include "pageserver/branching/project.hpp"
#include "pageserver/branching/time_index.hpp"

namespace bough::pageserver {

Result<void> Project::load_history() {
    BOUGH_ASSIGN(const auto window, store_->metadata(kRestoreWindowRowName));
    if (window) {
        BOUGH_ASSIGN(restore_window_, decode_restore_window(*window));
    }
    BOUGH_ASSIGN(const auto snapshot_rows, store_->metadata_with_prefix(kSnapshotRowPrefix));
    for (const auto& [name, bytes] : snapshot_rows) {
        BOUGH_ASSIGN(SnapshotId id,
                     SnapshotId::parse(std::string_view(name).substr(std::string_view(kSnapshotRowPrefix).size())));
        BOUGH_ASSIGN(SnapshotRow row, decode_snapshot_row(id, bytes));
        snapshots_.emplace(id, std::move(row));
    }
    BOUGH_ASSIGN(const auto cutoff_rows, store_->metadata_with_prefix(kCutoffRowPrefix));
    for (const auto& [id, branch] : branches_) {
        const auto row = cutoff_rows.find(kCutoffRowPrefix + std::to_string(branch->number().value));
        if (row == cutoff_rows.end()) continue;
        BOUGH_ASSIGN(const Lsn cutoff, decode_cutoff(row->second));
        if (cutoff < branch->row().start.lsn)
            return Error{ErrorCode::corrupt, "the cutoff of branch \"" + id.str() + "\" lies before its beginning", {}};
        // What is durable is what a crash leaves at least, and a cutoff is never raised above that.
        if (cutoff > branch->ingest_lsn())
            return Error{ErrorCode::corrupt,
                         "the cutoff of branch \"" + id.str() + "\", " + cutoff.to_string() + ", lies above what was ingested, " +
                             branch->ingest_lsn().to_string(),
                         "versions or metadata rows of the project were lost; put its directory back from a copy"};
        publish_kept(*branch, cutoff);
    }
    return {};
}

Result<void> Project::check_kept(const Branch& branch, LogPosition at) const {
    if (at.prev_lsn >= at.lsn)
        return Error{ErrorCode::invalid_argument, "the last record must begin before it ends",
                     "prev_lsn is the start of the record that ends at lsn"};
    if (branch.keeps(at.lsn)) return {};
    return before_the_window(branch, at.lsn.to_string());
}

void Project::publish_kept(Branch& branch, Lsn cutoff) {
    std::vector<Lsn> points;
    if (const auto children = children_.find(branch.number()); children != children_.end())
        points.assign(children->second.begin(), children->second.lower_bound(cutoff));
    for (const auto& [id, snapshot] : snapshots_)
        if (snapshot.branch == branch.number()) points.push_back(snapshot.at.lsn);
    auto kept = std::make_shared<const KeptPoints>(cutoff, std::move(points));
    branch.publish_kept(kept);
    store_->histories().set_kept(branch.number(), std::move(kept));
}

RestoreWindow Project::restore_window() const {
    const std::lock_guard lock(mutex_);
    return restore_window_;
}

Result<void> Project::set_restore_window(const RestoreWindow& window) {
    if (window.time.count() < 0) return Error{ErrorCode::invalid_argument, "a restore window cannot be negative", {}};
    const std::lock_guard changing(changing_);
    if (restore_window() == window) return {};
    BOUGH_TRY(store_->change_metadata({{kRestoreWindowRowName, encode_restore_window(window)}}));
    settled_.clear();
    const std::lock_guard lock(mutex_);
    restore_window_ = window;
    return {};
}

Result<void> Project::create_snapshot(const SnapshotId& id, const BranchId& branch_id, LogPosition at) {
    const std::lock_guard changing(changing_);
    BOUGH_ASSIGN(const std::shared_ptr<Branch> owner, branch(branch_id));
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = snapshots_.find(id); found != snapshots_.end()) {
            if (found->second.branch == owner->number() && found->second.at == at) return {};
            return Error{ErrorCode::already_exists, "snapshot \"" + id.str() + "\" already exists", {}};
        }
    }
    if (at.lsn < owner->row().start.lsn)
        return Error{ErrorCode::out_of_range, at.lsn.to_string() + " lies before branch \"" + branch_id.str() + "\" began",
                     "it began at " + owner->row().start.lsn.to_string()};
    BOUGH_TRY(check_kept(*owner, at));
    SnapshotRow row{id, owner->number(), at, now_in_postgres_time()};
    BOUGH_TRY(store_->change_metadata({{kSnapshotRowPrefix + id.str(), encode_snapshot_row(row)}}));
    const std::lock_guard lock(mutex_);
    snapshots_.emplace(id, std::move(row));
    // Nothing to publish: it lies above the cutoff, or where something else pins history already.
    return {};
}

Result<void> Project::delete_snapshot(const SnapshotId& id) {
    const std::lock_guard changing(changing_);
    BranchNumber number;
    {
        const std::lock_guard lock(mutex_);
        const auto found = snapshots_.find(id);
        if (found == snapshots_.end()) return Error{ErrorCode::not_found, "no snapshot \"" + id.str() + "\"", {}};
        number = found->second.branch;
    }
    BOUGH_TRY(store_->change_metadata({{kSnapshotRowPrefix + id.str(), std::nullopt}}));
    const std::lock_guard lock(mutex_);
    snapshots_.erase(id);
    for (const auto& [branch_id, branch] : branches_)
        if (branch->number() == number) publish_kept(*branch, branch->cutoff());
    return {};
}

std::vector<SnapshotRow> Project::snapshots() const {
    const std::lock_guard lock(mutex_);
    std::vector<SnapshotRow> all;
    for (const auto& [id, row] : snapshots_) all.push_back(row);
    return all;
}

Result<std::vector<std::shared_ptr<Branch>>> Project::advance_cutoffs(std::int64_t now) {
    const RestoreWindow window = restore_window();
    std::map<BranchNumber, Lsn> settled;
    {
        const std::lock_guard changing(changing_);
        settled = settled_;
    }
    std::map<BranchNumber, Lsn> wanted;
    std::map<BranchNumber, Lsn> settling;
    for (const auto& branch : branches()) {
        const Lsn end = branch->ingest_lsn();
        if (end == branch->row().start.lsn) continue;
        // All of it lies behind the window already, and nothing came since: most branches, most of the time.
        if (const auto found = settled.find(branch->number()); found != settled.end() && found->second == end) continue;
        BOUGH_ASSIGN(const Lsn cutoff, cutoff_for(*branch, window, now));
        if (cutoff > branch->cutoff()) wanted.emplace(branch->number(), cutoff);
        BOUGH_ASSIGN(const auto last, last_commit_by(*branch, std::numeric_limits<std::int64_t>::max()));
        if (window.bytes == 0 && cutoff == last.value_or(branch->row().start.lsn)) settling.emplace(branch->number(), end);
    }
    auto raised = raise_cutoffs(wanted, window);
    if (!raised) return raised;
    const std::lock_guard changing(changing_);
    if (restore_window() != window) return raised;
    for (const auto& [number, end] : settling) settled_[number] = end;
    return raised;
}

Result<std::vector<std::shared_ptr<Branch>>> Project::raise_cutoffs(const std::map<BranchNumber, Lsn>& wanted,
                                                                    const std::optional<RestoreWindow>& window) {
    std::vector<std::shared_ptr<Branch>> raised;
    if (wanted.empty()) return raised;
    // Branches and snapshots are made under the same lock: each finds the cutoff of before, and is counted among the points from here
    // on, or the one recorded here, and may be refused.
    const std::lock_guard changing(changing_);
    if (window && *window != restore_window()) return raised;
    Store::MetadataChanges rows;
    std::map<BranchNumber, Lsn> cutoffs;
    for (const auto& branch : branches()) {
        const auto found = wanted.find(branch->number());
        if (found == wanted.end()) continue;
        // What is durable may be ahead of what can be read yet, and the other way round.
        const Lsn most = std::min(store_->durable_lsn(branch->number()), branch->ingest_lsn());
        const Lsn cutoff = std::min(found->second, most);
        if (cutoff <= branch->cutoff()) continue;
        rows.emplace(kCutoffRowPrefix + std::to_string(branch->number().value), encode_cutoff(cutoff));
        cutoffs.emplace(branch->number(), cutoff);
        raised.push_back(branch);
    }
    if (raised.empty()) return raised;
    BOUGH_TRY(store_->change_metadata(rows));
    const std::lock_guard lock(mutex_);
    for (const auto& branch : raised) publish_kept(*branch, cutoffs.at(branch->number()));
    return raised;
}

bool Project::held_elsewhere(const std::shared_ptr<Project>& self) {
    if (self.use_count() != 1) return true;
    const std::lock_guard lock(self->mutex_);
    for (const auto& [id, branch] : self->branches_) {
        const auto children = self->children_.find(branch->number());
        const std::size_t own = 1 + (children != self->children_.end() ? children->second.size() : 0);
        if (static_cast<std::size_t>(branch.use_count()) != own) return true;
    }
    return static_cast<std::size_t>(self->store_.use_count()) != 1 + self->branches_.size();
}

}  // namespace bough::pageserver
