#include "pageserver/branching/project.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "bough/check.hpp"
#include "pageserver/branching/erasure_stretches.hpp"
#include "pageserver/branching/postgres_time.hpp"

namespace bough::pageserver {

Project::Project(ProjectId id, std::shared_ptr<Store> store, ProjectRow row)
    : id_(std::move(id)), store_(std::move(store)), row_(std::move(row)) {}

Result<std::shared_ptr<Project>> Project::open(ProjectId id, const std::filesystem::path& directory, StoreResources& resources) {
    BOUGH_ASSIGN(std::shared_ptr<Store> store, Store::open(store_path(directory), resources));
    BOUGH_ASSIGN(const auto bytes, store->metadata(kProjectRowName));
    if (!bytes) return Error{ErrorCode::corrupt, "the store of project \"" + id.str() + "\" has no project row", {}};
    BOUGH_ASSIGN(ProjectRow row, decode_project_row(*bytes));
    std::shared_ptr<Project> project(new Project(std::move(id), std::move(store), std::move(row)));
    BOUGH_TRY(project->load_branches());
    BOUGH_TRY(project->load_history());
    BOUGH_TRY(project->load_erasures());
    return project;
}

Result<void> Project::load_branches() {
    BOUGH_ASSIGN(const auto next, store_->metadata(kNextBranchRowName));
    if (!next) return Error{ErrorCode::corrupt, "the store of project \"" + id_.str() + "\" does not say its next branch", {}};
    BOUGH_ASSIGN(next_number_, decode_branch_number(*next));

    BOUGH_ASSIGN(const auto rows, store_->metadata_with_prefix(kBranchRowPrefix));
    std::vector<BranchRow> by_number;
    for (const auto& [name, bytes] : rows) {
        BOUGH_ASSIGN(BranchId id, BranchId::parse(std::string_view(name).substr(std::string_view(kBranchRowPrefix).size())));
        BOUGH_ASSIGN(BranchRow row, decode_branch_row(std::move(id), bytes));
        by_number.push_back(std::move(row));
    }
    // A parent has a lower number than its children.
    std::ranges::sort(by_number, {}, &BranchRow::number);
    std::map<BranchNumber, std::shared_ptr<Branch>> made;
    for (BranchRow& row : by_number) {
        std::shared_ptr<const Branch> parent;
        if (row.parent) {
            const auto found = made.find(*row.parent);
            if (found == made.end())
                return Error{ErrorCode::corrupt, "branch \"" + row.id.str() + "\" has a parent that is not there", {}};
            parent = found->second;
        }
        BOUGH_ASSIGN(const auto stored, store_->position(row.number));
        const LogPosition ingested = stored.value_or(row.start);
        if (ingested.lsn < row.start.lsn)
            return Error{ErrorCode::corrupt, "branch \"" + row.id.str() + "\" was ingested to before its beginning", {}};
        const BranchId id = row.id;
        if (row.parent) children_[*row.parent].insert(row.start.lsn);
        auto branch = std::make_shared<Branch>(id_, std::move(row), std::move(parent), store_, ingested, row_.data_checksums);
        made.emplace(branch->number(), branch);
        branches_.emplace(id, std::move(branch));
    }
    return {};
}

Result<void> Project::load_erasures() {
    BOUGH_ASSIGN(const auto rows, store_->metadata_with_prefix(kErasingRowPrefix));
    for (const auto& [name, bytes] : rows) {
        BOUGH_ASSIGN(const BranchNumber number, decode_branch_number(bytes));
        // The crash may have been before the erasure reached the disk.
        BOUGH_TRY(store_->erase_branch(number));
        erasing_.insert(number);
    }
    return {};
}

Result<void> Project::finish_erasures(std::atomic<bool>* cancelled) {
    const std::lock_guard working(erasures_);
    const auto stretches = stretches_to_erase();
    if (stretches.empty()) return {};
    BOUGH_TRY(store_->flush());
    // A hundred branches of a hundred pull requests are one stretch, and the files they share are rewritten once.
    Result<void> outcome;
    for (const std::vector<BranchNumber>& erased : stretches) {
        if (const auto compacted = store_->compact_branches(erased.front(), erased.back(), cancelled); !compacted) {
            if (compacted.error().code != ErrorCode::corrupt) return compacted;
            if (outcome) outcome = compacted;
            // What is damaged stays so, and is not to be read and rewritten over and over.
            const std::lock_guard lock(mutex_);
            for (const BranchNumber number : erased) erasing_.erase(number);
            unerasable_.insert(erased.begin(), erased.end());
            continue;
        }
        Store::MetadataChanges changes;
        for (const BranchNumber number : erased) {
            store_->forget_image_candidates(number);
            changes.emplace(kErasingRowPrefix + std::to_string(number.value), std::nullopt);
        }
        BOUGH_TRY(store_->change_metadata(changes));
        const std::lock_guard lock(mutex_);
        for (const BranchNumber number : erased) erasing_.erase(number);
    }
    return outcome;
}

std::vector<std::vector<BranchNumber>> Project::stretches_to_erase() const {
    const std::lock_guard lock(mutex_);
    std::set<BranchNumber> staying = unerasable_;
    for (const auto& [id, branch] : branches_) staying.insert(branch->number());
    return stretches_between(staying, erasing_);
}

Result<std::uint64_t> Project::deleted_bytes() const {
    BOUGH_ASSIGN(auto stored, store_->file_bytes_by_branch());
    for (const auto& branch : branches()) stored.erase(branch->number());
    std::uint64_t bytes = 0;
    for (const auto& [number, its_bytes] : stored) bytes += its_bytes;
    return bytes;
}

Result<std::shared_ptr<Branch>> Project::branch(const BranchId& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = branches_.find(id);
    if (found == branches_.end())
        return Error{ErrorCode::not_found, "project \"" + id_.str() + "\" has no branch \"" + id.str() + "\"", {}};
    return found->second;
}

std::vector<std::shared_ptr<Branch>> Project::branches() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<Branch>> all;
    all.reserve(branches_.size());
    for (const auto& [id, branch] : branches_) all.push_back(branch);
    return all;
}

Result<std::shared_ptr<Branch>> Project::create_branch(const BranchId& id, const BranchId& parent_id, LogPosition start) {
    const std::lock_guard changing(changing_);
    if (branch(id)) return Error{ErrorCode::already_exists, "branch \"" + id.str() + "\" already exists", {}};
    BOUGH_ASSIGN(const std::shared_ptr<Branch> parent, branch(parent_id));
    if (start.lsn < parent->row().start.lsn)
        return Error{ErrorCode::out_of_range,
                     start.lsn.to_string() + " lies before branch \"" + parent_id.str() + "\" began",
                     "it began at " + parent->row().start.lsn.to_string()};
    BOUGH_TRY(check_kept(*parent, start));

    BranchRow row{id, next_number_, parent->number(), start, now_in_postgres_time()};
    const BranchNumber next{next_number_.value + 1};
    BOUGH_TRY(store_->change_metadata({{kBranchRowPrefix + id.str(), encode_branch_row(row)},
                                       {kNextBranchRowName, encode_branch_number(next)}}));
    next_number_ = next;
    auto made = std::make_shared<Branch>(id_, std::move(row), parent, store_, start, row_.data_checksums);
    const std::lock_guard lock(mutex_);
    branches_.emplace(id, made);
    children_[parent->number()].insert(start.lsn);
    return made;
}

bool Project::has_children(const Branch& branch) const {
    const std::lock_guard lock(mutex_);
    return children_.contains(branch.number());
}

Result<void> Project::check_deletable(const BranchId& id) const {
    BOUGH_ASSIGN(const std::shared_ptr<Branch> doomed, branch(id));
    if (doomed->parent() == nullptr)
        return Error{ErrorCode::failed_precondition, "branch \"" + id.str() + "\" is the project's root",
                     "delete the project instead"};
    if (has_children(*doomed))
        return Error{ErrorCode::failed_precondition, "branch \"" + id.str() + "\" has children", "delete them first"};
    for (const SnapshotRow& snapshot : snapshots())
        if (snapshot.branch == doomed->number())
            return Error{ErrorCode::failed_precondition, "branch \"" + id.str() + "\" has snapshots, such as \"" + snapshot.id.str() + "\"",
                         "delete them first"};
    return {};
}

Result<void> Project::delete_branch(const BranchId& id) {
    const std::lock_guard changing(changing_);
    BOUGH_TRY(check_deletable(id));
    BOUGH_ASSIGN(const std::shared_ptr<Branch> doomed, branch(id));
    const std::string erasing = kErasingRowPrefix + std::to_string(doomed->number().value);
    BOUGH_TRY(store_->change_metadata(
        {{kBranchRowPrefix + id.str(), std::nullopt},
         {kCutoffRowPrefix + std::to_string(doomed->number().value), std::nullopt},
         {erasing, encode_branch_number(doomed->number())}}));
    settled_.erase(doomed->number());
    // Before its parent's history may go: who reads through the branch looks at this afterwards.
    doomed->mark_deleted();
    {
        const std::lock_guard lock(mutex_);
        branches_.erase(id);
        store_->histories().erase(doomed->number());
        const auto siblings = children_.find(*doomed->row().parent);
        siblings->second.erase(siblings->second.find(doomed->row().start.lsn));
        if (siblings->second.empty()) children_.erase(siblings);
        // Where it left its parent nobody reads any more.
        for (const auto& [other_id, other] : branches_)
            if (other.get() == doomed->parent()) publish_kept(*other, other->cutoff());
    }
    // From here on the branch is gone whatever happens; its bytes go with finish_erasures().
    const Result<void> erased = store_->erase_branch(doomed->number());
    if (!erased) {
        // The row stays, and so it is tried again when the project is opened next.
        spdlog::warn("branch {}: could not erase the versions of the deleted branch now: {}", doomed->name(),
                     erased.error().to_string());
        return {};
    }
    const std::lock_guard lock(mutex_);
    erasing_.insert(doomed->number());
    return {};
}

}  // namespace bough::pageserver
