// A branch: where it begins in its parent's history, and how far its own log has been ingested.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "bough/error.hpp"
#include "bough/ids.hpp"
#include "bough/lsn.hpp"
#include "pageserver/branching/ancestor_skip.hpp"
#include "pageserver/history/kept_points.hpp"
#include "pageserver/page_store/rows.hpp"
#include "pageserver/page_store/store.hpp"
#include "pageserver/page_store/touched_set.hpp"
#include "pageserver/page_store/version_key.hpp"

namespace bough::pageserver {

// What is stored of a branch when it is made; never changes.
struct BranchRow {
    BranchId id;
    BranchNumber number;
    std::optional<BranchNumber> parent;  // none: a root, whose first state was imported
    LogPosition start;
    std::int64_t created_at = 0;  // microseconds since 2000-01-01 UTC
};

// Thread-safe. Shared: readers keep a branch (and through it its ancestors and the store) alive while they use it.
class Branch {
public:
    // `ingested`: as the store has it, or the start of a branch that never ingested anything.
    Branch(ProjectId project, BranchRow row, std::shared_ptr<const Branch> parent, std::shared_ptr<Store> store,
           LogPosition ingested, bool hint_bits_logged);
    Branch(const Branch&) = delete;
    Branch& operator=(const Branch&) = delete;

    const ProjectId& project() const { return project_; }
    const BranchRow& row() const { return row_; }
    BranchNumber number() const { return row_.number; }
    const Branch* parent() const { return parent_; }
    unsigned generation() const { return generation_; }  // how many ancestors it has
    Store& store() const { return *store_; }
    // Where the root's history begins: nothing can be read before.
    Lsn history_begin() const { return history_begin_; }
    // Whether there can be versions of its own to read: a branch that nothing was written on is passed over at once.
    bool has_own_versions() const { return parent_ == nullptr || ingest_lsn() > start_; }
    // What it has versions of.
    const TouchedSet& touched() const {
        const TouchedSet* touched = touched_.load(std::memory_order_acquire);
        if (touched == nullptr) touched_.store(touched = &store_->touched(row_.number), std::memory_order_release);
        return *touched;
    }
    // A walk will come here soon, from far away as caches go.
    void prefetch() const { __builtin_prefetch(&parent_); }  // the line of what a walk looks at
    Lsn start() const { return start_; }                     // where it begins in its parent's history
    // The furthest there is from here. Null: there is none from this branch, or not before its ancestors are complete.
    const AncestorSkip* ancestor_skip() const;
    // The cluster has data checksums: hint bits that WAL implies are logged, and redo moves page LSNs with them.
    bool hint_bits_logged() const { return hint_bits_logged_; }
    // "project/branch", for logs.
    std::string name() const;

    // The end of the last record whose changes can be read.
    Lsn ingest_lsn() const { return Lsn{ingest_lsn_.load(std::memory_order_acquire)}; }
    LogPosition ingested() const;
    // By the one who ingests, after the versions were written; wakes those who wait.
    void publish(LogPosition position);

    // Whether a read at `lsn` would be complete: this branch has ingested up to it, and each ancestor up to where its child
    // begins. (After a crash an ancestor may have to catch up with the beginning of a child.)
    bool readable_at(Lsn lsn) const;
    // ErrorCode::timeout; not_found when the branch is deleted meanwhile.
    Result<void> wait_readable(Lsn lsn, std::chrono::steady_clock::time_point deadline) const;
    // Calls `callback` once, from another thread or this one, when readable_at(lsn) may have become true (look again) or
    // the branch was deleted. Nothing and no call if it is readable already.
    using Ticket = std::pair<const Branch*, std::uint64_t>;
    std::optional<Ticket> when_readable(Lsn lsn, std::function<void()> callback) const;
    static void cancel(const Ticket& ticket);

    bool deleted() const { return deleted_.load(std::memory_order_acquire); }
    void mark_deleted();

    // From here on the branch's own history is kept whole; never above what is durable of it. Its beginning until a cutoff was set.
    Lsn cutoff() const { return Lsn{cutoff_.load(std::memory_order_acquire)}; }
    // Whether its own history can be read at `lsn`, at or above its beginning: above the cutoff, or where something pins it.
    bool keeps(Lsn lsn) const { return lsn >= cutoff() || kept()->keeps(lsn); }
    std::shared_ptr<const KeptPoints> kept() const;
    // By Project, after the rows that say so are durable.
    void publish_kept(std::shared_ptr<const KeptPoints> kept);

private:
    // The branch of the chain that has yet to ingest up to that LSN; nullptr when readable.
    std::pair<const Branch*, Lsn> first_behind(Lsn lsn) const;

    struct Waiter {
        Lsn lsn;
        const Branch* reader;  // who waits, for itself or for an ancestor
        std::function<void()> callback;
    };
    // Those whose LSN has come, and those of a reader that was deleted (which may be null).
    void wake(const Branch* deleted) const;

    template <typename T>
    using OfEachReach = std::array<T, AncestorSkip::kReaches.size()>;

    const ProjectId project_;
    const BranchRow row_;
    const std::shared_ptr<Store> store_;
    const bool hint_bits_logged_;
    const std::shared_ptr<const Branch> held_parent_;

    // A walk through many ancestors looks at these of each, and at little else: they share a cache line.
    static_assert(5 * sizeof(void*) + AncestorSkip::kReaches.size() * sizeof(void*) <= 64);
    alignas(64) const Branch* const parent_;  // *held_parent_
    const Lsn start_;                         // the row's
    std::atomic<std::uint64_t> ingest_lsn_;
    mutable std::atomic<const TouchedSet*> touched_ = nullptr;  // the store's, once asked for
    mutable OfEachReach<std::atomic<const AncestorSkip*>> ancestor_skips_{};
    const unsigned generation_;

    const Lsn history_begin_;
    std::atomic<bool> deleted_ = false;
    std::atomic<std::uint64_t> cutoff_;  // of *kept_
    mutable std::atomic<bool> ancestors_complete_ = false;

    const AncestorSkip* ancestor_skip(std::size_t level) const;
    mutable OfEachReach<std::unique_ptr<const AncestorSkip>> owned_ancestor_skips_;  // under mutex_

    mutable std::mutex mutex_;
    mutable std::condition_variable advanced_;
    LogPosition ingested_;                             // under mutex_
    std::shared_ptr<const KeptPoints> kept_;           // under mutex_; nullptr: everything from its beginning on
    mutable std::map<std::uint64_t, Waiter> waiters_;  // under mutex_
    mutable std::uint64_t next_ticket_ = 1;            // under mutex_
};

}  // namespace bough::pageserver
