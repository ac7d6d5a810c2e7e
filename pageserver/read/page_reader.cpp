#include "pageserver/read/page_reader.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <memory_resource>
#include <vector>

#include <spdlog/spdlog.h>

#include "bough/check.hpp"
#include "pageserver/branching/restore_window.hpp"
#include "pageserver/branching/state.hpp"
#include "pageserver/branching/view.hpp"
#include "pg/page_edit.hpp"

namespace bough::pageserver {
namespace {

// One request to redo carries at most this much of one page's history; the rest follows in the next round.
constexpr std::size_t kRoundBytesMax = 1 << 20;
constexpr std::size_t kRoundRecordsMax = 4096;
// Images of a request for more pages than this are not kept in the cache.
constexpr std::size_t kKeptImagesMax = 16;
// Neighbours asked for at once that are worth a sweep through the files.
constexpr std::size_t kSweptPagesMin = 8;
// Steps through the chain of branches beyond which it is remembered where they led.
constexpr unsigned kStepsMax = 4;

// Room for a chain's steps, before it grows.
constexpr std::size_t kStepsAtFirst = 8;
// What a thread keeps of the memory of its reads.
constexpr std::size_t kArenaBytes = 1 << 20;

// The memory of one read's chains. Most of it is the thread's, used again and again: fresh memory of this size costs a page fault for
// every 4 KB. A read within a read, if ever there is one, has memory of its own.
class ChainArena {
public:
    ChainArena() : has_kept_(!std::exchange(kept_is_taken, true)) {
        if (has_kept_)
            resource_.emplace(kept(), kArenaBytes);
        else
            resource_.emplace();
    }
    ~ChainArena() {
        if (has_kept_) kept_is_taken = false;
    }
    ChainArena(const ChainArena&) = delete;
    ChainArena& operator=(const ChainArena&) = delete;

    std::pmr::memory_resource* memory() { return &*resource_; }

private:
    static std::byte* kept() {
        thread_local const auto bytes = std::make_unique_for_overwrite<std::byte[]>(kArenaBytes);
        return bytes.get();
    }
    static inline thread_local bool kept_is_taken = false;
    const bool has_kept_;
    std::optional<std::pmr::monotonic_buffer_resource> resource_;
};

pg::Page page_at(std::span<std::byte> out, std::size_t index) {
    return out.subspan(index * pg::kPageBytes).first<pg::kPageBytes>();
}

std::vector<ObjectKey> consecutive(ObjectKey first, std::size_t count) {
    std::vector<ObjectKey> pages(count, first);
    for (std::size_t i = 0; i < count; ++i) pages[i].block += static_cast<std::uint32_t>(i);
    return pages;
}

Result<void> apply_edits(const ObjectKey& object, pg::Page page, const PageStep& step) {
    if (object.kind == Kind::slru_page) return pg::apply_slru_edits(page, static_cast<pg::Slru>(object.object), step.bytes);
    return pg::apply_page_edits(page, step.bytes, step.lsn);
}

std::string describe(const Branch& branch, const ObjectKey& object) {
    const std::string place = std::to_string(object.tablespace) + "/" + std::to_string(object.database) + "/" +
                              std::to_string(object.object) + " fork " + std::to_string(object.fork) + " block " +
                              std::to_string(object.block);
    return "branch " + branch.name() + ": " +
           (object.kind == Kind::page ? "page " + place
                                      : "SLRU " + std::to_string(object.object) + " page " + std::to_string(object.block));
}

}  // namespace

// What is yet to be done to one page.
struct PageReader::Chain {
    explicit Chain(std::pmr::memory_resource* arena) : steps(arena), records(arena) {}

    ObjectKey object;
    std::size_t index = 0;  // of the page in the output
    // Newest first; taken from the back. Their bytes are in the arena.
    std::pmr::vector<PageStep> steps;
    std::size_t length = 0;  // of steps before any were taken
    // Steps that redo is asked to do now.
    std::pmr::vector<RedoRecord> records;
    enum class Content : std::uint8_t { zeros, base, output };
    Content content = Content::zeros;  // where the page is as it is before the remaining steps
    std::byte* base = nullptr;         // a page in the arena, once needed
    bool used_redo = false;
    BranchNumber newest_branch;
    Lsn newest_lsn;
    Lsn newest_at;  // up to where that is the branch's newest
    bool look_in_cache = true;
    bool from_cache = false;  // the page is in the output

    bool done() const { return steps.empty(); }

    pg::Page base_page() {
        if (base == nullptr)
            base = static_cast<std::byte*>(steps.get_allocator().resource()->allocate(pg::kPageBytes, alignof(std::max_align_t)));
        return pg::Page(base, pg::kPageBytes);
    }
    // For steps that change the page in place.
    void move_to(pg::Page output) {
        if (content == Content::zeros) std::ranges::fill(output, std::byte{0});
        if (content == Content::base) std::ranges::copy(base_page(), output.begin());
        content = Content::output;
    }
    // For redo, which makes the next page beside the one it is given; nullptr stands for zeros.
    const std::byte* redo_base(pg::Page output) {
        if (content == Content::output) std::ranges::copy(output, base_page().begin());
        return std::exchange(content, Content::output) == Content::zeros ? nullptr : base;
    }
};

Result<bool> PageReader::find_newest(VersionWalk& walk, const Branch& branch, const ObjectKey& object, pg::Page out,
                                     Chain& chain) {
    const PageCache::Key inherited{branch.store().id(), branch.number(), object};
    const bool inherits = branch.generation() > kStepsMax && walk.bound() >= branch.row().start.lsn;
    bool known = false;
    const auto jump = [&] {
        const auto owner = owners_.get(inherited);
        if (owner) walk.jump_to(*owner->branch, owner->bound);
        return known = owner.has_value();
    };
    const auto remember = [&](const Branch& owner, Lsn bound) {
        if (inherits && !known && walk.steps() > kStepsMax) owners_.put(inherited, {&owner, bound});
    };
    bool there = inherits && !walk.at_candidate() && jump();
    while (there || walk.to_candidate()) {
        const Branch& candidate = walk.branch();
        const Lsn bound = walk.bound();
        const PageCache::Key key{branch.store().id(), candidate.number(), object};
        const auto unchanged = [&](Lsn since) { return branch.store().unchanged(key.branch, object, since, bound); };
        if (chain.look_in_cache && cache_.get(key, bound, out, unchanged)) {
            chain.from_cache = true;
            remember(candidate, bound);
            return true;
        }
        BOUGH_ASSIGN(const bool found, walk.seek_in_candidate());
        if (found) {
            chain.newest_at = bound;
            remember(candidate, bound);
            return true;
        }
        there = inherits && &candidate == &branch && jump();
    }
    return false;
}

std::optional<Lsn> PageReader::kept_version(const Branch& branch, Chain& chain) {
    std::array<std::byte, pg::kPageBytes> page;
    const auto kept = cache_.get_below({branch.store().id(), chain.newest_branch, chain.object}, chain.newest_lsn, page);
    if (kept) std::ranges::copy(page, chain.base_page().begin());
    return kept;
}

Result<void> PageReader::collect(const Branch& branch, const ObjectKey& object, Lsn at, Cursor& cursor, pg::Page out,
                                 Chain& chain) {
    chain.object = object;
    std::pmr::memory_resource* arena = chain.steps.get_allocator().resource();
    thread_local std::vector<PageStep> decoded;  // its memory is used again
    VersionWalk walk(cursor, branch, object, at);
    bool newest = true;
    std::optional<Lsn> kept;  // version that is in chain.base_page()
    while (true) {
        const Result<bool> found = newest ? find_newest(walk, branch, object, out, chain) : walk.next();
        if (!found) return found.error().within(describe(branch, object));
        if (chain.from_cache) return {};
        if (!*found) {
            if (newest && object.kind == Kind::slru_page) return {};
            return Error{ErrorCode::corrupt, describe(branch, object) + " has no beginning below " + at.to_string(), {}};
        }
        if (newest) {
            chain.newest_branch = walk.branch().number();
            chain.newest_lsn = walk.lsn();
            newest = false;
            // A page that goes on being changed is not made from its beginning each time.
            if (chain.look_in_cache && !is_base_version(walk.value())) kept = kept_version(branch, chain);
        }
        if (kept && walk.branch().number() == chain.newest_branch && walk.lsn() <= *kept) {
            chain.content = Chain::Content::base;
            return {};
        }
        decoded.clear();
        if (const auto parsed = decode_page_version(walk.value(), walk.lsn(), decoded); !parsed)
            return parsed.error().within(describe(branch, object) + " at " + walk.lsn().to_string());
        for (const PageStep& step : decoded) {
            if (step.type == PageStep::Type::zero) {
                chain.content = Chain::Content::zeros;
                return {};
            }
            if (step.type == PageStep::Type::image) {
                chain.content = chain.done() ? Chain::Content::output : Chain::Content::base;
                step.write_page(chain.done() ? out : chain.base_page());
                return {};
            }
            if (chain.steps.capacity() == 0) chain.steps.reserve(kStepsAtFirst);
            chain.steps.push_back(step.copied_to(static_cast<char*>(arena->allocate(step.size(), 1))));
            if (step.is_base()) return {};
        }
    }
}

Result<void> PageReader::rebuild(const Branch& branch, std::span<Chain> chains, std::span<std::byte> out,
                                 const Call* before_redo) {
    std::vector<RedoJob> jobs;
    jobs.reserve(chains.size());
    while (true) {
        jobs.clear();
        for (Chain& chain : chains) {
            const pg::Page page = page_at(out, chain.index);
            for (; !chain.done() && chain.steps.back().type == PageStep::Type::edits; chain.steps.pop_back()) {
                chain.move_to(page);
                if (const auto edited = apply_edits(chain.object, page, chain.steps.back()); !edited)
                    return edited.error().within(describe(branch, chain.object));
            }
            if (chain.done()) continue;
            take_records(chain);
            metrics_.records_applied.fetch_add(chain.records.size(), std::memory_order_relaxed);
            RedoJob& job = jobs.emplace_back();
            job.request.tag = {chain.object.relation_fork(), chain.object.block};
            job.request.base = chain.redo_base(page);
            job.request.records = chain.records;
            job.request.hint_bits_logged = branch.hint_bits_logged();
            job.page = page.data();
        }
        if (jobs.empty()) return {};
        if (before_redo != nullptr) (*before_redo)();
        redo_.apply_many(jobs);
        for (const RedoJob& job : jobs)
            if (!job.result) return job.result.error().within(describe(branch, ObjectKey::page(job.request.tag)));
    }
}

// The next records of the chain, as many as go into one request.
void PageReader::take_records(Chain& chain) {
    chain.records.clear();
    chain.records.reserve(std::min(chain.steps.size(), kRoundRecordsMax));
    std::size_t bytes = 0;
    while (!chain.done() && chain.steps.back().type == PageStep::Type::record && bytes < kRoundBytesMax &&
           chain.records.size() < kRoundRecordsMax) {
        const PageStep& step = chain.steps.back();
        chain.records.push_back({step.record_start, step.lsn, std::as_bytes(std::span(step.bytes))});
        bytes += step.bytes.size();
        chain.steps.pop_back();
    }
    BOUGH_CHECK(!chain.records.empty());
    chain.used_redo = true;
}

Result<PageReader::Source> PageReader::read_pages(const Branch& branch, std::span<const ObjectKey> pages, Cursor& cursor,
                                                  std::span<std::byte> out, Lsn at, const Call* before_redo) {
    ChainArena arena;
    std::vector<Chain> chains;
    Source dearest = Source::cache;
    cursor.expect_neighbours(pages.size() >= kSweptPagesMin);
    for (std::size_t i = 0; i < pages.size(); ++i) {
        Chain chain(arena.memory());
        chain.index = i;
        BOUGH_TRY(collect(branch, pages[i], at, cursor, page_at(out, i), chain));
        chain.length = chain.steps.size();
        if (!chain.done()) {
            chains.push_back(std::move(chain));
            continue;
        }
        if (chain.from_cache) {
            metrics_.pages_from_cache.fetch_add(1, std::memory_order_relaxed);
            continue;
        }
        chain.move_to(page_at(out, i));
        dearest = Source::image;
        metrics_.pages_from_image.fetch_add(1, std::memory_order_relaxed);
        // Who reads ahead in bulk keeps the pages himself.
        if (pages.size() <= kKeptImagesMax) keep(branch, chain, page_at(out, i));
    }
    BOUGH_TRY(rebuild(branch, chains, out, before_redo));
    for (const Chain& chain : chains) {
        keep(branch, chain, page_at(out, chain.index));
        dearest = std::max(dearest, chain.used_redo ? Source::redo : Source::edits);
        metrics_.chain_steps.add(chain.length);
        (chain.used_redo ? metrics_.pages_from_redo : metrics_.pages_from_edits).fetch_add(1, std::memory_order_relaxed);
        if (chain.length <= chain_steps_max_) continue;
        if (const auto written = write_back(branch, chain, encode_image(page_at(out, chain.index))); !written)
            spdlog::warn("{}", written.error().to_string());
    }
    return dearest;
}

void PageReader::keep(const Branch& branch, const Chain& chain, pg::ConstPage page) {
    if (!chain.newest_lsn.valid()) return;  // an SLRU page that no version tells of
    cache_.put({branch.store().id(), chain.newest_branch, chain.object}, {chain.newest_lsn, chain.newest_at}, page);
}

Result<std::optional<std::uint32_t>> PageReader::fork_length(const Branch& branch, const pg::RelationFork& fork, Lsn at,
                                                             Cursor& cursor) {
    // Of the branch itself nothing is known below where it began; there its parent is asked.
    if (at < branch.row().start.lsn) return read_fork_length(cursor, branch, fork, at);
    const PageCache::Key key{branch.store().id(), branch.number(), ObjectKey::fork_length(fork)};
    const auto unchanged = [&](Lsn since) { return branch.store().unchanged(key.branch, key.object, since, at); };
    if (const auto known = lengths_.get(key, at, unchanged)) return *known;
    BOUGH_ASSIGN(const auto length, read_fork_length(cursor, branch, fork, at));
    lengths_.put(key, at, at, length);
    return length;
}

Result<bool> PageReader::write_back(const Branch& branch, const Chain& chain, const std::string& image) {
    // The image says what the versions up to this one amount to, so it may take this one's place; those below stay for reads
    // at earlier positions.
    const auto written = branch.store().replace_by_image(chain.newest_branch, chain.object, chain.newest_lsn, image);
    if (!written) return written.error().within(describe(branch, chain.object) + ": could not store an image");
    if (*written) metrics_.images_written_back.fetch_add(1, std::memory_order_relaxed);
    return *written;
}

Result<void> PageReader::read(const Branch& branch, const pg::RelationFork& fork, std::uint32_t first, std::span<std::byte> out,
                              Lsn at) {
    Cursor cursor = branch.store().cursor();
    return read(branch, cursor, fork, first, out, at);
}

Result<void> PageReader::read(const Branch& branch, Cursor& cursor, const pg::RelationFork& fork, std::uint32_t first,
                              std::span<std::byte> out, Lsn at, const Call* before_redo) {
    BOUGH_CHECK(out.size() % pg::kPageBytes == 0);
    const auto begun = std::chrono::steady_clock::now();
    auto source = read_fork(branch, cursor, fork, first, out, at, before_redo);
    // History that fell out of the restore window meanwhile may have gone in the middle of the read, whatever came of it.
    if (const auto reaches = check_history_reaches(branch, at); !reaches) source = reaches.error();
    if (!source) {
        metrics_.failures.fetch_add(1, std::memory_order_relaxed);
        return source.error();
    }
    LatencyHistogram& histogram = *source == Source::cache   ? metrics_.latency_cache
                                  : *source == Source::redo  ? metrics_.latency_redo
                                  : *source == Source::edits ? metrics_.latency_edits
                                                             : metrics_.latency_image;
    histogram.add(static_cast<std::uint64_t>(std::chrono::nanoseconds(std::chrono::steady_clock::now() - begun).count()));
    return {};
}

Result<PageReader::Source> PageReader::read_fork(const Branch& branch, Cursor& cursor, const pg::RelationFork& fork,
                                                 std::uint32_t first, std::span<std::byte> out, Lsn at, const Call* before_redo) {
    const std::size_t pages = out.size() / pg::kPageBytes;
    BOUGH_ASSIGN(const auto length, fork_length(branch, fork, at, cursor));
    const std::uint32_t end = length.value_or(0);
    const std::size_t there = first < end ? std::min<std::size_t>(pages, end - first) : 0;
    if (there < pages) {
        std::ranges::fill(out.subspan(there * pg::kPageBytes), std::byte{0});
        metrics_.pages_beyond_end.fetch_add(pages - there, std::memory_order_relaxed);
        if (!length)
            spdlog::debug("branch {}: read of {}/{}/{} fork {}, which is not there at {}", branch.name(),
                          fork.relation.tablespace, fork.relation.database, fork.relation.number, static_cast<int>(fork.fork),
                          at.to_string());
    }
    if (there == 0) return Source::cache;
    return read_pages(branch, consecutive(ObjectKey::page({fork, first}), there), cursor, out, at, before_redo);
}

Result<void> PageReader::read_slru(const Branch& branch, pg::Slru slru, std::uint32_t first, std::span<std::byte> out, Lsn at) {
    BOUGH_CHECK(out.size() % pg::kPageBytes == 0);
    Cursor cursor = branch.store().cursor();
    const auto pages = consecutive(ObjectKey::slru_page(slru, first), out.size() / pg::kPageBytes);
    const auto source = read_pages(branch, pages, cursor, out, at);
    BOUGH_TRY(check_history_reaches(branch, at));
    if (!source) return source.error();
    return {};
}

Result<std::size_t> PageReader::cut_chains(const Branch& branch, std::span<const ObjectKey> pages, Lsn at) {
    return store_images(branch, pages, at, chain_steps_max_, /*fills_caches=*/true);
}

Result<std::size_t> PageReader::make_images(const Branch& branch, std::span<const ObjectKey> pages, Lsn at) {
    return store_images(branch, pages, at, /*steps_max=*/0, /*fills_caches=*/false);
}

Result<std::size_t> PageReader::store_images(const Branch& branch, std::span<const ObjectKey> pages, Lsn at,
                                             std::size_t steps_max, bool fills_caches) {
    BOUGH_CHECK(pages.size() <= kPagesPerCut);
    // An image would hide for good what an ancestor has yet to ingest again after a crash.
    if (!branch.readable_at(at))
        return Error{ErrorCode::unavailable, "branch " + branch.name() + " cannot be read at " + at.to_string() + " yet",
                     "its ancestors catch up first"};
    std::vector<std::byte> out(pages.size() * pg::kPageBytes);
    ChainArena arena;
    Cursor cursor = branch.store().cursor(fills_caches);
    std::vector<Chain> chains;
    for (std::size_t i = 0; i < pages.size(); ++i) {
        Chain chain(arena.memory());
        chain.index = i;
        chain.look_in_cache = false;
        BOUGH_TRY(collect(branch, pages[i], at, cursor, page_at(out, i), chain));
        if (chain.steps.size() > steps_max) chains.push_back(std::move(chain));
    }
    BOUGH_TRY(rebuild(branch, chains, out));
    std::size_t stored = 0;
    for (const Chain& chain : chains) {
        if (fills_caches) keep(branch, chain, page_at(out, chain.index));
        const pg::Page page = page_at(out, chain.index);
        BOUGH_ASSIGN(const bool written, write_back(branch, chain, fills_caches ? encode_image(page) : encode_kept_image(page)));
        stored += written ? 1 : 0;
    }
    return stored;
}

}  // namespace bough::pageserver
