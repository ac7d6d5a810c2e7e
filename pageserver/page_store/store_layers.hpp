// Private to this folder: the layers of one store, and how they are sealed into its files.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <optional>
#include <vector>

#include "pageserver/page_store/branch_table.hpp"
#include "pageserver/page_store/rocksdb_edge.hpp"
#include "pageserver/page_store/seal.hpp"
#include "pageserver/page_store/sealer.hpp"

namespace bough::pageserver {

// Thread-safe. page_store/README.md says why what a crash leaves is right.
class StoreLayers final : public Sealer::Sealed {
public:
    // `db` and `family` (of the versions) outlive this; so do the resources.
    StoreLayers(rocksdb::DB& db, rocksdb::ColumnFamilyHandle& family, std::filesystem::path directory,
                StoreResources::Impl& resources);
    ~StoreLayers() override;

    // Files that sealing left unfinished go. Before anything is sealed.
    Result<void> remove_leftovers();

    // The store's number among all that this process ever opened.
    std::uint64_t id() const { return id_; }
    // What is in memory of the branch, which for the first time takes a look at the files.
    BranchVersions& branch(BranchNumber number) const;
    rocksdb::DB& db() const { return db_; }
    rocksdb::ColumnFamilyHandle& family() const { return family_; }
    // Counts sealings. Whoever takes the layers of a branch and then looks at files through an iterator makes a new iterator when
    // this has changed since: sealed layers leave a branch after it was raised, and it is raised after their file is there.
    std::uint64_t seals() const { return seals_.load(std::memory_order_acquire); }

    void note_write();  // by whoever writes, under the branch's lock
    void note_unflushed() {
        unflushed_ = true;
        note_write();
    }                                            // the memtable holds something that a flush must write
    void layer_is_full(BranchVersions& branch);  // under the branch's lock
    bool is_full(const OpenLayer& layer) const { return layer.bytes() >= layer_bytes_; }

    // Everything written before is durable when this returns without an error.
    Result<void> flush();
    // Nothing of the branch is in layers, or gets into files, when this returns; nobody may write to it meanwhile or later.
    void drop(BranchNumber branch);
    // Nothing is sealed or flushed any more.
    void abandon();
    bool abandoned() const { return abandoned_; }
    // False while its layers cannot be sealed: then it takes nothing more, so that the stores beside it have room.
    bool takes_more() const { return !failed_ && !compaction_is_behind_; }

    std::optional<std::chrono::steady_clock::time_point> dirty_since() const;

    Sealer::Outcome seal(bool open_ones_too) override;
    std::size_t bytes_in_layers() const override;

private:
    void load(BranchVersions& branch) const;
    std::vector<FrozenBranch> frozen() const;
    void freeze_all();
    Result<void> seal_frozen();
    // By the sealer's thread only.
    bool compaction_is_behind();

    rocksdb::DB& db_;
    rocksdb::ColumnFamilyHandle& family_;
    const std::filesystem::path directory_;  // of the files being written
    StoreResources::Impl& resources_;
    const std::size_t layer_bytes_;
    const std::uint64_t id_;
    mutable BranchTable branches_;
    std::atomic<std::uint64_t> seals_ = 0;
    std::atomic<std::int64_t> dirty_since_ = 0;  // of steady_clock, in its units; 0: nothing to flush
    std::atomic<bool> unflushed_ = false;
    std::atomic<bool> abandoned_ = false;
    std::mutex sealing_;       // one at a time; before any branch's lock
    std::uint64_t files_ = 0;  // under sealing_
    std::atomic<bool> failed_ = false;  // the last attempt did; written under sealing_
    std::atomic<bool> compaction_is_behind_ = false;
    std::chrono::steady_clock::time_point behind_since_{};  // the sealer's thread's
};

}  // namespace bough::pageserver
