#include "pageserver/gc/garbage_collector.hpp"

#include <algorithm>
#include <span>

#include <spdlog/spdlog.h>

#include "pageserver/branching/postgres_time.hpp"

namespace bough::pageserver {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

GarbageCollector::GarbageCollector(Projects& projects, PageReader& reader, GarbageMetrics& metrics,
                                   GarbageCollectorOptions options)
    : projects_(projects), reader_(reader), metrics_(metrics), options_(options), thread_([this](const std::stop_token& stop) {
          run(stop);
      }) {}

GarbageCollector::~GarbageCollector() {
    ending_ = true;
    thread_.request_stop();
    thread_.join();
}

void GarbageCollector::run(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any stopped;
    auto next_cutoffs = Clock::now() + options_.cutoffs;
    auto next_sleeping = Clock::now() + options_.sleeping;
    while (true) {
        {
            std::unique_lock lock(mutex);
            stopped.wait_for(lock, stop, options_.round, [] { return false; });
        }
        if (stop.stop_requested()) return;
        const bool raise = Clock::now() >= next_cutoffs;
        if (raise) next_cutoffs = Clock::now() + options_.cutoffs;
        if (Clock::now() >= next_sleeping) {
            next_sleeping = Clock::now() + options_.sleeping;
            for (const ProjectId& id : projects_.ids()) {
                if (stop.stop_requested()) return;
                if (const auto project = projects_.project(id)) visit(**project, true);
            }
            continue;
        }
        // One at a time, so that none is held while another is worked on.
        for (const ProjectId& id : projects_.ids()) {
            if (stop.stop_requested()) return;
            if (const auto project = projects_.project_if_open(id)) visit(*project, raise);
        }
    }
}

void GarbageCollector::visit(Project& project, bool raise_cutoffs) {
    const auto fail = [&](const Error& error) {
        if (error.code == ErrorCode::unavailable || error.code == ErrorCode::not_found) return;  // it is being closed or removed
        metrics_.failures.fetch_add(1, std::memory_order_relaxed);
        spdlog::warn("project {}: could not collect garbage: {}", project.id().str(), error.to_string());
    };
    if (const auto erased = project.finish_erasures(&ending_); !erased) fail(erased.error());
    if (!raise_cutoffs) return;
    const auto raised = project.advance_cutoffs(now_in_postgres_time());
    if (!raised) return fail(raised.error());
    metrics_.cutoffs_raised.fetch_add(raised->size(), std::memory_order_relaxed);
    for (const auto& branch : *raised) {
        if (branch->deleted() || !worth_it(*branch)) continue;
        if (const auto compacted = compact(*branch); !compacted) return fail(compacted.error());
    }
}

bool GarbageCollector::worth_it(const Branch& branch) {
    Lsn compacted = branch.row().start.lsn;
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = compacted_.find(branch.name()); found != compacted_.end()) compacted = found->second;
    }
    const Lsn cutoff = branch.cutoff();
    if (cutoff <= compacted) return false;
    const auto stored = branch.store().branch_bytes(branch.number());
    return stored && cutoff - compacted >= std::max(options_.moved_bytes_min, stored->files / 8);
}

Result<void> GarbageCollector::compact(const Branch& branch) {
    const Lsn cutoff = branch.cutoff();
    Store& store = branch.store();
    BOUGH_ASSIGN(ForkReach reach, read_fork_reach(branch, *branch.kept()));
    store.histories().set_reach(branch.number(), std::make_shared<const ForkReach>(std::move(reach)));
    Result<void> done = store.compact_branch(branch.number(), &ending_);
    if (done) {
        const auto images = make_images(branch);
        if (!images) done = images.error();
        // The images have to be in files for a compaction to see that they are bases.
        if (images && *images > 0) done = store.flush();
        if (done && images && *images > 0) done = store.compact_branch(branch.number(), &ending_);
    }
    store.histories().set_reach(branch.number(), nullptr);
    BOUGH_TRY(done);
    metrics_.branches_compacted.fetch_add(1, std::memory_order_relaxed);
    const std::lock_guard lock(mutex_);
    compacted_[branch.name()] = cutoff;
    return {};
}

Result<std::size_t> GarbageCollector::make_images(const Branch& branch) {
    const std::vector<ObjectKey> pages = branch.store().take_long_chains(branch.number());
    const Lsn cutoff = branch.cutoff();
    for (std::size_t begin = 0; begin < pages.size(); begin += PageReader::kPagesPerCut) {
        const auto some = std::span(pages).subspan(begin, std::min(PageReader::kPagesPerCut, pages.size() - begin));
        // One that cannot be read keeps its changes; whoever reads it is told.
        if (const auto cut = reader_.cut_chains(branch, some, cutoff, /*steps_max=*/0); !cut) {
            if (branch.deleted()) return Error{ErrorCode::not_found, "the branch was deleted", {}};
            spdlog::warn("branch {}: could not make images at {}: {}", branch.name(), cutoff.to_string(),
                         cut.error().to_string());
        }
    }
    metrics_.images_at_cutoffs.fetch_add(pages.size(), std::memory_order_relaxed);
    return pages.size();
}

Result<void> GarbageCollector::collect(Project& project) {
    BOUGH_TRY(project.finish_erasures(&ending_));
    BOUGH_TRY(project.store().flush());
    BOUGH_ASSIGN(const auto raised, project.advance_cutoffs(now_in_postgres_time()));
    metrics_.cutoffs_raised.fetch_add(raised.size(), std::memory_order_relaxed);
    for (const auto& branch : project.branches()) {
        if (branch->cutoff() == branch->row().start.lsn) continue;  // all of it is kept
        if (const auto compacted = compact(*branch); !compacted && !branch->deleted()) return compacted.error();
    }
    return {};
}

}  // namespace bough::pageserver
