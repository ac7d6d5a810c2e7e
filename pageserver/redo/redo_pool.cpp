#include "pageserver/redo/redo_pool.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "pageserver/redo/native_redo.hpp"
#include "pageserver/redo/redo_message.hpp"
#include "pageserver/redo/spin_budget.hpp"
#include "pageserver/redo/worker_call.hpp"
#include "pageserver/redo/worker_set.hpp"
#include "proto/redo_worker.h"

namespace bough::pageserver {
namespace {

using Clock = std::chrono::steady_clock;
using State = WorkerChannel::State;

// Fewer calls than this are not worth another worker's wake-up.
constexpr std::size_t kCallsPerWorker = 16;
// Longer requests go in parts, which fit into the ring; only a single record may be longer.
constexpr std::size_t kPartBytes = 512u << 10;
static_assert(kPartBytes + pg::kPageBytes < BOUGH_REDO_REQUEST_RING_BYTES);
// Workers that a call may end before it is given up.
constexpr unsigned kFaultsMax = 2;
constexpr unsigned kOutsideKillsMax = 10;

Error corrupt(const WorkerCall& call, const std::string& what) {
    return Error{ErrorCode::corrupt, fmt::format("could not redo {}: {}", describe(call), what), {}};
}

// What the death of a worker says about the call that was all it had to do.
void charge(WorkerCall& call, const WorkerProcess::Death& death) {
    if (death.killed_from_outside)
        call.outside_kills++;
    else
        call.faults++;
}

bool given_up(const WorkerCall& call) { return call.faults >= kFaultsMax || call.outside_kills >= kOutsideKillsMax; }

bool spin_for_any(std::vector<WorkerSet::Lease>& leases) {
    // Each thread has its own experience of how soon workers answer it.
    static thread_local SpinBudget budget;
    if (std::ranges::none_of(leases, [](WorkerSet::Lease& lease) { return lease.channel().worth_spinning(); })) return false;
    return budget.spin(
        [&] { return std::ranges::any_of(leases, [](WorkerSet::Lease& lease) { return lease.channel().has_replies(); }); });
}

// Until a worker has something for us, or is gone, or the first of the leases has waited too long for an answer.
void wait_for_any(std::vector<WorkerSet::Lease>& leases, std::chrono::milliseconds timeout) {
    if (spin_for_any(leases)) return;
    std::vector<pollfd> wanted;
    wanted.reserve(leases.size());
    auto deadline = Clock::time_point::max();
    bool idle = true;
    for (WorkerSet::Lease& lease : leases) {
        WorkerChannel& channel = lease.channel();
        idle = channel.begin_sleep() && idle;
        wanted.push_back({channel.socket(), POLLIN, 0});
        if (channel.unanswered() != 0) deadline = std::min(deadline, channel.waiting_since() + timeout);
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count() + 1;
    if (idle && left > 0) poll(wanted.data(), wanted.size(), static_cast<int>(std::min<std::int64_t>(left, 1000)));
    for (WorkerSet::Lease& lease : leases) lease.channel().end_sleep();
}

bool hangs(const WorkerChannel& channel, std::chrono::milliseconds timeout) {
    return channel.unanswered() != 0 && Clock::now() - channel.waiting_since() > timeout;
}

}  // namespace

RedoPool::RedoPool(RedoPoolOptions options)
    : options_(std::move(options)), workers_(std::make_unique<WorkerSet>(options_, metrics_)) {}

RedoPool::~RedoPool() = default;

Result<std::unique_ptr<RedoPool>> RedoPool::start(RedoPoolOptions options) {
    if (geteuid() == 0)
        return Error{ErrorCode::failed_precondition, "redo workers cannot run as root, since Postgres refuses to",
                     "start the pageserver as an unprivileged user"};
    if (!options.library.is_absolute())
        return Error{ErrorCode::invalid_argument,
                     fmt::format("the path of bough.so must be absolute, but is \"{}\"", options.library.string()),
                     {}};
    std::unique_ptr<RedoPool> pool(new RedoPool(std::move(options)));
    BOUGH_TRY(pool->workers_->start());
    return pool;
}

Result<void> RedoPool::apply(const RedoRequest& request, pg::Page out) {
    std::array<RedoJob, 1> job;
    job[0].request = request;
    job[0].page = out.data();
    apply_many(job);
    return std::move(job[0].result);
}

void RedoPool::apply_many(std::span<RedoJob> jobs) {
    std::vector<WorkerCall> calls;
    for (RedoJob& job : jobs) {
        metrics_.requests.fetch_add(1, std::memory_order_relaxed);
        metrics_.records.fetch_add(job.request.records.size(), std::memory_order_relaxed);
        if (done_natively(job)) continue;
        if (encoded_size(job.request) > kPartBytes) {
            job.result = apply_in_parts(job.request, pg::Page(job.page, pg::kPageBytes));
            continue;
        }
        WorkerCall call;
        call.apply = &job.request;
        call.page = job.page;
        call.result = &job.result;
        calls.push_back(call);
    }
    if (!calls.empty()) run(calls);
    metrics_.errors += static_cast<std::uint64_t>(
        std::count_if(jobs.begin(), jobs.end(), [](const RedoJob& job) { return job.result.has_error(); }));
}

bool RedoPool::done_natively(RedoJob& job) {
    if (options_.engine == RedoEngine::stock) return false;
    if (!redo_natively(job.request, pg::Page(job.page, pg::kPageBytes))) {
        metrics_.native_declined.fetch_add(1, std::memory_order_relaxed);
        return false;
    }
    metrics_.native_requests.fetch_add(1, std::memory_order_relaxed);
    metrics_.native_records.fetch_add(job.request.records.size(), std::memory_order_relaxed);
    job.result = Result<void>();
    return true;
}

Result<void> RedoPool::apply_in_parts(const RedoRequest& request, pg::Page out) {
    RedoRequest part = request;
    std::span<const RedoRecord> rest = request.records;
    while (!rest.empty()) {
        std::size_t count = 0, bytes = 0;
        while (count < rest.size() && (count == 0 || bytes + rest[count].bytes.size() + sizeof(BoughRedoRecord) <= kPartBytes)) {
            bytes += rest[count].bytes.size() + sizeof(BoughRedoRecord);
            count++;
        }
        part.records = rest.first(count);
        if (encoded_size(part) > BOUGH_REDO_REQUEST_BYTES_MAX)
            return Error{
                ErrorCode::corrupt, fmt::format("the record at {} is longer than any can be", rest[0].start.to_string()), {}};
        Result<void> result;
        WorkerCall call;
        call.apply = &part;
        call.page = out.data();
        call.result = &result;
        run(std::span(&call, 1));
        BOUGH_TRY(std::move(result));
        part.base = out.data();
        rest = rest.subspan(count);
    }
    return {};
}

Result<void> RedoPool::mask(std::uint8_t resource_manager, std::uint32_t block, pg::Page page) {
    Result<void> result;
    WorkerCall call;
    call.mask_resource_manager = resource_manager;
    call.mask_block = block;
    call.page = page.data();
    call.result = &result;
    run(std::span(&call, 1));
    return result;
}

void RedoPool::run(std::span<WorkerCall> calls) {
    std::vector<WorkerSet::Lease> leases;
    std::vector<WorkerCall*> unlucky;  // asked of a worker that died: to be asked again one by one
    const std::size_t leases_wanted = std::min(workers_->size(), (calls.size() + kCallsPerWorker - 1) / kCallsPerWorker);
    std::size_t asked = 0;

    for (;;) {
        if (leases.empty() && asked < calls.size()) {
            auto lease = workers_->acquire(options_.request_timeout);
            if (!lease) {
                for (; asked < calls.size(); asked++) *calls[asked].result = lease.error();
                break;
            }
            leases.push_back(std::move(*lease));
            while (leases.size() < leases_wanted) {
                auto another = workers_->try_acquire();
                if (!another) break;
                leases.push_back(std::move(*another));
            }
        }

        bool progress = false;
        std::size_t unanswered = 0;
        for (std::size_t i = 0; i < leases.size();) {
            WorkerChannel& channel = leases[i].channel();
            while (asked < calls.size() && channel.ask(calls[asked])) asked++;
            const State state = channel.pump();
            const bool hung = state == State::waiting && hangs(channel, options_.request_timeout);
            if (state == State::broken || hung) {
                const auto lost = channel.take_unanswered();
                const auto death = leases[i].discard(hung);
                spdlog::warn("redo worker {}{}; requests under way: {}, the first: {}", hung ? "hung and " : "",
                             death.description, lost.size(), lost.empty() ? std::string("none") : describe(*lost.front()));
                if (lost.size() == 1) charge(*lost.front(), death);
                unlucky.insert(unlucky.end(), lost.begin(), lost.end());
                leases.erase(leases.begin() + static_cast<std::ptrdiff_t>(i));
                progress = true;
                continue;
            }
            progress |= state == State::progress;
            unanswered += channel.unanswered();
            i++;
        }
        if (asked == calls.size() && unanswered == 0) break;
        if (!progress) wait_for_any(leases, options_.request_timeout);
    }

    leases.clear();
    for (WorkerCall* call : unlucky) run_alone(*call);
}

// With a worker to itself, so that the worker's death is the call's fault.
void RedoPool::run_alone(WorkerCall& call) {
    std::string last_words;
    while (!given_up(call)) {
        metrics_.retries++;
        auto lease = workers_->acquire(options_.request_timeout);
        if (!lease) {
            *call.result = lease.error();
            return;
        }
        std::vector<WorkerSet::Lease> leases;
        leases.push_back(std::move(*lease));
        WorkerChannel& channel = leases[0].channel();
        // An idle worker has room for anything, unless it lies.
        const bool asked = channel.ask(call);
        for (;;) {
            const State state = channel.pump();
            if (channel.unanswered() == 0 && state != State::broken) return;
            const bool hung = state == State::waiting && hangs(channel, options_.request_timeout);
            if (state == State::broken || hung) {
                const bool answered = asked && channel.take_unanswered().empty();
                const auto death = leases[0].discard(hung);
                if (answered) return;
                last_words = hung ? fmt::format("the worker gave no answer within {} ms", options_.request_timeout.count())
                                  : "the worker " + death.description;
                charge(call, death);
                break;
            }
            if (state == State::waiting) wait_for_any(leases, options_.request_timeout);
        }
    }
    *call.result = corrupt(call, last_words);
}

}  // namespace bough::pageserver
