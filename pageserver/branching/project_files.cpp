#include "pageserver/branching/project_files.hpp"

#include <algorithm>
#include <charconv>

#include "pageserver/branching/project.hpp"
#include "pageserver/branching/project_row.hpp"

namespace bough::pageserver {
namespace {

Error wrong(const std::string& row, const std::string& what) {
    return Error{ErrorCode::corrupt, "metadata row \"" + row + "\": " + what, {}};
}

// The rows of a project, taken apart one after another.
class Rows {
public:
    Result<void> add(const std::string& name, const std::string& bytes) {
        const auto known = [&](const auto& decoded) -> Result<void> {
            if (!decoded) return decoded.error().within("metadata row \"" + name + "\"");
            return {};
        };
        if (name == kProjectRowName) {
            has_project_ = true;
            return known(decode_project_row(bytes));
        }
        if (name == kRestoreWindowRowName) return known(decode_restore_window(bytes));
        if (name == kNextBranchRowName) {
            const auto next = decode_branch_number(bytes);
            if (next) next_ = *next;
            return known(next);
        }
        if (const auto id = after(name, kBranchRowPrefix)) {
            auto branch = BranchId::parse(*id);
            if (!branch) return wrong(name, branch.error().message);
            auto row = decode_branch_row(std::move(*branch), bytes);
            if (!row) return known(row);
            const BranchNumber number = row->number;
            if (!branches_.emplace(number, std::move(*row)).second) return wrong(name, "another branch has its number");
            return {};
        }
        if (const auto id = after(name, kSnapshotRowPrefix)) {
            auto snapshot = SnapshotId::parse(*id);
            if (!snapshot) return wrong(name, snapshot.error().message);
            const auto row = decode_snapshot_row(std::move(*snapshot), bytes);
            if (row) snapshots_.push_back(*row);
            return known(row);
        }
        if (const auto number = after(name, kCutoffRowPrefix)) {
            std::uint32_t value = 0;
            const auto [end, failed] = std::from_chars(number->data(), number->data() + number->size(), value);
            if (failed != std::errc{} || end != number->data() + number->size()) return wrong(name, "it names no branch");
            const auto cutoff = decode_cutoff(bytes);
            if (cutoff) cutoffs_.emplace(BranchNumber{value}, *cutoff);
            return known(cutoff);
        }
        if (after(name, kErasingRowPrefix)) return known(decode_branch_number(bytes));
        return wrong(name, "its kind is not known");
    }

    Result<void> agree() const {
        if (!has_project_) return Error{ErrorCode::corrupt, "there is no project row", {}};
        if (!next_) return Error{ErrorCode::corrupt, "no row says the next branch's number", {}};
        for (const auto& [number, row] : branches_) {
            const std::string name = kBranchRowPrefix + row.id.str();
            if (number >= *next_) return wrong(name, "its number is yet to be given");
            if (!row.parent) continue;
            const auto parent = branches_.find(*row.parent);
            if (parent == branches_.end()) return wrong(name, "its parent is not there");
            if (*row.parent >= number) return wrong(name, "it is older than its parent");
            if (row.start.lsn < parent->second.start.lsn) return wrong(name, "it begins before its parent");
        }
        for (const auto& [number, cutoff] : cutoffs_) {
            const std::string name = kCutoffRowPrefix + std::to_string(number.value);
            const auto branch = branches_.find(number);
            if (branch == branches_.end()) return wrong(name, "its branch is not there");
            if (cutoff < branch->second.start.lsn) return wrong(name, "it lies before its branch began");
        }
        for (const SnapshotRow& snapshot : snapshots_) {
            const std::string name = kSnapshotRowPrefix + snapshot.id.str();
            const auto branch = branches_.find(snapshot.branch);
            if (branch == branches_.end()) return wrong(name, "its branch is not there");
            if (snapshot.at.lsn < branch->second.start.lsn) return wrong(name, "it lies before its branch began");
        }
        return {};
    }

private:
    static std::optional<std::string_view> after(std::string_view name, std::string_view prefix) {
        if (!name.starts_with(prefix)) return std::nullopt;
        return name.substr(prefix.size());
    }

    bool has_project_ = false;
    std::optional<BranchNumber> next_;
    std::map<BranchNumber, BranchRow> branches_;
    std::map<BranchNumber, Lsn> cutoffs_;
    std::vector<SnapshotRow> snapshots_;
};

}  // namespace

Result<void> check_project_rows(const std::map<std::string, std::string>& rows) {
    Rows all;
    for (const auto& [name, bytes] : rows) BOUGH_TRY(all.add(name, bytes));
    return all.agree();
}

Result<ProjectFiles> list_project_files(const std::filesystem::path& directory) {
    BOUGH_ASSIGN(StoreListing store, list_store_files(Project::store_path(directory)));
    ProjectFiles project{std::move(store.files), std::move(store.damage)};
    if (project.damage) return project;
    if (const auto right = check_project_rows(store.rows); !right) project.damage = right.error();
    return project;
}

Result<void> check_project_file(const std::filesystem::path& directory, const std::string& name) {
    return check_store_file(Project::store_path(directory), name);
}

}  // namespace bough::pageserver
