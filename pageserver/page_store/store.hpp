// A project's store: versions of pages and other objects by (branch, object, LSN), and a few metadata rows.
//
// Versions go to memory first and reach disk in flushes; the safekeepers' WAL is their log. Writes are atomic and keep their
// order, so that what a crash leaves is everything up to some write and nothing of those after it. A branch's log position
// travels in the same writes as its versions. Metadata rows are durable when the call that writes them returns.
//
// The only place that knows RocksDB.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "pageserver/page_store/rows.hpp"
#include "pageserver/page_store/version_key.hpp"

namespace bough::pageserver {

// What all stores of a process share: caches, background threads and their limits. Outlives every store.
class StoreResources {
public:
    struct Options {
        std::size_t block_cache_bytes = 256ull << 20;
        std::size_t memtable_bytes_max = 512ull << 20;  // of all stores together
        std::size_t project_memtable_bytes = 64ull << 20;
        int background_threads = 2;
    };
    explicit StoreResources(Options options);
    ~StoreResources();
    StoreResources(const StoreResources&) = delete;
    StoreResources& operator=(const StoreResources&) = delete;

private:
    friend class Store;
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Versions to be written together.
class WriteSet {
public:
    WriteSet();
    ~WriteSet();
    WriteSet(WriteSet&&) noexcept;
    WriteSet& operator=(WriteSet&&) noexcept;

    void put(BranchNumber branch, const ObjectKey& object, Lsn lsn, std::string_view value);
    // Everything the branch's log says up to `position` is in this set or the ones written before it.
    void set_position(BranchNumber branch, LogPosition position);

    std::size_t bytes() const;
    bool empty() const;

private:
    friend class Store;
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Walks versions in key order. Sees what was written before it was made. Cheap to make, holds memory: for one request. Not
// thread-safe. Views are valid until the next move.
class Cursor {
public:
    ~Cursor();
    Cursor(Cursor&&) noexcept;
    Cursor& operator=(Cursor&&) noexcept;

    // To the newest version of the object on this branch alone at or below `lsn`; false when there is none.
    Result<bool> seek(BranchNumber branch, const ObjectKey& object, Lsn lsn);
    // After a successful seek: to the next older version of the same object on the same branch.
    Result<bool> next_older();

    // For scans, on a cursor made by Store::scan_cursor(): to the first key at or after (branch, object, newest at or below
    // lsn), which may be of another object or branch.
    Result<bool> seek_at_or_after(BranchNumber branch, const ObjectKey& object, Lsn lsn);
    Result<bool> next();
    Result<VersionKey> key() const;

    Lsn lsn() const;
    std::string_view value() const;

private:
    friend class Store;
    struct Impl;
    explicit Cursor(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// Thread-safe. Errors: corrupt (naming the file), io, unsupported (another format).
class Store {
public:
    // Makes an empty store in a directory that must not exist.
    static Result<std::unique_ptr<Store>> create(const std::filesystem::path& directory, StoreResources& resources);
    static Result<std::unique_ptr<Store>> open(const std::filesystem::path& directory, StoreResources& resources);
    // Flushes what it can.
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    // Visible to cursors made from now on; durable after a later flush().
    Result<void> write(WriteSet set);
    // Everything written before the call is durable when it returns without an error.
    Result<void> flush();
    // How far the branch's log is in durable versions; 0/0 when it never had a position written.
    Lsn durable_lsn(BranchNumber branch) const;
    std::optional<std::chrono::steady_clock::time_point> dirty_since() const;
    std::size_t dirty_bytes() const;

    Cursor cursor() const;       // for seek() and next_older(): uses the bloom filters
    Cursor scan_cursor() const;  // for seek_at_or_after() and next()

    // The branch's position as written last; nullopt: none.
    Result<std::optional<LogPosition>> position(BranchNumber branch) const;

    // Removes all versions of the branch. Not durable before a flush.
    Result<void> erase_branch(BranchNumber branch);

    // The store is going to be removed: background work ends, nothing more is written, not even when it is closed. Reads go on
    // as far as files are open.
    void abandon();

    // Metadata rows: all of the changes or none (nullopt erases); durable on return.
    using MetadataChanges = std::map<std::string, std::optional<std::string>>;
    Result<void> change_metadata(const MetadataChanges& changes);
    Result<std::optional<std::string>> metadata(const std::string& name) const;
    Result<std::map<std::string, std::string>> metadata_with_prefix(const std::string& prefix) const;

    std::uint64_t bytes_on_disk() const;

private:
    struct Impl;
    explicit Store(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace bough::pageserver
