#include "pageserver/page_store/store.hpp"

#include <algorithm>
#include <mutex>
#include <vector>

#include <rocksdb/convenience.h>
#include <rocksdb/perf_level.h>
#include <spdlog/spdlog.h>

#include "bough/check.hpp"
#include "pageserver/page_store/compaction_damage.hpp"
#include "pageserver/page_store/damage.hpp"
#include "pageserver/page_store/history_filter.hpp"
#include "pageserver/page_store/object_hash.hpp"
#include "pageserver/page_store/page_version.hpp"
#include "pageserver/page_store/read_only_store.hpp"
#include "pageserver/page_store/scan.hpp"
#include "pageserver/page_store/store_layers.hpp"
#include "pageserver/page_store/store_names.hpp"
#include "pageserver/page_store/store_space.hpp"

namespace bough::pageserver {
namespace {

// How long write() waits for room, which sealing makes; when that fails for so long there is no end of it in sight.
constexpr auto kRoomWaitMax = std::chrono::seconds(60);

Error abandoned_error() { return Error{ErrorCode::not_found, "the project was removed", {}}; }

rocksdb::WriteOptions unlogged() {
    rocksdb::WriteOptions options;
    options.disableWAL = true;
    return options;
}

rocksdb::WriteOptions durable() {
    rocksdb::WriteOptions options;
    options.sync = true;
    return options;
}

}  // namespace

struct Store::Impl {
    explicit Impl(StoreResources& r) : resources(r) {}

    StoreResources& resources;
    std::filesystem::path directory;
    std::unique_ptr<rocksdb::DB> db;
    std::unique_ptr<rocksdb::ColumnFamilyHandle> metadata;
    std::unique_ptr<rocksdb::ColumnFamilyHandle> versions;
    std::unique_ptr<StoreLayers> layers;
    std::shared_ptr<HistoryFilterFactory> history_filter = std::make_shared<HistoryFilterFactory>();
    std::shared_ptr<CompactionDamage> damage = std::make_shared<CompactionDamage>();
    std::shared_ptr<IdleSeekers> idle_seekers = std::make_shared<IdleSeekers>();
    std::unique_ptr<StoreSpace> space;
    std::mutex replacing;                   // one run is being rewritten at a time
    std::atomic<bool> rows_at_end = false;  // the log ends in a record of metadata rows

    ~Impl() {
        idle_seekers->close();
        layers.reset();
        space.reset();
        metadata.reset();
        versions.reset();
        if (db != nullptr) db->Close().PermitUncheckedError();
    }

    static Result<std::unique_ptr<Impl>> open(const std::filesystem::path& directory, StoreResources& shared, bool create);
    std::unique_ptr<Cursor::Impl> cursor() const;
    Result<std::optional<LogPosition>> position_in_files(BranchNumber branch) const;
    Result<bool> replace_in_files(BranchNumber branch, const ObjectKey& page, Lsn lsn, std::string_view image);
    Result<void> end_log_otherwise();
    void end_compactions();
};

Result<std::unique_ptr<Store::Impl>> Store::Impl::open(const std::filesystem::path& directory, StoreResources& shared,
                                                       bool create) {
    StoreResources::Impl& resources = *shared.impl_;
    rocksdb::Options options =
        database_options(resources.options, resources.env, resources.write_buffer_manager, resources.rate_limiter);
    options.create_if_missing = create;
    options.error_if_exists = create;
    options.create_missing_column_families = create;
    auto impl = std::make_unique<Impl>(shared);
    options.listeners = {impl->damage, impl->idle_seekers};
    std::vector<rocksdb::ColumnFamilyDescriptor> families = {
        {rocksdb::kDefaultColumnFamilyName, version_options(resources.block_cache)},
        {kMetadataFamily, metadata_options(resources.block_cache)},
    };
    families[0].options.compaction_filter_factory = impl->history_filter;
    families[0].options.target_file_size_base = resources.options.file_bytes;
    impl->directory = directory;
    if (!create) {
        if (const auto logs = check_row_logs(directory); !logs)
            return logs.error().within("could not open the page store \"" + directory.string() + "\"");
    }
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* db = nullptr;
    const auto status = rocksdb::DB::Open(options, directory.string(), families, &handles, &db);
    if (!status.ok()) {
        Error error = error_of_status(status, "could not open the page store \"" + directory.string() + "\"");
        if (status.IsCorruption()) {
            const std::string damaged = unreadable_files(directory, families[0].options);
            if (!damaged.empty()) error.message += "; damaged: " + damaged;
        }
        return error;
    }
    impl->db.reset(db);
    impl->versions.reset(handles[0]);
    impl->metadata.reset(handles[1]);
    impl->space = std::make_unique<StoreSpace>(*db, *handles[0]);
    impl->layers = std::make_unique<StoreLayers>(*db, *handles[0], directory / "sealing", resources);
    BOUGH_TRY(impl->layers->remove_leftovers());
    return impl;
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Store::~Store() {
    if (const auto flushed = flush(); !flushed)
        spdlog::error("page store {}: {}", impl_->directory.string(), flushed.error().to_string());
}

Result<std::unique_ptr<Store>> Store::create(const std::filesystem::path& directory, StoreResources& resources) {
    BOUGH_ASSIGN(auto impl, Impl::open(directory, resources, /*create=*/true));
    std::unique_ptr<Store> store(new Store(std::move(impl)));
    BOUGH_TRY(store->change_metadata({{kFormatRow, kFormatVersion}}));
    return store;
}

Result<std::unique_ptr<Store>> Store::open(const std::filesystem::path& directory, StoreResources& resources) {
    BOUGH_ASSIGN(auto impl, Impl::open(directory, resources, /*create=*/false));
    std::unique_ptr<Store> store(new Store(std::move(impl)));
    BOUGH_ASSIGN(const auto format, store->metadata(kFormatRow));
    if (!format) return Error{ErrorCode::corrupt, "the page store \"" + directory.string() + "\" does not say its format", {}};
    if (!is_known_format(*format))
        return Error{ErrorCode::unsupported,
                     "the page store \"" + directory.string() + "\" has format " + *format + ", this program knows format " +
                         kFormatVersion,
                     "run the version of bough that wrote it"};
    // Before anything is written that the older format does not know.
    if (*format != kFormatVersion) BOUGH_TRY(store->change_metadata({{kFormatRow, kFormatVersion}}));
    return store;
}

Result<BranchWrite> Store::write_to(BranchNumber branch) {
    if (impl_->layers->abandoned()) return abandoned_error();
    BranchWrite write(*impl_->layers, impl_->layers->branch(branch));
    // What came after its erasure would stay for ever.
    if (write.branch_->dropped()) return Error{ErrorCode::not_found, "the branch was deleted", {}};
    return write;
}

bool Store::has_room() const { return impl_->resources.impl_->open_bytes.has_room() && impl_->layers->takes_more(); }

bool Store::wait_for_room(std::chrono::steady_clock::time_point deadline) {
    return impl_->resources.impl_->open_bytes.wait_until(deadline, [&] { return has_room() || impl_->layers->abandoned(); });
}

Result<void> Store::write(WriteSet set) {
    if (set.empty()) return {};
    if (!wait_for_room(std::chrono::steady_clock::now() + kRoomWaitMax))
        return Error{ErrorCode::unavailable, "the page store cannot get rid of what it holds in memory", {}};
    auto& entries = set.impl_->entries;
    std::ranges::stable_sort(entries, {}, &WriteSet::Impl::Entry::branch);
    for (auto entry = entries.begin(); entry != entries.end();) {
        const BranchNumber branch = entry->branch;
        BOUGH_ASSIGN(auto write, write_to(branch));
        for (; entry != entries.end() && entry->branch == branch; ++entry) {
            const std::string_view value = std::string_view(set.impl_->bytes).substr(entry->begin, entry->size);
            write.put(entry->object, hash_object(entry->object), entry->lsn, value, !has_runs(entry->object.kind) || is_base_version(value));
        }
        if (const auto found = set.impl_->positions.find(branch); found != set.impl_->positions.end()) {
            write.set_position(found->second);
            set.impl_->positions.erase(found);
        }
    }
    for (const auto& [branch, position] : set.impl_->positions) {
        BOUGH_ASSIGN(auto write, write_to(branch));
        write.set_position(position);
    }
    return {};
}

// RocksDB begins one that failed anew every second.
void Store::Impl::end_compactions() {
    spdlog::error(
        "page store {}: a compaction met damage; none is begun any more until the store is opened anew, `bough check` says which "
        "file it is",
        directory.string());
    db->SetOptions(versions.get(), {{"disable_auto_compactions", "true"}}).PermitUncheckedError();
}

// Damage in a log's last record passes for an end that a crash left. So that this is no record of rows for long, it becomes an empty one.
Result<void> Store::Impl::end_log_otherwise() {
    if (layers->abandoned() || !rows_at_end.exchange(false)) return {};
    rocksdb::WriteBatch nothing;
    const auto status = db->Write(durable(), &nothing);
    if (status.ok()) return {};
    rows_at_end = true;
    return error_of_status(status, "could not write to the page store's log");
}

Result<void> Store::flush() {
    if (impl_->damage->take()) impl_->end_compactions();
    BOUGH_TRY(impl_->layers->flush());
    return impl_->end_log_otherwise();
}

Lsn Store::durable_lsn(BranchNumber number) const { return Lsn{impl_->layers->branch(number).durable_lsn}; }

std::optional<std::chrono::steady_clock::time_point> Store::dirty_since() const {
    // flush() looks after it, soon.
    if (impl_->damage->waits()) return std::chrono::steady_clock::time_point{};
    return impl_->layers->dirty_since();
}

std::size_t Store::dirty_bytes() const { return impl_->layers->bytes_in_layers(); }

std::unique_ptr<Cursor::Impl> Store::Impl::cursor() const {
    auto made = std::make_unique<Cursor::Impl>();
    made->store = layers.get();
    return made;
}

void Store::drop_unused_seekers() { impl_->idle_seekers->drop_unused(); }

Cursor Store::cursor(bool fills_block_cache) const {
    rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);  // nobody asks for RocksDB's counts of this thread; a seek adds to dozens
    auto made = impl_->cursor();
    made->fills_block_cache = fills_block_cache;
    if (fills_block_cache) made->idle_seekers = impl_->idle_seekers.get();
    return Cursor(std::move(made));
}

Result<void> Store::scan(BranchNumber number, const ObjectKey& begin, const ObjectKey& end, Lsn at,
                         std::map<ObjectKey, std::string>& found) const {
    BOUGH_CHECK(!has_runs(begin.kind));
    // Before the iterator is made: what leaves the layers in between is then met twice, not nowhere.
    const BranchVersions& branch = impl_->layers->branch(number);
    if (branch.dropped()) return {};
    const auto layers = branch.snapshot();
    if (layers != nullptr) {
        if (layers->open != nullptr) scan_layer(*layers->open, begin, end, at, found);
        for (const auto& layer : layers->frozen) scan_layer(*layer, begin, end, at, found);
    }
    rocksdb::ReadOptions options = iterator_options();
    options.total_order_seek = true;
    const std::unique_ptr<rocksdb::Iterator> iterator(impl_->db->NewIterator(options, impl_->versions.get()));
    return scan_files(*iterator, number, begin, end, at, found);
}

Result<std::optional<LogPosition>> Store::Impl::position_in_files(BranchNumber branch) const {
    const VersionKeyBytes key = encode_version_key(branch, ObjectKey::single(Kind::position), Lsn{});
    std::string value;
    const auto status = db->Get(rocksdb::ReadOptions(), versions.get(), rocksdb::Slice(key.data(), key.size()), &value);
    if (status.IsNotFound()) return std::optional<LogPosition>{};
    if (!status.ok()) return error_of_status(status, "could not read the page store");
    BOUGH_ASSIGN(const auto content, decode_presence(value));
    if (!content) return std::optional<LogPosition>{};
    BOUGH_ASSIGN(const LogPosition position, decode_position(*content));
    return std::optional{position};
}

Result<std::optional<LogPosition>> Store::position(BranchNumber number) const {
    BranchVersions& branch = impl_->layers->branch(number);
    {
        const std::lock_guard writing(branch.writing());
        if (branch.written) return branch.written;
    }
    return impl_->position_in_files(number);
}

std::uint64_t Store::id() const { return impl_->layers->id(); }

const TouchedSet& Store::touched(BranchNumber branch) const { return impl_->layers->branch(branch).touched; }

bool Store::unchanged(BranchNumber number, const ObjectKey& object, Lsn since, Lsn at) const {
    const BranchVersions& branch = impl_->layers->branch(number);
    if (const auto layers = branch.snapshot()) {
        const auto changed_in = [&](const OpenLayer& layer) {
            const OpenLayer::Object* there = layer.find(object);
            const OpenLayer::Version* version = there != nullptr ? there->newest_at(at) : nullptr;
            return version != nullptr && version->lsn() > since;
        };
        if (layers->open != nullptr && changed_in(*layers->open)) return false;
        for (const auto& layer : layers->frozen)
            if (changed_in(*layer)) return false;
    }
    // Read after the layers were taken: a layer that had gone by then is below it.
    return since.value >= branch.sealed_through;
}

Result<bool> Store::replace_by_image(BranchNumber number, const ObjectKey& page, Lsn lsn, std::string_view image) {
    BOUGH_CHECK(has_runs(page.kind));
    if (impl_->layers->abandoned()) return abandoned_error();
    const auto holds = [&](const OpenLayer& layer) {
        const OpenLayer::Object* object = layer.find(page);
        const OpenLayer::Version* version = object != nullptr ? object->newest_at(lsn) : nullptr;
        return version != nullptr && version->lsn() == lsn;
    };
    BranchVersions& branch = impl_->layers->branch(number);
    {
        const std::lock_guard writing(branch.writing());
        if (branch.open_layer_if_any() != nullptr && holds(*branch.open_layer_if_any())) {
            branch.replace(page, lsn, image);
            return true;
        }
        if (const auto layers = branch.snapshot())
            for (const auto& layer : layers->frozen)
                if (holds(*layer)) return false;
    }
    // It is in no layer any more, and never will be again.
    return impl_->replace_in_files(number, page, lsn, image);
}

// The run that holds the version becomes two: the second begins with the image.
Result<bool> Store::Impl::replace_in_files(BranchNumber branch, const ObjectKey& page, Lsn lsn, std::string_view image) {
    const std::lock_guard one_at_a_time(replacing);
    if (layers->branch(branch).dropped()) return false;  // it would be newer than what erases the branch
    const auto at = cursor();
    at->branch = branch;
    at->object = page;
    BOUGH_ASSIGN(const bool found, at->seek_in_files(lsn));
    if (!found || at->run[at->index].lsn != lsn) return false;
    rocksdb::WriteBatch batch;
    const auto put = [&](PageRunWriter& run) {
        const VersionKeyBytes key = encode_version_key(branch, page, run.first());
        std::string value;
        run.encode(std::string_view(key.data(), key.size()), value);
        BOUGH_CHECK(batch.Put(versions.get(), rocksdb::Slice(key.data(), key.size()), value).ok());
    };
    PageRunWriter before;
    for (std::size_t i = 0; i < at->index; ++i) before.add(at->run[i].lsn, at->run[i].value);
    if (!before.empty()) put(before);
    PageRunWriter from;
    from.add(lsn, image);
    for (std::size_t i = at->index + 1; i < at->run.size(); ++i) from.add(at->run[i].lsn, at->run[i].value);
    put(from);
    const auto status = db->Write(unlogged(), &batch);
    if (!status.ok()) return error_of_status(status, "could not write to the page store");
    idle_seekers->note_change();
    layers->note_unflushed();
    return true;
}

Result<void> Store::erase_branch(BranchNumber branch) {
    impl_->layers->drop(branch);
    // An image that takes a version's place is there before, or finds nothing.
    const std::lock_guard nothing_is_replaced(impl_->replacing);
    const auto begin = encode_version_key(branch, ObjectKey::single(kLowestKind), Lsn{~0ull});
    const auto end = encode_version_key(BranchNumber{branch.value + 1}, ObjectKey::single(kLowestKind), Lsn{~0ull});
    const rocksdb::Slice from(begin.data(), begin.size());
    const rocksdb::Slice to(end.data(), end.size());
    const auto status = impl_->db->DeleteRange(unlogged(), impl_->versions.get(), from, to);
    if (!status.ok()) return error_of_status(status, "could not erase a branch's versions");
    impl_->layers->note_unflushed();
    const auto dropped = impl_->space->drop_files(branch);
    impl_->idle_seekers->note_change();
    return dropped;
}

Histories& Store::histories() const { return impl_->history_filter->histories(); }

Result<void> Store::compact_branches(BranchNumber first, BranchNumber last, std::atomic<bool>* cancelled) {
    if (impl_->layers->abandoned()) return Error{ErrorCode::unavailable, "the project was removed", {}};
    return impl_->space->compact(first, last, cancelled);
}

Result<void> Store::compact_objects(BranchNumber branch, const ObjectKey& first, const ObjectKey& last,
                                    std::atomic<bool>* cancelled) {
    if (impl_->layers->abandoned()) return Error{ErrorCode::unavailable, "the project was removed", {}};
    return impl_->space->compact(branch, first, last, cancelled);
}

std::vector<ObjectKey> Store::take_image_candidates(BranchNumber branch, std::size_t pages_max) {
    return impl_->history_filter->image_candidates().take(branch, pages_max);
}

bool Store::has_image_candidates(BranchNumber branch) const { return impl_->history_filter->image_candidates().has(branch); }

void Store::forget_image_candidates(BranchNumber branch) { impl_->history_filter->image_candidates().forget(branch); }

Result<std::map<BranchNumber, std::uint64_t>> Store::file_bytes_by_branch() const { return impl_->space->bytes().by_branch(); }

Result<std::map<Kind, std::uint64_t>> Store::file_bytes_by_kind() const { return impl_->space->bytes().by_kind(); }

std::uint64_t Store::compaction_debt_bytes() const {
    std::uint64_t bytes = 0;
    impl_->db->GetIntProperty(impl_->versions.get(), rocksdb::DB::Properties::kEstimatePendingCompactionBytes, &bytes);
    return bytes;
}

Result<Store::BranchSize> Store::branch_bytes(BranchNumber number) const {
    BranchSize size;
    BOUGH_ASSIGN(size.files, impl_->space->bytes().of(number));
    const auto layers = impl_->layers->branch(number).snapshot();
    if (layers == nullptr) return size;
    if (layers->open != nullptr) size.memory += layers->open->bytes();
    for (const auto& layer : layers->frozen) size.memory += layer->bytes();
    return size;
}

void Store::abandon() {
    impl_->layers->abandon();
    rocksdb::CancelAllBackgroundWork(impl_->db.get(), /*wait=*/true);
    impl_->idle_seekers->close();  // RocksDB tells of no change any more
}

Result<void> Store::change_metadata(const MetadataChanges& changes) {
    if (impl_->layers->abandoned()) return abandoned_error();
    rocksdb::WriteBatch batch;
    for (const auto& [name, value] : changes) {
        const auto status = value ? batch.Put(impl_->metadata.get(), name, *value) : batch.Delete(impl_->metadata.get(), name);
        BOUGH_CHECK(status.ok());
    }
    const auto status = impl_->db->Write(durable(), &batch);
    if (!status.ok()) return error_of_status(status, "could not write the page store's metadata");
    impl_->rows_at_end = true;
    return {};
}

Result<std::optional<std::string>> Store::metadata(const std::string& name) const {
    std::string value;
    const auto status = impl_->db->Get(rocksdb::ReadOptions(), impl_->metadata.get(), name, &value);
    if (status.IsNotFound()) return std::optional<std::string>{};
    if (!status.ok()) return error_of_status(status, "could not read the page store's metadata");
    return std::optional{std::move(value)};
}

Result<std::map<std::string, std::string>> Store::metadata_with_prefix(const std::string& prefix) const {
    std::map<std::string, std::string> rows;
    const std::unique_ptr<rocksdb::Iterator> at(impl_->db->NewIterator(iterator_options(), impl_->metadata.get()));
    for (at->Seek(prefix); at->Valid() && at->key().starts_with(prefix); at->Next())
        rows.emplace(at->key().ToString(), at->value().ToString());
    if (!at->status().ok()) return error_of_status(at->status(), "could not read the page store's metadata");
    return rows;
}

StoreResources& Store::resources() const { return impl_->resources; }

std::uint64_t Store::bytes_on_disk() const {
    std::uint64_t bytes = 0;
    impl_->db->GetIntProperty(impl_->versions.get(), rocksdb::DB::Properties::kLiveSstFilesSize, &bytes);
    return bytes;
}

}  // namespace bough::pageserver
