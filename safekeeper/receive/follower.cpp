#include "safekeeper/receive/follower.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "base/thread_name.hpp"
#include "safekeeper/receive/probe.hpp"

namespace bough::safekeeper::receive {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kDiskRetry = 1s;       // a disk that refused once does so for a while
constexpr auto kSleepAfter = 20s;     // without anybody to connect to
constexpr auto kCatchUpPatience = 5s;  // then who waits for a catch-up is told; a donor that begins a term drops us once
constexpr auto kLasted = 1s;           // a connection that was there for so long was a good one
constexpr auto kProbeMin = 250ms;
constexpr auto kProbeMax = 5s;
constexpr auto kStatusInterval = 10s;
constexpr auto kSilenceMax = 60s;  // then the other side is taken for dead
// What is written before it is synced and acknowledged: bounds the wait of the first commit in it.
constexpr std::size_t kBatchBytesMax = 1 << 20;
// A message of that size is written by itself: to copy it would cost more than to write once more.
constexpr std::size_t kLargeMessageBytes = 32 << 10;

// A compute that starts is waited for by its first commit: at first often, since a try costs microseconds.
std::chrono::milliseconds retry_delay(Clock::duration failing_for) {
    if (failing_for < 3s) return 10ms;
    return failing_for < 10s ? 100ms : 500ms;
}

}  // namespace

Follower::Follower(FollowerSettings settings, segment::WalLog& log, FollowerListener& listener)
    : settings_(std::move(settings)), log_(log), listener_(listener) {}

Follower::~Follower() { stop(); }

void Follower::follow(Task task, bool now) {
    {
        std::lock_guard lock(task_mutex_);
        task_ = std::move(task);
        ++task_number_;
        source_lost_ = false;
    }
    if (std::this_thread::get_id() == runner_.load()) return;
    if (now) return start_thread();
    probe_interval_ = kProbeMin;
    next_probe_ = {};
    asleep_ = true;
}

void Follower::start_thread() {
    if (thread_.joinable() && !asleep_) return;  // it sees the new task
    join_thread();
    asleep_ = false;
    stopping_ = false;
    stop_ = std::make_unique<StopSignal>();
    thread_ = std::thread([this] {
        name_thread("follower");
        runner_ = std::this_thread::get_id();
        run();
    });
}

void Follower::join_thread() {
    if (thread_.joinable()) thread_.join();
    stop_.reset();
}

void Follower::stop() {
    stopping_ = true;
    if (stop_) stop_->raise();
    join_thread();
    asleep_ = false;
    source_lost_ = false;
    std::lock_guard lock(task_mutex_);
    task_.reset();
}

void Follower::revive(Clock::time_point now) {
    if (!asleep_) return;
    join_thread();  // it has ended by itself
    if (now < next_probe_) return;
    std::string source;
    {
        std::lock_guard lock(task_mutex_);
        // A catch-up knows of safekeepers only, and they are there.
        if (const auto* task = std::get_if<consensus::StartStream>(&*task_)) source = task->assignment.source;
    }
    if (source.empty() || somebody_listens(source)) return start_thread();
    next_probe_ = now + probe_interval_;
    probe_interval_ = std::min<std::chrono::milliseconds>(probe_interval_ * 2, kProbeMax);
}

bool Follower::task_changed() const {
    std::lock_guard lock(task_mutex_);
    return task_number_ != performing_;
}

void Follower::run() {
    auto failing_since = Clock::now();
    while (!stopping_) {
        std::optional<Task> task;
        {
            std::lock_guard lock(task_mutex_);
            task = task_;
            if (performing_ != task_number_) {
                performing_ = task_number_;
                failing_since = Clock::now();
            }
        }
        auto before = log_.position().flush;
        auto began = Clock::now();
        auto done = perform(*task);
        gathered_ = {};
        bool lasted = connected_.exchange(false) && Clock::now() - began > kLasted;
        log_.close();
        if (stopping_) return;
        if (done || task_changed()) continue;
        report_failure(done.error());
        if (lasted || log_.position().flush > before) failing_since = Clock::now();
        auto failing_for = Clock::now() - failing_since;
        if (std::holds_alternative<consensus::StartCatchUp>(*task) && failing_for > kCatchUpPatience)
            listener_.catch_up_failed(done.error());
        // Room on the disk is not to be seen from outside.
        if (failing_for > kSleepAfter && done.error().code != ErrorCode::io) {
            probe_interval_ = kProbeMin;
            next_probe_ = {};
            asleep_ = true;  // last: from here on the thread may be joined and another started
            return;
        }
        stop_->wait(done.error().code == ErrorCode::io ? kDiskRetry : retry_delay(failing_for));
    }
}

void Follower::report_failure(const Error& error) {
    auto text = error.to_string();
    auto level = text == last_failure_ ? spdlog::level::debug : spdlog::level::warn;
    last_failure_ = text;
    spdlog::log(level, "project {} branch {}: receiving WAL from {} on: {}", settings_.project.str(), settings_.branch.str(),
                log_.position().end.to_string(), text);
}

Result<void> Follower::perform(const Task& task) {
    return std::visit(
        [this](const auto& t) {
            if constexpr (std::is_same_v<std::decay_t<decltype(t)>, consensus::StartCatchUp>)
                return catch_up(t);
            else
                return stream(t);
        },
        task);
}

Result<void> Follower::catch_up(const consensus::StartCatchUp& task) {
    Error error{ErrorCode::unavailable, "there is no donor to catch up from", {}};
    for (const auto& donor : task.donors) {
        auto received = receive_from_peer(donor, task.term, !task.donors_chosen, true, task.target);
        if (received || stopping_ || task_changed()) return received;
        error = received.error().within("catching up from " + donor.admin);
    }
    return error;
}

Result<void> Follower::stream(const consensus::StartStream& task) {
    const std::string options = settings_.shared_machine.send_when_answered ? "-c bough.send_when_answered=on" : "";
    BOUGH_ASSIGN(auto upstream, Upstream::connect({task.assignment.source, settings_.application_name, options}, *stop_));
    BOUGH_TRY(check_compute(upstream, task.term));
    BOUGH_TRY(upstream.take_name(settings_.application_name));
    bool reserve = is_reserve(settings_.branch, settings_.own_address, task.assignment.peers);
    auto received = receive(upstream, std::nullopt, ReservePace{reserve ? settings_.shared_machine.reserve_step : std::chrono::milliseconds{0}});
    // The compute keeps WAL only so long, and does not wait for its commits with dropping it: who else is there took it in time.
    if (!received && received.error().code == ErrorCode::out_of_range && !stopping_) {
        report_failure(received.error());
        auto caught_up = catch_up_from_peers(task);
        if (!caught_up && !stopping_ && !task_changed()) source_lost_ = true;
        return caught_up;
    }
    return received;
}

// Takes what a peer has of this term, committed or not, since it has one writer; the rest then comes from the compute. A peer whose term
// changes ends the connection before its log may be another one.
Result<void> Follower::catch_up_from_peers(const consensus::StartStream& task) {
    Error error{ErrorCode::unavailable, "no peer has WAL beyond " + log_.position().end.to_string(), {}};
    for (const auto& peer : task.assignment.peers) {
        auto upstream = connect_to_peer(peer, task.term, true, true);
        if (!upstream) {
            error = upstream.error().within("catching up from " + peer.admin);
            continue;
        }
        BOUGH_ASSIGN(auto identity, upstream->identify());
        if (identity.end <= log_.position().end) continue;
        return receive_from_peer(peer, task.term, true, true, identity.end);
    }
    return error;
}

Result<void> Follower::receive_from_peer(const consensus::Peer& peer, Term term, bool begun, bool uncommitted, Lsn limit) {
    for (bool again = false;; again = true) {
        BOUGH_ASSIGN(auto upstream, connect_to_peer(peer, term, begun, uncommitted));
        spdlog::info("project {} branch {}: catching up from {} to {} from {}", settings_.project.str(), settings_.branch.str(),
                     log_.position().end.to_string(), limit.to_string(), peer.admin);
        auto received = receive(upstream, limit);
        if (received || received.error().code != ErrorCode::out_of_range || again || stopping_ || task_changed()) return received;
        // It has dropped what we need: the pageserver has it.
        BOUGH_TRY(begin_anew_from(peer, term, begun));
        if (task_changed() || log_.position().end >= limit) return {};
    }
}

Result<void> Follower::begin_anew_from(const consensus::Peer& peer, Term term, bool begun) {
    log_.close();
    BOUGH_ASSIGN(auto upstream, connect_to_peer(peer, term, begun, false));
    BOUGH_ASSIGN(auto said, upstream.show("bough.log_begin"));
    auto space = said ? said->find(' ') : std::string::npos;
    auto end = space == std::string::npos ? std::nullopt : Lsn::parse(said->substr(0, space));
    auto start = space == std::string::npos ? std::nullopt : Lsn::parse(said->substr(space + 1));
    if (!end || !start || *start >= *end) return Error{ErrorCode::corrupt, "the peer does not say where its log begins", {}};
    if (*end <= log_.position().end)
        return Error{ErrorCode::out_of_range, "the peer's log begins at " + end->to_string() + " but lacks what follows " +
                                                  log_.position().end.to_string(), {}};
    const auto& place = log_.place();
    BOUGH_ASSIGN(auto prefix, fetch(upstream, place.begin_of(place.segment_at(*end)), *end));
    return listener_.begin_log_anew({*end, *start}, prefix);
}

// The bytes of [from, to), at most a segment.
Result<std::vector<std::byte>> Follower::fetch(Upstream& upstream, Lsn from, Lsn to) {
    std::vector<std::byte> bytes;
    if (from == to) return bytes;
    bytes.reserve(to - from);
    BOUGH_TRY(upstream.start_replication(from));
    for (auto deadline = Clock::now() + kSilenceMax; bytes.size() < to - from;) {
        if (stopping_) return Error{ErrorCode::unavailable, "receiving was stopped", {}};
        BOUGH_ASSIGN(auto message, upstream.receive());
        if (!message) {
            if (Clock::now() > deadline) return Error{ErrorCode::timeout, "the peer sends nothing", {}};
            BOUGH_TRY(upstream.wait(1s));
            continue;
        }
        if (message->kind != Incoming::Kind::wal) continue;
        if (message->at != from + bytes.size()) return Error{ErrorCode::corrupt, "the peer sent other WAL than was asked for", {}};
        auto part = message->bytes.first(std::min<std::size_t>(message->bytes.size(), to - from - bytes.size()));
        bytes.insert(bytes.end(), part.begin(), part.end());
    }
    return bytes;
}

Result<void> Follower::check_compute(Upstream& upstream, Term term) {
    BOUGH_ASSIGN(auto identity, upstream.identify());
    if (identity.system_id != settings_.system_id)
        return Error{ErrorCode::failed_precondition,
                     "the compute's system identifier is " + std::to_string(identity.system_id.value) + ", the branch's is " +
                         std::to_string(settings_.system_id.value), {}};
    if (identity.timeline != 1)
        return Error{ErrorCode::failed_precondition, "the compute is on timeline " + std::to_string(identity.timeline), {}};
    // At this address an older compute may still live, or that of a branch made after this one was deleted unnoticed: with the same system
    // identifier, and in the same term when it is its first. What one says of itself must be of ours.
    const std::pair<const char*, std::string> expected[] = {
        {"project", settings_.project.str()}, {"branch", settings_.branch.str()}, {"term", std::to_string(term.value)}};
    for (const auto& [what, ours] : expected) {
        BOUGH_ASSIGN(auto said, upstream.show(std::string("bough.") + what));
        if (said && !said->empty() && *said != ours)
            return Error{ErrorCode::failed_precondition,
                         std::string("the compute is of ") + what + " " + *said + ", the log here is of " + what + " " + ours, {}};
    }
    return {};
}

Result<Upstream> Follower::connect_to_peer(const consensus::Peer& peer, Term term, bool begun, bool uncommitted) {
    std::string options = "-c bough.project=" + settings_.project.str() + " -c bough.branch=" + settings_.branch.str() +
                          " -c bough.term=" + std::to_string(term.value) + (begun ? " -c bough.begun=on" : "") +
                          (uncommitted ? " -c bough.uncommitted=on" : "");
    BOUGH_ASSIGN(auto upstream, Upstream::connect({peer.wal, settings_.application_name, options}, *stop_));
    BOUGH_ASSIGN(auto identity, upstream.identify());
    if (identity.system_id != settings_.system_id)
        return Error{ErrorCode::failed_precondition, "the donor has another system identifier", {}};
    return upstream;
}

// Until `limit` is reached; without one, until the stream ends or the task changes.
Result<void> Follower::receive(Upstream& upstream, std::optional<Lsn> limit, ReservePace pace) {
    BOUGH_TRY(listener_.before_receiving());
    BOUGH_TRY(log_.begin_receiving());
    BOUGH_TRY(upstream.start_replication(log_.next()));
    BOUGH_TRY(upstream.reply(log_.position().flush, false));
    connected_ = true;
    source_lost_ = false;
    last_failure_.clear();
    spdlog::info("project {} branch {}: receiving WAL from {} on", settings_.project.str(), settings_.branch.str(),
                 log_.next().to_string());
    auto last_heard = Clock::now();
    auto last_status = last_heard;
    while (!stopping_ && !task_changed()) {
        if (limit && log_.position().flush >= *limit) {
            if (log_.position().end == *limit) return {};
            return Error{ErrorCode::corrupt, "no record ends at " + limit->to_string() + " in the donor's log", {}};
        }
        Arrived arrived;
        auto taken = take_arrived(upstream, limit, arrived);
        // What came before an error is good: it counts, though it is not acknowledged.
        auto before = log_.position().flush;
        const auto& position = log_.sync();
        bool progress = position.flush > before;
        if (progress) listener_.log_flushed(position);
        auto pause = 0ms;
        if (taken && progress && pace.active())
            pause = pace.after_batch(position.flush, listener_.kept_by_others(), arrived.bytes, Clock::now());
        if (pause > 0ms) {
            // Nobody waits for a reserve's answer. More gathers meanwhile: in the socket, or at the compute if that waits for the answer.
            listener_.pass_on();
            stop_->wait(pause);
            if (stopping_) break;
        }
        Result<void> replied;
        if (taken && (progress || arrived.reply_requested)) {
            replied = upstream.reply(position.flush, false);
            last_status = Clock::now();
        }
        if (progress && pause == 0ms) listener_.pass_on();
        if (!taken) return taken.error();
        if (!replied) return replied.error();
        if (arrived.any) {
            last_heard = last_status;
            continue;
        }
        auto now = Clock::now();
        if (now - last_heard > kSilenceMax) return Error{ErrorCode::timeout, "nothing was heard for a minute", {}};
        if (now - last_status > kStatusInterval) {
            BOUGH_TRY(upstream.reply(position.flush, true));
            last_status = now;
        }
        BOUGH_TRY(upstream.wait(kStatusInterval));
    }
    return {};
}

// Appends all that has arrived already, up to a batch. What came before an error is appended too.
Result<void> Follower::take_arrived(Upstream& upstream, std::optional<Lsn> limit, Arrived& arrived) {
    auto received = gather_arrived(upstream, limit, arrived);
    auto written = append_gathered();
    return received ? written : received;
}

// Small messages, of which there are several to a sync, are written in one piece.
Result<void> Follower::gather_arrived(Upstream& upstream, std::optional<Lsn> limit, Arrived& arrived) {
    while (arrived.bytes < kBatchBytesMax) {
        BOUGH_ASSIGN(auto message, upstream.receive());
        if (!message) break;
        arrived.any = true;
        if (message->kind == Incoming::Kind::keepalive) {
            arrived.reply_requested = arrived.reply_requested || message->reply_requested;
            continue;
        }
        auto bytes = message->bytes;
        if (limit && message->at + bytes.size() > *limit)
            bytes = bytes.first(message->at < *limit ? *limit - message->at : 0);
        if (bytes.empty()) break;
        arrived.bytes += bytes.size();
        if (!gathered_.empty() && message->at != gathered_at_ + gathered_.size()) BOUGH_TRY(append_gathered());
        if (bytes.size() >= kLargeMessageBytes) {
            BOUGH_TRY(append_gathered());
            BOUGH_TRY(log_.append(message->at, bytes));
            continue;
        }
        if (gathered_.empty()) gathered_at_ = message->at;
        gathered_.insert(gathered_.end(), bytes.begin(), bytes.end());
    }
    return {};
}

Result<void> Follower::append_gathered() {
    if (gathered_.empty()) return {};
    auto appended = log_.append(gathered_at_, gathered_);
    gathered_.clear();
    return appended;
}

}  // namespace bough::safekeeper::receive
