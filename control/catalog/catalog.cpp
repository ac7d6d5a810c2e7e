#include "control/catalog/catalog.hpp"

#include <rocksdb/db.h>
#include <spdlog/spdlog.h>
#include <boost/json/serialize.hpp>

#include "bough/check.hpp"
#include "files/files.hpp"
#include "json/fields.hpp"
#include "rocksdb_log/row_logs.hpp"
#include "rocksdb_log/silent_log.hpp"

namespace bough::control {
namespace {

constexpr std::string_view kFormatKey = "format";
constexpr std::string_view kFormat = "1";

std::string key_of(const ProjectId& id) { return "p/" + id.str(); }
std::string key_of(const SafekeeperRow& row) { return "s/" + row.name; }
std::string key_of(const ErrandRow& row) { return "e/" + row.safekeeper + "/" + row.project.str() + "/" + row.branch.str(); }
std::string key_of(const BranchRow& row) { return "b/" + row.project.str() + "/" + row.id.str(); }
std::string key_of(const SnapshotRow& row) { return "n/" + row.project.str() + "/" + row.id.str(); }

// The entries of a map by (project, id) that are the project's.
template <class Map, class Take>
void each_of(const Map& rows, const ProjectId& project, const Take& take) {
    using Key = typename Map::key_type;
    // No id sorts before the one of a single character that sorts first.
    const auto first = decltype(Key::second)::parse("0");
    for (auto row = rows.lower_bound(Key{project, *first}); row != rows.end() && row->first.first == project; ++row)
        take(row->second);
}

template <class Map>
std::vector<typename Map::mapped_type> rows_of(const Map& map) {
    std::vector<typename Map::mapped_type> rows;
    for (const auto& [key, row] : map) rows.push_back(row);
    return rows;
}

Error store_error(const std::string& what, const rocksdb::Status& status) {
    return {status.IsCorruption() ? ErrorCode::corrupt : ErrorCode::io, "catalog: " + what + ": " + status.ToString(), {}};
}

rocksdb::Options database_options() {
    rocksdb::Options options;
    options.paranoid_checks = true;
    options.keep_log_file_num = 2;
    options.write_buffer_size = 4 << 20;
    // A log ends at the first record that is not right; check_logs sees to it that no row which was synced lies behind that.
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    options.recycle_log_file_num = 0;
    return options;
}

// Of a catalog that is not open.
Result<void> check_logs(const std::filesystem::path& directory) {
    return rocksdb_log::check_row_logs(directory, rocksdb::kDefaultColumnFamilyName, [&](rocksdb::WalFilter& replay) -> Result<void> {
        auto options = database_options();
        options.info_log = rocksdb_log::silent_log();
        options.wal_filter = &replay;
        rocksdb::DB* db = nullptr;
        const auto status = rocksdb::DB::OpenForReadOnly(options, directory.string(), &db);
        const std::unique_ptr<rocksdb::DB> opened(db);
        if (!status.ok()) return store_error("cannot read " + directory.string(), status);
        return {};
    });
}

}  // namespace

Catalog::Catalog() = default;

Catalog::~Catalog() {
    if (db_ == nullptr) return;
    if (const auto flushed = flush(); !flushed) spdlog::warn("{}", flushed.error().message);
    // Into a file under checksums: damage to the last row of a log could not be told from a row that was not finished.
    const auto status = db_->Flush({});
    if (!status.ok()) spdlog::warn("{}", store_error("cannot flush", status).message);
}

Result<std::unique_ptr<Catalog>> Catalog::open(const std::filesystem::path& directory) {
    BOUGH_TRY(files::make_directories(directory));
    if (const auto logs = check_logs(directory); !logs)
        return logs.error().within("cannot open the catalog \"" + directory.string() + "\"");
    auto options = database_options();
    options.create_if_missing = true;
    rocksdb::DB* db = nullptr;
    auto status = rocksdb::DB::Open(options, directory.string(), &db);
    if (!status.ok()) return store_error("cannot open " + directory.string(), status);
    std::unique_ptr<Catalog> catalog(new Catalog);
    catalog->db_.reset(db);
    BOUGH_TRY(catalog->load());
    return catalog;
}

Result<void> Catalog::load() {
    std::string format;
    auto status = db_->Get({}, rocksdb::Slice(kFormatKey.data(), kFormatKey.size()), &format);
    if (status.IsNotFound()) {
        BOUGH_TRY(write(std::string(kFormatKey), std::string(kFormat)));
    } else if (!status.ok()) {
        return store_error("cannot read the format", status);
    } else if (format != kFormat) {
        return Error{ErrorCode::unsupported,
                     "the catalog has format " + format + ", this version of Bough reads " + std::string(kFormat),
                     "use the version of Bough that wrote it"};
    }
    rocksdb::ReadOptions iterating;
    iterating.ignore_range_deletions = true;  // there are none; with them RocksDB 7.8 can pass over a file that cannot be read
    std::unique_ptr<rocksdb::Iterator> rows(db_->NewIterator(iterating));
    for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
        auto key = rows->key().ToString();
        if (key == kFormatKey) continue;
        auto damaged = [&](const Error& error) {
            Error result = error.within("catalog row \"" + key + "\"");
            result.code = ErrorCode::corrupt;
            return result;
        };
        auto fields = json::parse_object(rows->value().ToStringView());
        if (!fields) return damaged(fields.error());
        if (key.starts_with("p/")) {
            auto row = project_row(*fields);
            if (!row) return damaged(row.error());
            projects_.emplace(row->id, *row);
        } else if (key.starts_with("s/")) {
            auto row = safekeeper_row(*fields);
            if (!row) return damaged(row.error());
            safekeepers_.emplace(row->name, *row);
        } else if (key.starts_with("e/")) {
            auto row = errand_row(*fields);
            if (!row) return damaged(row.error());
            errands_.emplace(key, *row);
        } else if (key.starts_with("n/")) {
            auto row = snapshot_row(*fields);
            if (!row) return damaged(row.error());
            snapshots_.emplace(std::pair{row->project, row->id}, *row);
        } else {
            auto row = branch_row(*fields);
            if (!row) return damaged(row.error());
            branches_.emplace(std::pair{row->project, row->id}, *row);
            index(*row);
        }
    }
    if (!rows->status().ok()) return store_error("cannot read", rows->status());
    return {};
}

void Catalog::index(const BranchRow& row) {
    branch_names_.insert_or_assign({row.project, row.name}, row.id);
    ports_taken_[row.port] = true;
}

void Catalog::unindex(const BranchRow& row) {
    branch_names_.erase({row.project, row.name});
    ports_taken_[row.port] = false;
}

Result<void> Catalog::write(const std::string& key, const std::string& value) {
    auto changes = what_waits();
    changes.Put(key, value);
    return commit(changes);
}

Result<void> Catalog::erase(const std::string& key) {
    auto changes = what_waits();
    changes.Delete(key);
    return commit(changes);
}

rocksdb::WriteBatch Catalog::what_waits() const {
    rocksdb::WriteBatch changes;
    for (const auto& [key, value] : later_) changes.Put(key, value);
    return changes;
}

Result<void> Catalog::commit(rocksdb::WriteBatch& changes) {
    rocksdb::WriteOptions durable;
    durable.sync = true;
    if (const auto status = db_->Write(durable, &changes); !status.ok()) return store_error("cannot write", status);
    later_.clear();
    return {};
}

Result<void> Catalog::flush() {
    const std::lock_guard lock(mutex_);
    if (later_.empty()) return {};
    auto changes = what_waits();
    return commit(changes);
}

std::vector<ProjectRow> Catalog::projects() const {
    std::lock_guard lock(mutex_);
    return rows_of(projects_);
}

Result<ProjectRow> Catalog::project(const std::string& id_or_name) const {
    std::lock_guard lock(mutex_);
    for (const auto& [id, row] : projects_)
        if (id.str() == id_or_name) return row;
    for (const auto& [id, row] : projects_)
        if (row.name == id_or_name) return row;
    return Error{ErrorCode::not_found, "project \"" + id_or_name + "\" does not exist",
                 "`bough project list` shows those that do"};
}

Result<void> Catalog::add(const ProjectRow& row) {
    std::lock_guard lock(mutex_);
    for (const auto& [id, other] : projects_)
        if (other.name == row.name || id == row.id)
            return Error{ErrorCode::already_exists, "project \"" + row.name + "\" already exists", "choose another name"};
    BOUGH_TRY(write(key_of(row.id), boost::json::serialize(to_json(row))));
    projects_.emplace(row.id, row);
    return {};
}

Result<ProjectRow> Catalog::change(const ProjectId& id, const ProjectChange& change) {
    std::lock_guard lock(mutex_);
    auto found = projects_.find(id);
    if (found == projects_.end()) return Error{ErrorCode::not_found, "project \"" + id.str() + "\" was deleted", {}};
    auto changed = found->second;
    BOUGH_TRY(change(changed));
    BOUGH_CHECK(changed.id == id && changed.safekeepers == found->second.safekeepers);
    BOUGH_TRY(write(key_of(id), boost::json::serialize(to_json(changed))));
    found->second = changed;
    return changed;
}

Result<void> Catalog::put(const ProjectId& project, const Membership& before, const Membership& after) {
    std::lock_guard lock(mutex_);
    auto found = projects_.find(project);
    if (found == projects_.end()) return Error{ErrorCode::not_found, "project \"" + project.str() + "\" was deleted", {}};
    if (found->second.safekeepers != before)
        return Error{ErrorCode::failed_precondition,
                     "the safekeepers of project \"" + found->second.name + "\" were changed meanwhile",
                     {}};
    auto changed = found->second;
    changed.safekeepers = after;
    BOUGH_TRY(write(key_of(project), boost::json::serialize(to_json(changed))));
    found->second = std::move(changed);
    return {};
}

std::vector<SafekeeperRow> Catalog::safekeepers() const {
    std::lock_guard lock(mutex_);
    return rows_of(safekeepers_);
}

Result<void> Catalog::put(const SafekeeperRow& row) {
    std::lock_guard lock(mutex_);
    BOUGH_TRY(write(key_of(row), boost::json::serialize(to_json(row))));
    safekeepers_.insert_or_assign(row.name, row);
    return {};
}

std::vector<ErrandRow> Catalog::errands() const {
    std::lock_guard lock(mutex_);
    return rows_of(errands_);
}

Result<void> Catalog::put(const ErrandRow& row) {
    std::lock_guard lock(mutex_);
    auto found = errands_.find(key_of(row));
    if (found != errands_.end() && (found->second == row || found->second.kind == ErrandRow::Kind::remove)) return {};
    BOUGH_TRY(write(key_of(row), boost::json::serialize(to_json(row))));
    errands_.insert_or_assign(key_of(row), row);
    return {};
}

Result<void> Catalog::remove(const ErrandRow& row) {
    std::lock_guard lock(mutex_);
    auto found = errands_.find(key_of(row));
    if (found == errands_.end() || found->second != row) return {};
    BOUGH_TRY(erase(found->first));
    errands_.erase(found);
    return {};
}

Result<void> Catalog::remove(const ProjectId& id) {
    std::lock_guard lock(mutex_);
    BOUGH_TRY(erase(key_of(id)));
    projects_.erase(id);
    return {};
}

std::vector<BranchRow> Catalog::branches() const {
    std::lock_guard lock(mutex_);
    return rows_of(branches_);
}

std::vector<BranchRow> Catalog::branches(const ProjectId& project) const {
    std::lock_guard lock(mutex_);
    std::vector<BranchRow> result;
    each_of(branches_, project, [&](const BranchRow& row) { result.push_back(row); });
    return result;
}

Result<BranchRow> Catalog::branch(const ProjectId& project, const std::string& id_or_name) const {
    std::lock_guard lock(mutex_);
    if (const auto id = BranchId::parse(id_or_name))
        if (const auto found = branches_.find({project, *id}); found != branches_.end()) return found->second;
    if (const auto named = branch_names_.find({project, id_or_name}); named != branch_names_.end())
        return branches_.at({project, named->second});
    return Error{ErrorCode::not_found, "branch \"" + id_or_name + "\" does not exist", "`bough branch list` shows those that do"};
}

Result<BranchRow> Catalog::add(BranchRow row, std::uint16_t first_port, const PortCheck& free) {
    std::lock_guard lock(mutex_);
    if (branch_names_.contains({row.project, row.name}) || branches_.contains({row.project, row.id}))
        return Error{ErrorCode::already_exists, "branch \"" + row.name + "\" already exists", "choose another name"};
    if (row.parent) {
        auto parent = branches_.find({row.project, *row.parent});
        if (parent == branches_.end() || parent->second.state != RowState::ready)
            return Error{ErrorCode::failed_precondition, "the parent of branch \"" + row.name + "\" is being deleted", {}};
    }
    std::uint32_t port = first_port;
    while (port <= 65535 && (ports_taken_[port] || !free(static_cast<std::uint16_t>(port)))) ++port;
    if (port > 65535) return Error{ErrorCode::unavailable, "no SQL port is left for another branch", "delete a branch"};
    row.port = static_cast<std::uint16_t>(port);
    BOUGH_TRY(write(key_of(row), boost::json::serialize(to_json(row))));
    branches_.emplace(std::pair{row.project, row.id}, row);
    index(row);
    return row;
}

Result<void> Catalog::put(const BranchRow& row) { return put(row, false); }
Result<void> Catalog::put_later(const BranchRow& row) { return put(row, true); }

Result<void> Catalog::put(const BranchRow& row, bool later) {
    std::lock_guard lock(mutex_);
    auto found = branches_.find({row.project, row.id});
    if (found == branches_.end()) return Error{ErrorCode::not_found, "branch \"" + row.name + "\" was deleted", {}};
    if (found->second.state == RowState::deleting && row.state != RowState::deleting)
        return Error{ErrorCode::failed_precondition, "branch \"" + row.name + "\" is being deleted", {}};
    auto value = boost::json::serialize(to_json(row));
    if (later)
        later_.insert_or_assign(key_of(row), std::move(value));
    else
        BOUGH_TRY(write(key_of(row), value));
    unindex(found->second);
    found->second = row;
    index(row);
    return {};
}

Result<void> Catalog::remove(const BranchRow& row) {
    std::lock_guard lock(mutex_);
    BOUGH_TRY(erase(key_of(row)));
    if (auto found = branches_.find({row.project, row.id}); found != branches_.end()) {
        unindex(found->second);
        branches_.erase(found);
    }
    return {};
}

std::vector<SnapshotRow> Catalog::snapshots() const {
    std::lock_guard lock(mutex_);
    return rows_of(snapshots_);
}

std::vector<SnapshotRow> Catalog::snapshots(const ProjectId& project) const {
    std::lock_guard lock(mutex_);
    std::vector<SnapshotRow> result;
    each_of(snapshots_, project, [&](const SnapshotRow& row) { result.push_back(row); });
    return result;
}

Result<SnapshotRow> Catalog::snapshot(const ProjectId& project, const std::string& id_or_name) const {
    const SnapshotRow* named = nullptr;
    std::lock_guard lock(mutex_);
    if (const auto id = SnapshotId::parse(id_or_name))
        if (const auto found = snapshots_.find({project, *id}); found != snapshots_.end()) return found->second;
    each_of(snapshots_, project, [&](const SnapshotRow& row) { named = row.name == id_or_name ? &row : named; });
    if (named) return *named;
    return Error{ErrorCode::not_found, "snapshot \"" + id_or_name + "\" does not exist",
                 "`bough snapshot list` shows those that do"};
}

Result<void> Catalog::add(const SnapshotRow& row) {
    std::lock_guard lock(mutex_);
    bool taken = false;
    each_of(snapshots_, row.project,
            [&](const SnapshotRow& other) { taken = taken || other.name == row.name || other.id == row.id; });
    if (taken) return Error{ErrorCode::already_exists, "snapshot \"" + row.name + "\" already exists", "choose another name"};
    auto branch = branches_.find({row.project, row.branch});
    if (branch == branches_.end() || branch->second.state != RowState::ready)
        return Error{ErrorCode::failed_precondition, "the branch of snapshot \"" + row.name + "\" is being deleted", {}};
    BOUGH_TRY(write(key_of(row), boost::json::serialize(to_json(row))));
    snapshots_.emplace(std::pair{row.project, row.id}, row);
    return {};
}

Result<void> Catalog::put(const SnapshotRow& row) {
    std::lock_guard lock(mutex_);
    auto found = snapshots_.find({row.project, row.id});
    if (found == snapshots_.end()) return Error{ErrorCode::not_found, "snapshot \"" + row.name + "\" was deleted", {}};
    BOUGH_TRY(write(key_of(row), boost::json::serialize(to_json(row))));
    found->second = row;
    return {};
}

Result<void> Catalog::remove(const SnapshotRow& row) {
    std::lock_guard lock(mutex_);
    BOUGH_TRY(erase(key_of(row)));
    snapshots_.erase({row.project, row.id});
    return {};
}

Result<BranchRow> Catalog::begin_deletion(const BranchRow& row) {
    std::lock_guard lock(mutex_);
    auto found = branches_.find({row.project, row.id});
    if (found == branches_.end()) return Error{ErrorCode::not_found, "branch \"" + row.name + "\" does not exist", {}};
    for (const auto& [id, other] : branches_)
        if (id.first == row.project && other.parent == row.id)
            return Error{ErrorCode::failed_precondition,
                         "branch \"" + row.name + "\" has branches of its own, such as \"" + other.name + "\"",
                         "delete those first"};
    Result<void> free = {};
    each_of(snapshots_, row.project, [&](const SnapshotRow& snapshot) {
        if (snapshot.branch == row.id)
            free = Error{ErrorCode::failed_precondition,
                         "branch \"" + row.name + "\" has snapshots, such as \"" + snapshot.name + "\"", "delete those first"};
    });
    BOUGH_TRY(free);
    auto changed = found->second;
    changed.state = RowState::deleting;
    BOUGH_TRY(write(key_of(changed), boost::json::serialize(to_json(changed))));
    found->second = changed;
    return changed;
}

}  // namespace bough::control
