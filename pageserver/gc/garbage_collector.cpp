#include "pageserver/gc/garbage_collector.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include <spdlog/spdlog.h>

#include "pageserver/branching/postgres_time.hpp"

namespace bough::pageserver {
namespace {

using Clock = std::chrono::steady_clock;

// False when it is to end.
bool wait(const std::stop_token& stop, std::chrono::milliseconds duration) {
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    stopped.wait_for(lock, stop, duration, [] { return false; });
    return !stop.stop_requested();
}

Error ended_early() { return Error{ErrorCode::unavailable, "the collection was ended early", {}}; }

}  // namespace

GarbageCollector::GarbageCollector(Projects& projects, PageReader& reader, GarbageMetrics& metrics,
                                   GarbageCollectorOptions options)
    : projects_(projects),
      reader_(reader),
      metrics_(metrics),
      options_(options),
      cutoff_thread_([this](const std::stop_token& stop) { run_cutoffs(stop); }),
      rewriting_thread_([this](const std::stop_token& stop) { run_rewrites(stop); }),
      erasing_thread_([this](const std::stop_token& stop) { run_erasures(stop); }) {}

GarbageCollector::~GarbageCollector() {
    end();
    for (std::jthread* thread : {&cutoff_thread_, &rewriting_thread_, &erasing_thread_}) thread->request_stop();
    for (std::jthread* thread : {&cutoff_thread_, &rewriting_thread_, &erasing_thread_}) thread->join();
}

void GarbageCollector::run_cutoffs(const std::stop_token& stop) {
    while (wait(stop, options_.cutoffs)) {
        for (const ProjectId& id : projects_.ids()) {
            if (stop.stop_requested()) return;
            if (const auto project = projects_.project_if_open(id)) raise_cutoffs(*project);
        }
    }
}

void GarbageCollector::run_rewrites(const std::stop_token& stop) {
    auto next_sleeping = Clock::now() + options_.sleeping;
    while (wait(stop, options_.cutoffs)) {
        forget_removed_projects();
        const bool sleeping = Clock::now() >= next_sleeping;
        if (sleeping) next_sleeping = Clock::now() + options_.sleeping;
        // One at a time, so that none is held while another is worked on.
        for (const ProjectId& id : projects_.ids()) {
            if (stop.stop_requested()) return;
            if (!sleeping) {
                if (const auto project = projects_.project_if_open(id)) rewrite(*project);
                continue;
            }
            if (const auto project = projects_.look_at(id)) {
                finish_erasures(**project);
                raise_cutoffs(**project);
                rewrite(**project);
            }
            // Those nobody has used since the start, which are most of them, are not left open until the round is over.
            projects_.close_unused(id);
        }
    }
}

void GarbageCollector::run_erasures(const std::stop_token& stop) {
    while (wait(stop, options_.erasures)) {
        for (const ProjectId& id : projects_.ids()) {
            if (stop.stop_requested()) return;
            if (const auto project = projects_.project_if_open(id)) finish_erasures(*project);
        }
    }
}

void GarbageCollector::note_failure(const Project& project, const Error& error) {
    if (error.code == ErrorCode::unavailable || error.code == ErrorCode::not_found) return;  // it is being closed or removed
    metrics_.failures.fetch_add(1, std::memory_order_relaxed);
    spdlog::warn("project {}: could not collect garbage: {}", project.id().str(), error.to_string());
}

void GarbageCollector::finish_erasures(Project& project) {
    if (const auto erased = project.finish_erasures(&ending_); !erased) note_failure(project, erased.error());
}

void GarbageCollector::raise_cutoffs(Project& project) {
    note_first_sight(project);
    const auto raised = project.advance_cutoffs(now_in_postgres_time());
    if (!raised) return note_failure(project, raised.error());
    metrics_.cutoffs_raised.fetch_add(raised->size(), std::memory_order_relaxed);
}

// Not only those whose cutoffs moved just now: a compaction that failed is tried again.
void GarbageCollector::rewrite(Project& project) {
    note_first_sight(project);
    for (const auto& branch : project.branches()) {
        if (ending_) return;
        if (branch->deleted()) continue;
        const bool all = worth_it(*branch);
        if (!all && !branch->store().has_image_candidates(branch->number())) continue;
        const Lsn cutoff = branch->cutoff();
        const auto compacted = compact(*branch, all ? Work::all : Work::images);
        if (compacted || ending_) continue;
        note_failure(project, compacted.error());
        // What is damaged stays so, and the branch's other files are not to be rewritten over and over.
        if (all && compacted.error().code == ErrorCode::corrupt) note_compacted(*branch, cutoff);
    }
}

void GarbageCollector::note_first_sight(const Project& project) {
    const std::lock_guard lock(mutex_);
    std::map<BranchNumber, Lsn> now;
    for (const auto& branch : project.branches()) now.emplace(branch->number(), branch->cutoff());
    std::map<BranchNumber, Lsn>& known = compacted_[project.id()];
    std::erase_if(known, [&](const auto& entry) { return !now.contains(entry.first); });
    known.merge(now);
}

void GarbageCollector::forget_removed_projects() {
    const std::vector<ProjectId> ids = projects_.ids();
    const std::lock_guard lock(mutex_);
    std::erase_if(compacted_, [&](const auto& entry) { return !std::ranges::binary_search(ids, entry.first); });
}

void GarbageCollector::note_compacted(const Branch& branch, Lsn cutoff) {
    const std::lock_guard lock(mutex_);
    compacted_[branch.project()][branch.number()] = cutoff;
}

bool GarbageCollector::worth_it(const Branch& branch) {
    Lsn compacted = branch.row().start.lsn;
    {
        const std::lock_guard lock(mutex_);
        const auto& known = compacted_[branch.project()];
        if (const auto found = known.find(branch.number()); found != known.end()) compacted = found->second;
    }
    const Lsn cutoff = branch.cutoff();
    if (cutoff <= compacted || cutoff - compacted < options_.moved_bytes_min) return false;
    const auto stored = branch.store().branch_bytes(branch.number());
    return stored && cutoff - compacted >= stored->files / 8;
}

// One at a time of each branch: who ends takes the reach away, by which compactions look for candidates.
class GarbageCollector::Turn {
public:
    Turn(GarbageCollector& collector, const Branch& branch) : collector_(collector), branch_(branch.project(), branch.number()) {
        std::unique_lock lock(collector_.mutex_);
        collector_.turn_ended_.wait(lock, [this] { return !collector_.turns_.contains(branch_); });
        collector_.turns_.insert(branch_);
    }
    ~Turn() {
        const std::lock_guard lock(collector_.mutex_);
        collector_.turns_.erase(branch_);
        collector_.turn_ended_.notify_all();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

private:
    GarbageCollector& collector_;
    const std::pair<ProjectId, BranchNumber> branch_;
};

Result<void> GarbageCollector::compact(const Branch& branch, Work work) {
    const Turn turn(*this, branch);
    const Lsn cutoff = branch.cutoff();
    Store& store = branch.store();
    BOUGH_ASSIGN(ForkReach read, read_fork_reach(branch, *branch.kept()));
    const auto reach = std::make_shared<const ForkReach>(std::move(read));
    store.histories().set_reach(branch.number(), reach);
    Result<void> done;
    if (work == Work::all) {
        store.forget_image_candidates(branch.number());  // those that still are some are found again
        done = store.compact_branches(branch.number(), branch.number(), &ending_);
        if (done) {
            metrics_.branches_compacted.fetch_add(1, std::memory_order_relaxed);
            note_compacted(branch, cutoff);
        }
    }
    if (done) done = make_images(branch, *reach);
    store.histories().set_reach(branch.number(), nullptr);
    return done;
}

Result<void> GarbageCollector::make_images(const Branch& branch, const ForkReach& reach) {
    Place place{branch.cutoff()};
    if (!branch.readable_at(place.at)) return {};  // they are still candidates next time
    while (true) {
        const Images made = make_some_images(branch, reach, place);
        if (made.broken_off) metrics_.failures.fetch_add(1, std::memory_order_relaxed);
        if (ending_) return ended_early();
        if (made.count == 0) return {};
        metrics_.images_at_cutoffs.fetch_add(made.count, std::memory_order_relaxed);
        // The images have to be in files for a compaction to see that they are bases.
        BOUGH_TRY(branch.store().flush());
        BOUGH_TRY(branch.store().compact_objects(branch.number(), made.lowest, made.highest, &ending_));
        if (made.broken_off) return {};
    }
}

void GarbageCollector::Images::add(std::size_t stored, std::span<const ObjectKey> pages) {
    if (stored == 0) return;
    const auto [low, high] = std::ranges::minmax(pages);
    lowest = count == 0 ? low : std::min(lowest, low);
    highest = count == 0 ? high : std::max(highest, high);
    count += stored;
}

Result<std::size_t> GarbageCollector::images_at(const Branch& branch, std::span<const ObjectKey> pages, Place& place) {
    auto stored = reader_.make_images(branch, pages, place.at);
    if (stored || ending_ || !place.moves_on(branch.cutoff())) return stored;
    return reader_.make_images(branch, pages, place.at);
}

GarbageCollector::Images GarbageCollector::make_some_images(const Branch& branch, const ForkReach& reach, Place& place) {
    Images made;
    while (made.count < options_.images_at_once && !branch.deleted() && !ending_) {
        std::vector<ObjectKey> pages = branch.store().take_image_candidates(branch.number(), PageReader::kPagesPerCut);
        if (pages.empty()) break;
        // An earlier compaction may have found what lies beyond the end of its fork, and is gone by now.
        std::erase_if(pages, [&](const ObjectKey& page) { return reach.out_of_reach(page, std::min(place.at, reach.known_to)); });
        if (pages.empty()) continue;
        if (const auto stored = images_at(branch, pages, place)) {
            made.add(*stored, pages);
            continue;
        }
        if (branch.cutoff() > place.at) break;  // not damage: what is there to read is at another place again
        // One that cannot be read keeps its changes, and keeps no other from its image; whoever reads it is told.
        bool all_failed = true;
        std::optional<Error> failure;
        for (const ObjectKey& page : pages) {
            const auto stored = images_at(branch, {&page, 1}, place);
            made.add(stored ? *stored : 0, {&page, 1});
            all_failed = all_failed && !stored && stored.error().code != ErrorCode::corrupt;
            if (!stored) failure = stored.error();
        }
        if (failure && !branch.deleted() && !ending_)
            spdlog::warn("branch {}: could not make images at {}: {}", branch.name(), place.at.to_string(), failure->to_string());
        // Redo or the disk does not work just now. The others are candidates still when it is tried again, and these when the files are
        // rewritten the next time.
        if (all_failed || (failure && failure->code == ErrorCode::io)) {
            made.broken_off = true;
            break;
        }
    }
    return made;
}

Result<void> GarbageCollector::collect(Project& project) {
    BOUGH_TRY(project.finish_erasures(&ending_));
    BOUGH_TRY(project.store().flush());
    BOUGH_ASSIGN(const auto raised, project.advance_cutoffs(now_in_postgres_time()));
    metrics_.cutoffs_raised.fetch_add(raised.size(), std::memory_order_relaxed);
    Result<void> outcome;
    for (const auto& branch : project.branches()) {
        if (ending_) return ended_early();
        if (branch->cutoff() == branch->row().start.lsn) continue;  // all of it is kept
        const auto compacted = compact(*branch, Work::all);
        if (!compacted && !branch->deleted() && outcome) outcome = compacted.error();
    }
    return outcome;
}

}  // namespace bough::pageserver
