// A project's store: versions of pages and other objects by (branch, object, LSN), and a few metadata rows.
//
// Versions go to memory first, into the open layer of their branch; layers that are full, old or to be flushed are sealed: written
// as one sorted SST file and made part of the store in one step, with the log positions that they amount to. The safekeepers' WAL
// is their log: what a crash leaves of a branch is everything up to one of its positions. Metadata rows are durable when the call
// that writes them returns.
//
// The only place that knows RocksDB.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "pageserver/history/histories.hpp"
#include "pageserver/page_store/rows.hpp"
#include "pageserver/page_store/touched_set.hpp"
#include "pageserver/page_store/version_key.hpp"

namespace rocksdb {
class Env;
}

namespace bough::pageserver {

// What all stores of a process share: caches, background threads and their limits. Outlives every store.
class StoreResources {
public:
    struct Options {
        std::size_t block_cache_bytes = 256ull << 20;
        std::size_t open_bytes_max = 512ull << 20;  // in layers of all stores together; beyond it, ingest waits
        std::size_t layer_bytes = 64ull << 20;      // at which a branch's open layer is sealed
        std::size_t file_bytes = 64ull << 20;       // that compaction writes before it begins the next file
        int background_threads = 2;
    };
    // `files`: where stores are; null: the machine's own. Tests have files that forget.
    explicit StoreResources(Options options, rocksdb::Env* files = nullptr);
    ~StoreResources();
    StoreResources(const StoreResources&) = delete;
    StoreResources& operator=(const StoreResources&) = delete;

    const Options& options() const;
    struct Counts {
        std::size_t open_bytes = 0;       // in layers that are not sealed yet
        std::uint64_t layers_sealed = 0;  // since the process began, as the rest
        std::uint64_t seal_failures = 0;
        std::uint64_t seal_microseconds = 0;
        std::uint64_t sealed_file_bytes = 0;
        std::uint64_t waits_for_room = 0;
        std::size_t block_cache_bytes = 0;
        std::size_t block_cache_pinned_bytes =
            0;  // of these: in use by readers and compactions, or of what is kept for the next reader
    };
    Counts counts() const;
    struct Impl;  // of this folder

private:
    friend class Store;
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

class BranchVersions;
class OpenLayer;
class StoreLayers;

// Writes versions of one branch, straight into its open layer. While it exists nobody else writes to the branch: it is for a set
// that is at hand. A position that is set says that everything up to it has been put; layers end at positions.
class BranchWrite {
public:
    ~BranchWrite();
    BranchWrite(BranchWrite&&) noexcept;
    BranchWrite& operator=(BranchWrite&&) = delete;

    // `hash`: the object's hash_object(). `is_base`: the value needs nothing older (for kinds that have runs; others never do). Returns how many
    // versions of the object now build on one another in the open layer.
    std::uint32_t put(const ObjectKey& object, std::uint64_t hash, Lsn lsn, std::string_view value, bool is_base);
    // An object of that hash is going to be put: its place is fetched into the processor's cache meanwhile. First the slot, and once that is
    // there what it leads to.
    void fetch_slot(std::uint64_t hash);
    void fetch_object(std::uint64_t hash);
    void set_position(LogPosition position);

private:
    friend class Store;
    BranchWrite(StoreLayers& store, BranchVersions& branch);
    OpenLayer& layer();
    StoreLayers* store_;
    BranchVersions* branch_;  // null: moved from
    std::unique_lock<std::mutex> lock_;
    OpenLayer* layer_ = nullptr;  // the branch's, once it was asked for
};

// Finds versions, wherever they are: in layers or files. Sees what was written before it was moved there. Cheap to make, holds memory:
// for one turn of requests. Must not outlive the store. Not thread-safe. Views are valid until the next move.
class Cursor {
public:
    ~Cursor();
    Cursor(Cursor&&) noexcept;
    Cursor& operator=(Cursor&&) noexcept;

    // What comes next are the pages of a fork, many and one after the other, or not: then it takes a few until that is noticed.
    void expect_neighbours(bool expected);

    // To the newest version of the object on this branch alone at or below `lsn`; false when there is none.
    Result<bool> seek(BranchNumber branch, const ObjectKey& object, Lsn lsn);
    // After a successful seek: to the next older version of the same object on the same branch.
    Result<bool> next_older();

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

    // Durable after a later flush(), or when its layer has been sealed. Waits while all stores hold too much; `unavailable` when that
    // lasts.
    Result<void> write(WriteSet set);
    // Whether it should be given more: not when all stores hold too much, nor when this one cannot get rid of what it has. Who finds
    // that it should not leaves the rest with its source until then.
    bool has_room() const;
    bool wait_for_room(std::chrono::steady_clock::time_point deadline);
    // The same as write() for one branch, without a copy and without waiting (has_room()).
    Result<BranchWrite> write_to(BranchNumber branch);
    // Puts the image that a page's version at exactly `lsn`, and those below it, amount to in that version's place. It need not
    // outlive a crash. False when the version is being sealed just now, or is not there: nothing happens.
    Result<bool> replace_by_image(BranchNumber branch, const ObjectKey& page, Lsn lsn, std::string_view image);
    // Everything written before the call is durable when it returns without an error.
    Result<void> flush();
    // How far the branch's log is in durable versions; 0/0 when it never had a position written.
    Lsn durable_lsn(BranchNumber branch) const;
    std::optional<std::chrono::steady_clock::time_point> dirty_since() const;
    std::size_t dirty_bytes() const;

    // To be called now and then: gives up what is kept for readers if none came since the last time.
    void drop_unused_seekers();

    // Who reads much that nobody reads again does not fill the block cache with it.
    Cursor cursor(bool fills_block_cache = true) const;
    // Adds to `found` the values that the objects of [begin, end), which are none with runs, have at `at` on this branch alone; those
    // that are in it already stay.
    Result<void> scan(BranchNumber branch, const ObjectKey& begin, const ObjectKey& end, Lsn at,
                      std::map<ObjectKey, std::string>& found) const;

    // The branch's position as written last; nullopt: none.
    Result<std::optional<LogPosition>> position(BranchNumber branch) const;

    // Which objects the branch has versions of, roughly (by hash_object()). Stays as long as the store.
    const TouchedSet& touched(BranchNumber branch) const;
    // For caches: true when the branch certainly has no version of the object in (since, at], where all versions up to `at` have been
    // written. False when that cannot be told without a look into files.
    bool unchanged(BranchNumber branch, const ObjectKey& object, Lsn since, Lsn at) const;
    // The store's number among all that this process ever opened.
    std::uint64_t id() const;

    // Removes all versions of the branch, to which nothing can be written any more (`not_found`). Not durable before a flush;
    // compact_branches() gives back what then still takes space.
    Result<void> erase_branch(BranchNumber branch);

    // What compactions drop versions by: nothing goes before something is set here.
    Histories& histories() const;
    // Rewrites the files with versions of the branches from `first` to `last`, which lets go what is not needed any more. Waits for it;
    // `unavailable` when the store is abandoned or closed meanwhile, or `cancelled` (which may be null) becomes true.
    Result<void> compact_branches(BranchNumber first, BranchNumber last, std::atomic<bool>* cancelled = nullptr);
    // The same with its objects from `first` to `last` only.
    Result<void> compact_objects(BranchNumber branch, const ObjectKey& first, const ObjectKey& last,
                                 std::atomic<bool>* cancelled = nullptr);
    // Pages of the branch of which compactions found, while a ForkReach was set, that less would be stored with an image at the cutoff:
    // at most so many, in their order. What is forgotten or was too much is found again.
    std::vector<ObjectKey> take_image_candidates(BranchNumber branch, std::size_t pages_max);
    bool has_image_candidates(BranchNumber branch) const;
    void forget_image_candidates(BranchNumber branch);
    // Bytes of the branch's own versions, those of its parent not counted. Cheap to ask.
    struct BranchSize {
        std::uint64_t files = 0;   // as they are stored, compressed
        std::uint64_t memory = 0;  // in layers that are yet to be sealed
    };
    Result<BranchSize> branch_bytes(BranchNumber branch) const;
    // BranchSize::files of every branch that has any, deleted ones too as long as they take space.
    Result<std::map<BranchNumber, std::uint64_t>> file_bytes_by_branch() const;
    // The same by kind. What earlier builds wrote is counted once a compaction has rewritten it.
    Result<std::map<Kind, std::uint64_t>> file_bytes_by_kind() const;
    // What compactions have yet to rewrite, estimated.
    std::uint64_t compaction_debt_bytes() const;

    // The store is going to be removed: background work ends, nothing more is written, not even when it is closed. Reads go on
    // as far as files are open.
    void abandon();

    // Metadata rows: all of the changes or none (nullopt erases); durable on return.
    using MetadataChanges = std::map<std::string, std::optional<std::string>>;
    Result<void> change_metadata(const MetadataChanges& changes);
    Result<std::optional<std::string>> metadata(const std::string& name) const;
    Result<std::map<std::string, std::string>> metadata_with_prefix(const std::string& prefix) const;

    std::uint64_t bytes_on_disk() const;
    StoreResources& resources() const;

private:
    struct Impl;
    explicit Store(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace bough::pageserver
