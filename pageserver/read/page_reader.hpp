// GetPage: pages as of an LSN, put together from their versions.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "bough/error.hpp"
#include "bough/lsn.hpp"
#include "pageserver/branching/branch.hpp"
#include "pageserver/branching/view.hpp"
#include "pageserver/page_store/page_version.hpp"
#include "pageserver/read/histogram.hpp"
#include "pageserver/read/length_cache.hpp"
#include "pageserver/read/owner_cache.hpp"
#include "pageserver/read/page_cache.hpp"
#include "pageserver/read/page_redo.hpp"
#include "pg/page_tag.hpp"

namespace bough::pageserver {

// Counts since the process began. Thread-safe.
struct PageReaderMetrics {
    std::atomic<std::uint64_t> pages_from_cache{0};
    std::atomic<std::uint64_t> pages_from_image{0};
    std::atomic<std::uint64_t> pages_from_edits{0};
    std::atomic<std::uint64_t> pages_from_redo{0};
    std::atomic<std::uint64_t> pages_beyond_end{0};
    std::atomic<std::uint64_t> records_applied{0};
    std::atomic<std::uint64_t> images_written_back{0};
    std::atomic<std::uint64_t> failures{0};
    // Of requests for pages of relations, by the dearest thing that one of their pages took.
    LatencyHistogram latency_cache;
    LatencyHistogram latency_image;
    LatencyHistogram latency_edits;
    LatencyHistogram latency_redo;
    ChainHistogram chain_steps;  // of those from edits and redo
};

// Thread-safe; takes no locks but those of its caches' shards. Callers see to it that the branch is readable at the LSN (Branch::readable_at).
class PageReader {
public:
    // Chains longer than this, unless another number is asked for, are cut: the page is stored back as an image in the place of its newest
    // version read.
    static constexpr std::size_t kChainStepsMax = 64;

    // `cache_bytes`: of pages that are kept as they were made; 0: none are.
    PageReader(PageRedo& redo, PageReaderMetrics& metrics, std::size_t cache_bytes = 0, std::size_t chain_steps_max = kChainStepsMax)
        : redo_(redo), metrics_(metrics), chain_steps_max_(chain_steps_max), cache_(cache_bytes) {}

    std::uint64_t cached_bytes() const { return cache_.bytes(); }

    // Blocks [first, first + pages) of the fork, where `out` has pages * kPageBytes bytes. Blocks at or beyond the fork's end
    // are zeros, and so is a fork that does not exist. Errors: corrupt, io, what redo says.
    Result<void> read(const Branch& branch, const pg::RelationFork& fork, std::uint32_t first, std::span<std::byte> out, Lsn at);
    // The same with a cursor of the branch's store that the caller keeps for several reads. `before_redo`, if any, is called before redo is
    // waited for, which may take long.
    using Call = std::function<void()>;
    Result<void> read(const Branch& branch, Cursor& cursor, const pg::RelationFork& fork, std::uint32_t first,
                      std::span<std::byte> out, Lsn at, const Call* before_redo = nullptr);

    // Pages [first, first + pages) of an SLRU; pages that no version tells of are zeros.
    Result<void> read_slru(const Branch& branch, pg::Slru slru, std::uint32_t first, std::span<std::byte> out, Lsn at);

    // Both store images of pages of forks or SLRUs, at most kPagesPerCut of them, and say how many that were. unavailable: the branch is
    // not readable there yet.
    static constexpr std::size_t kPagesPerCut = 16;  // few, so that redo workers are soon free for others
    // Of those whose chains are long: a page that is written often and read never would otherwise take long to read once.
    Result<std::size_t> cut_chains(const Branch& branch, std::span<const ObjectKey> pages, Lsn at);
    // Of all that are none yet. For history, which is not worth a place in caches.
    Result<std::size_t> make_images(const Branch& branch, std::span<const ObjectKey> pages, Lsn at);

private:
    struct Chain;
    enum class Source { cache, image, edits, redo };
    // Fills `out` from the newest image, or leaves in `chain` what is to be done on top of it.
    Result<void> collect(const Branch& branch, const ObjectKey& object, Lsn at, Cursor& cursor, pg::Page out, Chain& chain);
    // To the newest version, or to the page in the cache: chain.from_cache.
    // An earlier version of the page that is in the cache, put into the chain's base.
    std::optional<Lsn> kept_version(const Branch& branch, Chain& chain);
    Result<bool> find_newest(VersionWalk& walk, const Branch& branch, const ObjectKey& object, pg::Page out, Chain& chain);
    Result<void> rebuild(const Branch& branch, std::span<Chain> chains, std::span<std::byte> out, const Call* before_redo = nullptr);
    static void take_records(Chain& chain);
    Result<std::optional<std::uint32_t>> fork_length(const Branch& branch, const pg::RelationFork& fork, Lsn at, Cursor& cursor);
    void keep(const Branch& branch, const Chain& chain, pg::ConstPage page);
    Result<Source> read_fork(const Branch& branch, Cursor& cursor, const pg::RelationFork& fork, std::uint32_t first,
                             std::span<std::byte> out, Lsn at, const Call* before_redo);
    // The pages need not lie next to one another; `out` has room for as many.
    Result<Source> read_pages(const Branch& branch, std::span<const ObjectKey> pages, Cursor& cursor, std::span<std::byte> out, Lsn at,
                              const Call* before_redo = nullptr);
    // Of those whose chains have more steps than that.
    Result<std::size_t> store_images(const Branch& branch, std::span<const ObjectKey> pages, Lsn at, std::size_t steps_max,
                                     bool fills_caches);
    // False: the version is in no place where another can take it just now.
    Result<bool> write_back(const Branch& branch, const Chain& chain, const std::string& image);

    PageRedo& redo_;
    PageReaderMetrics& metrics_;
    const std::size_t chain_steps_max_;
    PageCache cache_;
    LengthCache lengths_;
    OwnerCache owners_;
};

}  // namespace bough::pageserver
