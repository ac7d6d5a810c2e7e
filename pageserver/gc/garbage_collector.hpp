// Lets old history go: raises cutoffs as time passes, and has files rewritten where that frees enough.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <thread>
#include <utility>

#include "bough/error.hpp"
#include "pageserver/branching/projects.hpp"
#include "pageserver/read/page_reader.hpp"

namespace bough::pageserver {

struct GarbageMetrics {
    std::atomic<std::uint64_t> cutoffs_raised{0};
    std::atomic<std::uint64_t> branches_compacted{0};
    std::atomic<std::uint64_t> images_at_cutoffs{0};
    std::atomic<std::uint64_t> failures{0};
};

struct GarbageCollectorOptions {
    std::chrono::milliseconds erasures = std::chrono::seconds(5);  // how often space of deleted branches is given back
    std::chrono::milliseconds cutoffs = std::chrono::seconds(60);  // how often cutoffs are raised
    // Projects that nobody has open are looked at this often.
    std::chrono::milliseconds sleeping = std::chrono::hours(6);
    // A branch's files are rewritten when its cutoff has moved this far, and by an eighth of what is stored of it.
    std::uint64_t moved_bytes_min = 16ull << 20;
    // Images at a cutoff take space beside what they replace until files are rewritten: no more than of so many pages.
    std::size_t images_at_once = 128 << 10;
};

// Three threads, from construction to destruction: neither what is deleted nor cutoffs wait for files to be rewritten. What it may drop
// is decided by the rows that Project records; a crash at any place leaves garbage, never a gap.
class GarbageCollector {
public:
    GarbageCollector(Projects& projects, PageReader& reader, GarbageMetrics& metrics, GarbageCollectorOptions options = {});
    ~GarbageCollector();
    GarbageCollector(const GarbageCollector&) = delete;
    GarbageCollector& operator=(const GarbageCollector&) = delete;

    // At once, on the caller's thread: everything that the project's branches do not need any more goes.
    Result<void> collect(Project& project);
    // From here on work in files is broken off, also what collect() was asked for: that is then `unavailable`.
    void end() { ending_ = true; }

private:
    void run_cutoffs(const std::stop_token& stop);
    void run_rewrites(const std::stop_token& stop);
    void run_erasures(const std::stop_token& stop);
    void finish_erasures(Project& project);
    void raise_cutoffs(Project& project);
    void rewrite(Project& project);
    void note_failure(const Project& project, const Error& error);
    void note_first_sight(const Project& project);
    void forget_removed_projects();
    bool worth_it(const Branch& branch);
    class Turn;
    enum class Work : std::uint8_t { all, images };  // images: of candidates that are left from before
    Result<void> compact(const Branch& branch, Work work);
    // Of those pages that compactions found to be worth one, and lets go what that frees. No error when some cannot be made just now:
    // that counts as a failure, and the others are made the next time.
    Result<void> make_images(const Branch& branch, const ForkReach& reach);
    struct Images {
        std::size_t count = 0;
        ObjectKey lowest;  // all of them are between these two
        ObjectKey highest;
        bool broken_off = false;
        void add(std::size_t stored, std::span<const ObjectKey> pages);
    };
    // Where images are made: at the cutoff. It may rise meanwhile, and compactions leave nothing to read below it then; but what becomes a
    // candidate by that is for the next time, or there would be no end on a branch that is written to.
    struct Place {
        Lsn at;
        unsigned moves_left = 2;
        bool moves_on(Lsn cutoff) {
            if (cutoff == at || moves_left == 0) return false;
            at = cutoff;
            --moves_left;
            return true;
        }
    };
    Images make_some_images(const Branch& branch, const ForkReach& reach, Place& place);
    Result<std::size_t> images_at(const Branch& branch, std::span<const ObjectKey> pages, Place& place);
    void note_compacted(const Branch& branch, Lsn cutoff);

    Projects& projects_;
    PageReader& reader_;
    GarbageMetrics& metrics_;
    const GarbageCollectorOptions options_;
    std::atomic<bool> ending_ = false;  // work in files is broken off
    std::mutex mutex_;
    // Up to which cutoff each branch has been rewritten. One that is seen for the first time is taken for rewritten: otherwise all
    // files would be after every start. What a crash kept from going goes when the cutoff has moved on.
    std::map<ProjectId, std::map<BranchNumber, Lsn>> compacted_;  // under mutex_
    std::condition_variable turn_ended_;
    std::set<std::pair<ProjectId, BranchNumber>> turns_;  // under mutex_: whose files are being rewritten
    std::jthread cutoff_thread_;
    std::jthread rewriting_thread_;
    std::jthread erasing_thread_;
};

}  // namespace bough::pageserver
