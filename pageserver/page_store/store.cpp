#include "pageserver/page_store/store.hpp"

#include <atomic>
#include <mutex>
#include <vector>

#include <rocksdb/convenience.h>
#include <spdlog/spdlog.h>

#include "bough/check.hpp"
#include "pageserver/page_store/damage.hpp"
#include "pageserver/page_store/rocksdb_edge.hpp"

namespace bough::pageserver {
namespace {

constexpr const char* kMetadataFamily = "metadata";
constexpr const char* kFormatRow = "format";
constexpr const char* kFormatVersion = "2";

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
    std::filesystem::path directory;
    std::unique_ptr<rocksdb::DB> db;
    std::unique_ptr<rocksdb::ColumnFamilyHandle> metadata;
    std::unique_ptr<rocksdb::ColumnFamilyHandle> versions;

    std::atomic<bool> abandoned = false;
    std::mutex flushing;  // one flush() at a time
    mutable std::mutex mutex;
    // Under mutex: what was written, and how much of it no flush has covered.
    std::map<BranchNumber, Lsn> written;
    std::map<BranchNumber, Lsn> flushed;
    std::optional<std::chrono::steady_clock::time_point> dirty_since;
    std::size_t dirty_bytes = 0;

    ~Impl() {
        metadata.reset();
        versions.reset();
        if (db != nullptr) db->Close().PermitUncheckedError();
    }

    static Result<std::unique_ptr<Impl>> open(const std::filesystem::path& directory, StoreResources::Impl& resources,
                                              bool create);
    // Before a branch's first position since the store was opened: the one there came from disk and is durable.
    Result<void> note_first_position(const Store& store, BranchNumber branch);
    void note_write(const std::map<BranchNumber, LogPosition>& positions, std::size_t bytes);
};

Result<std::unique_ptr<Store::Impl>> Store::Impl::open(const std::filesystem::path& directory,
                                                       StoreResources::Impl& resources, bool create) {
    rocksdb::Options options = database_options(resources.options, resources.env, resources.write_buffer_manager,
                                                resources.rate_limiter);
    options.create_if_missing = create;
    options.error_if_exists = create;
    options.create_missing_column_families = create;
    // The versions are in RocksDB's default family, which is what a batch without a family goes to.
    const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
        {rocksdb::kDefaultColumnFamilyName, version_options(resources.options, resources.block_cache)},
        {kMetadataFamily, metadata_options(resources.block_cache)},
    };
    auto impl = std::make_unique<Impl>();
    impl->directory = directory;
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
    return impl;
}

Result<void> Store::Impl::note_first_position(const Store& store, BranchNumber branch) {
    {
        const std::lock_guard lock(mutex);
        if (written.contains(branch)) return {};
    }
    BOUGH_ASSIGN(const auto position, store.position(branch));
    const std::lock_guard lock(mutex);
    const Lsn lsn = position ? position->lsn : Lsn{};
    written.emplace(branch, lsn);
    flushed.emplace(branch, lsn);
    return {};
}

void Store::Impl::note_write(const std::map<BranchNumber, LogPosition>& positions, std::size_t bytes) {
    const std::lock_guard lock(mutex);
    for (const auto& [branch, position] : positions) written[branch] = position.lsn;
    if (!dirty_since) dirty_since = std::chrono::steady_clock::now();
    dirty_bytes += bytes;
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Store::~Store() {
    if (const auto flushed = flush(); !flushed)
        spdlog::error("page store {}: {}", impl_->directory.string(), flushed.error().to_string());
}

Result<std::unique_ptr<Store>> Store::create(const std::filesystem::path& directory, StoreResources& resources) {
    BOUGH_ASSIGN(auto impl, Impl::open(directory, *resources.impl_, /*create=*/true));
    std::unique_ptr<Store> store(new Store(std::move(impl)));
    BOUGH_TRY(store->change_metadata({{kFormatRow, kFormatVersion}}));
    return store;
}

Result<std::unique_ptr<Store>> Store::open(const std::filesystem::path& directory, StoreResources& resources) {
    BOUGH_ASSIGN(auto impl, Impl::open(directory, *resources.impl_, /*create=*/false));
    std::unique_ptr<Store> store(new Store(std::move(impl)));
    BOUGH_ASSIGN(const auto format, store->metadata(kFormatRow));
    if (!format)
        return Error{ErrorCode::corrupt, "the page store \"" + directory.string() + "\" does not say its format", {}};
    if (*format != kFormatVersion)
        return Error{ErrorCode::unsupported,
                     "the page store \"" + directory.string() + "\" has format " + *format + ", this program knows format " +
                         kFormatVersion,
                     "run the version of bough that wrote it"};
    return store;
}

Result<void> Store::write(WriteSet set) {
    if (set.empty()) return {};
    if (impl_->abandoned) return abandoned_error();
    for (const auto& [branch, position] : set.impl_->positions) BOUGH_TRY(impl_->note_first_position(*this, branch));
    const std::size_t bytes = set.bytes();
    const auto status = impl_->db->Write(unlogged(), &set.impl_->batch);
    if (!status.ok()) return error_of_status(status, "could not write to the page store");
    impl_->note_write(set.impl_->positions, bytes);
    return {};
}

Result<void> Store::flush() {
    const std::lock_guard one_at_a_time(impl_->flushing);
    if (impl_->abandoned) return {};
    std::map<BranchNumber, Lsn> covered;
    std::optional<std::chrono::steady_clock::time_point> dirty_since;
    std::size_t dirty_bytes = 0;
    {
        const std::lock_guard lock(impl_->mutex);
        if (!impl_->dirty_since) return {};
        covered = impl_->written;
        dirty_since = std::exchange(impl_->dirty_since, std::nullopt);
        dirty_bytes = std::exchange(impl_->dirty_bytes, 0);
    }
    rocksdb::FlushOptions options;
    options.wait = true;
    options.allow_write_stall = true;
    const auto status = impl_->db->Flush(options, impl_->versions.get());
    const std::lock_guard lock(impl_->mutex);
    if (!status.ok()) {
        impl_->dirty_since = dirty_since;
        impl_->dirty_bytes += dirty_bytes;
        return error_of_status(status, "could not flush the page store");
    }
    for (const auto& [branch, lsn] : covered) {
        Lsn& flushed = impl_->flushed[branch];
        flushed = std::max(flushed, lsn);
    }
    return {};
}

Lsn Store::durable_lsn(BranchNumber branch) const {
    {
        const std::lock_guard lock(impl_->mutex);
        if (const auto found = impl_->flushed.find(branch); found != impl_->flushed.end()) return found->second;
    }
    // Not written since the store was opened: all there is came from disk.
    const auto stored = position(branch);
    return stored && *stored ? (*stored)->lsn : Lsn{};
}

std::optional<std::chrono::steady_clock::time_point> Store::dirty_since() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->dirty_since;
}

std::size_t Store::dirty_bytes() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->dirty_bytes;
}

Cursor Store::cursor() const {
    rocksdb::ReadOptions options;
    options.prefix_same_as_start = true;
    auto impl = std::make_unique<Cursor::Impl>();
    impl->iterator.reset(impl_->db->NewIterator(options, impl_->versions.get()));
    return Cursor(std::move(impl));
}

Cursor Store::scan_cursor() const {
    rocksdb::ReadOptions options;
    options.total_order_seek = true;
    auto impl = std::make_unique<Cursor::Impl>();
    impl->iterator.reset(impl_->db->NewIterator(options, impl_->versions.get()));
    return Cursor(std::move(impl));
}

Result<std::optional<LogPosition>> Store::position(BranchNumber branch) const {
    Cursor at = cursor();
    BOUGH_ASSIGN(const bool found, at.seek(branch, ObjectKey::single(Kind::position), Lsn{}));
    if (!found) return std::optional<LogPosition>{};
    BOUGH_ASSIGN(const auto content, decode_presence(at.value()));
    if (!content) return std::optional<LogPosition>{};
    BOUGH_ASSIGN(const LogPosition position, decode_position(*content));
    return std::optional{position};
}

Result<void> Store::erase_branch(BranchNumber branch) {
    constexpr auto kLowestKind = static_cast<Kind>(0);
    const auto begin = encode_version_key(branch, ObjectKey::single(kLowestKind), Lsn{~0ull});
    const auto end = encode_version_key(BranchNumber{branch.value + 1}, ObjectKey::single(kLowestKind), Lsn{~0ull});
    const rocksdb::Slice from(begin.data(), begin.size());
    const rocksdb::Slice to(end.data(), end.size());
    const auto status = impl_->db->DeleteRange(unlogged(), impl_->versions.get(), from, to);
    if (!status.ok()) return error_of_status(status, "could not erase a branch's versions");
    impl_->note_write({}, kVersionKeyBytes * 2);
    const std::lock_guard lock(impl_->mutex);
    impl_->written.erase(branch);
    impl_->flushed.erase(branch);
    return {};
}

void Store::abandon() {
    const std::lock_guard no_flush(impl_->flushing);
    impl_->abandoned = true;
    rocksdb::CancelAllBackgroundWork(impl_->db.get(), /*wait=*/true);
}

Result<void> Store::change_metadata(const MetadataChanges& changes) {
    if (impl_->abandoned) return abandoned_error();
    rocksdb::WriteBatch batch;
    for (const auto& [name, value] : changes) {
        const auto status = value ? batch.Put(impl_->metadata.get(), name, *value) : batch.Delete(impl_->metadata.get(), name);
        BOUGH_CHECK(status.ok());
    }
    const auto status = impl_->db->Write(durable(), &batch);
    if (!status.ok()) return error_of_status(status, "could not write the page store's metadata");
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
    const std::unique_ptr<rocksdb::Iterator> at(impl_->db->NewIterator(rocksdb::ReadOptions(), impl_->metadata.get()));
    for (at->Seek(prefix); at->Valid() && at->key().starts_with(prefix); at->Next())
        rows.emplace(at->key().ToString(), at->value().ToString());
    if (!at->status().ok()) return error_of_status(at->status(), "could not read the page store's metadata");
    return rows;
}

std::uint64_t Store::bytes_on_disk() const {
    std::uint64_t bytes = 0;
    impl_->db->GetIntProperty(impl_->versions.get(), rocksdb::DB::Properties::kLiveSstFilesSize, &bytes);
    return bytes;
}

}  // namespace bough::pageserver
