#include "pageserver/redo/worker_set.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "bough/check.hpp"
#include "pageserver/redo/worker_directory.hpp"

namespace bough::pageserver {
namespace {

constexpr std::chrono::milliseconds kFirstBackoff{10};
constexpr std::chrono::milliseconds kBackoffMax{5'000};

// The first death is replaced at once: it costs nothing, and what it was asked waits.
std::chrono::milliseconds backoff(unsigned deaths_in_a_row) {
    if (deaths_in_a_row <= 1) return std::chrono::milliseconds{0};
    return std::min(kFirstBackoff * (1u << std::min(deaths_in_a_row - 2, 12u)), kBackoffMax);
}

}  // namespace

// ---- Lease

WorkerSet::Lease& WorkerSet::Lease::operator=(Lease&& other) noexcept {
    give_back();
    set_ = other.set_;
    slot_ = std::exchange(other.slot_, nullptr);
    since_ = other.since_;
    return *this;
}

WorkerChannel& WorkerSet::Lease::channel() {
    BOUGH_CHECK(slot_ != nullptr);
    return *slot_->channel;
}

void WorkerSet::Lease::give_back() {
    if (slot_ == nullptr) return;
    const auto now = Clock::now();
    set_->metrics_.busy_microseconds +=
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now - since_).count());
    {
        std::lock_guard lock(set_->mutex_);
        Slot& slot = *std::exchange(slot_, nullptr);
        BOUGH_CHECK(slot.channel->unanswered() == 0);
        slot.state = State::idle;
        slot.idle_since = now;
        slot.deaths_in_a_row = 0;
        if (set_->waiting_ == 0 && !set_->stopping_) return;
    }
    // While it is stopping, the keeper waits too.
    set_->changed_.notify_all();
}

WorkerProcess::Death WorkerSet::Lease::discard(bool at_once) {
    BOUGH_CHECK(slot_ != nullptr);
    Slot& slot = *std::exchange(slot_, nullptr);
    // The slot is ours while it is busy: the wait needs no lock.
    WorkerProcess::Death death = slot.process->bury(at_once);
    std::lock_guard lock(set_->mutex_);
    set_->died(slot);
    return death;
}

// ---- the set

WorkerSet::WorkerSet(const RedoPoolOptions& options, RedoMetrics& metrics) : options_(options), metrics_(metrics) {}

WorkerSet::~WorkerSet() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_keeper_.notify_all();
    changed_.notify_all();
    if (keeper_.joinable()) keeper_.join();
}

Result<void> WorkerSet::start() {
    const unsigned count = options_.workers != 0 ? options_.workers : std::max(1u, std::thread::hardware_concurrency());
    BOUGH_TRY(remove_worker_directories(options_.work_directory));
    for (unsigned i = 0; i < count; i++) {
        auto slot = std::make_unique<Slot>();
        slot->command.postgres = options_.postgres_bindir / "postgres";
        slot->command.directory = worker_directory(std::filesystem::absolute(options_.work_directory), i);
        slot->command.memory_bytes_max = options_.worker_memory_bytes_max;
        BOUGH_TRY(create_worker_directory(slot->command.directory, options_.control_file, options_.library));
        slots_.push_back(std::move(slot));
    }

    std::unique_lock lock(mutex_);
    more_wanted_ = true;
    keeper_ = std::thread([this] { keep(); });
    changed_.wait(lock, [this] { return start_error_ || any(State::idle); });
    if (start_error_) return *start_error_;
    return {};
}

Result<WorkerSet::Lease> WorkerSet::acquire(std::chrono::milliseconds timeout) {
    const auto deadline = Clock::now() + timeout;
    std::unique_lock lock(mutex_);
    for (;;) {
        if (stopping_) return Error{ErrorCode::unavailable, "the redo pool is stopping", {}};
        if (Slot* slot = take_idle()) return Lease(*this, *slot);
        waiting_++;
        wake_keeper_.notify_one();
        const bool in_time = changed_.wait_until(lock, deadline) == std::cv_status::no_timeout;
        waiting_--;
        if (in_time || any(State::idle)) continue;
        const std::string reason = start_error_ ? start_error_->message : "all are busy";
        return Error{
            ErrorCode::unavailable, fmt::format("no redo worker became free within {} ms: {}", timeout.count(), reason), {}};
    }
}

std::optional<WorkerSet::Lease> WorkerSet::try_acquire() {
    std::lock_guard lock(mutex_);
    if (stopping_) return std::nullopt;
    if (Slot* slot = take_idle()) return Lease(*this, *slot);
    if (any(State::stopped) && !more_wanted_) {
        more_wanted_ = true;
        wake_keeper_.notify_one();
    }
    return std::nullopt;
}

// The one used last: its memory is warm, and the others grow old enough to be stopped.
WorkerSet::Slot* WorkerSet::take_idle() {
    for (;;) {
        Slot* best = nullptr;
        for (const auto& slot : slots_)
            if (slot->state == State::idle && (best == nullptr || slot->idle_since > best->idle_since)) best = slot.get();
        if (best == nullptr) return nullptr;
        if (best->process->idle_and_alive()) {
            best->state = State::busy;
            return best;
        }
        spdlog::warn("idle redo worker {} {}", best->process->pid(), best->process->bury(false).description);
        died(*best);
    }
}

void WorkerSet::died(Slot& slot) {
    slot.channel.reset();
    slot.process.reset();
    slot.state = State::dead;
    slot.deaths_in_a_row++;
    slot.start_not_before = Clock::now() + backoff(slot.deaths_in_a_row);
    metrics_.worker_deaths++;
    wake_keeper_.notify_one();
    changed_.notify_all();  // stop() may wait for the last lease
}

bool WorkerSet::any(State state) const {
    return std::any_of(slots_.begin(), slots_.end(), [state](const auto& slot) { return slot->state == state; });
}

// ---- the keeper

void WorkerSet::keep() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        const auto now = Clock::now();
        if (Slot* slot = due_to_start(now)) {
            start_worker(*slot, lock);
            continue;
        }
        stop_idle_ones(now);
        wake_keeper_.wait_until(lock, next_event());
    }
    changed_.wait(lock, [this] { return !any(State::busy); });
    for (const auto& slot : slots_) {
        slot->channel.reset();
        slot->process.reset();
        slot->state = State::stopped;
    }
}

// The dead are replaced whether or not anyone waits: someone used them a moment ago.
WorkerSet::Slot* WorkerSet::due_to_start(Clock::time_point now) {
    for (const auto& slot : slots_)
        if (slot->state == State::dead && slot->start_not_before <= now) return slot.get();
    if (waiting_ == 0 && !more_wanted_) return nullptr;
    for (const auto& slot : slots_)
        if (slot->state == State::stopped) return slot.get();
    more_wanted_ = false;
    return nullptr;
}

void WorkerSet::start_worker(Slot& slot, std::unique_lock<std::mutex>& lock) {
    slot.state = State::starting;
    more_wanted_ = false;
    lock.unlock();
    auto process = WorkerProcess::start(slot.command);
    lock.lock();
    if (process) {
        metrics_.worker_starts++;
        start_error_.reset();
        slot.process = std::move(*process);
        slot.channel = std::make_unique<WorkerChannel>(slot.process->socket(), slot.process->memory());
        slot.state = State::idle;
        slot.idle_since = Clock::now();
        spdlog::debug("redo worker {} started in \"{}\"", slot.process->pid(), slot.command.directory.string());
    } else {
        spdlog::error("{}", process.error().to_string());
        start_error_ = process.error();
        died(slot);
    }
    changed_.notify_all();
}

void WorkerSet::stop_idle_ones(Clock::time_point now) {
    if (options_.idle_stop.count() == 0) return;
    auto alive = static_cast<std::size_t>(
        std::count_if(slots_.begin(), slots_.end(), [](const auto& slot) { return slot->process != nullptr; }));
    for (const auto& slot : slots_) {
        if (alive <= 1) return;
        if (slot->state != State::idle || slot->idle_since + options_.idle_stop > now) continue;
        slot->channel.reset();
        slot->process.reset();
        slot->state = State::stopped;
        slot->deaths_in_a_row = 0;
        alive--;
    }
}

WorkerSet::Clock::time_point WorkerSet::next_event() const {
    auto next = Clock::now() + std::chrono::hours(1);
    for (const auto& slot : slots_) {
        if (slot->state == State::dead) next = std::min(next, slot->start_not_before);
        if (slot->state == State::idle && options_.idle_stop.count() != 0)
            next = std::min(next, std::max(slot->idle_since + options_.idle_stop, Clock::now() + std::chrono::seconds(1)));
    }
    return next;
}

}  // namespace bough::pageserver
