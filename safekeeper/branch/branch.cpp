#include "safekeeper/branch/branch.hpp"

#include <algorithm>
#include <cstdlib>
#include <deque>

#include <spdlog/spdlog.h>

#include "bough/check.hpp"
#include "safekeeper/segment/disk_space.hpp"
#include "safekeeper/segment/durable_file.hpp"
#include "safekeeper/segment/first_segment.hpp"
#include "safekeeper/segment/segment_drop.hpp"
#include "safekeeper/segment/record_search.hpp"
#include "safekeeper/segment/wal_reader.hpp"

namespace bough::safekeeper {
namespace {

using namespace std::chrono_literals;
using consensus::Action;
using consensus::Event;

// Bounds what a restart has to scan; a control file costs two fsyncs.
constexpr auto kSaveInterval = 10s;
constexpr std::uint64_t kWalRequestBytesMax = 16u << 20;

segment::WalPlace place_of(const std::filesystem::path& directory, const segment::ControlFile& control) {
    return {directory, control.system_id, control.segment_bytes};
}

std::filesystem::path control_path(const std::filesystem::path& directory) { return directory / "control"; }

}  // namespace

// --- coming and going -------------------------------------------------------------------------------------------------------

Result<std::shared_ptr<Branch>> Branch::create(const std::filesystem::path& directory, const BranchName& name,
                                               const BranchOrigin& origin, const BranchEnvironment& environment) {
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error) return io_error("could not make \"" + directory.string() + "\"", error.value());
    std::filesystem::permissions(directory, std::filesystem::perms::owner_all, error);

    segment::ControlFile control{.project = name.project, .branch = name.branch, .system_id = origin.system_id,
                                 .segment_bytes = origin.segment_bytes, .parent = origin.parent, .start_record = origin.start_record,
                                 .consensus = {}, .log_begin = origin.start_lsn, .log_begin_record = origin.start_record, .durable_lsn = {},
                                 .scan_lsn = origin.start_lsn, .scan_record = origin.start_record};
    control.consensus.start_lsn = control.consensus.commit_lsn = origin.start_lsn;
    BOUGH_TRY(segment::replace_file(control_path(directory), segment::encode_control_file(control)));
    // For when there is no room to write it anew.
    BOUGH_TRY(segment::keep_spare(control_path(directory)));
    segment::sync_directory(directory.parent_path());
    segment::sync_directory(directory.parent_path().parent_path());
    return open(directory, name, environment);
}

namespace {

// Files that a crash left unfinished.
void remove_unfinished(const std::filesystem::path& directory) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error))
        if (entry.path().extension() == ".tmp") std::filesystem::remove(entry.path(), error);
}

}  // namespace

Result<std::shared_ptr<Branch>> Branch::open(const std::filesystem::path& directory, const BranchName& name,
                                             const BranchEnvironment& environment) {
    BOUGH_ASSIGN(auto bytes, segment::read_file(control_path(directory), segment::kControlFileBytesMax));
    BOUGH_ASSIGN(auto control, segment::decode_control_file(bytes));
    if (control.project != name.project || control.branch != name.branch)
        return Error{ErrorCode::corrupt, "control file is that of project " + control.project.str() + " branch " + control.branch.str(), {}};
    remove_unfinished(directory);
    segment::RecordBoundary begin{control.log_begin, control.log_begin_record};
    auto place = place_of(directory, control);
    BOUGH_TRY(segment::finish_beginning(place, begin.end));
    BOUGH_TRY(segment::drop_segments_below(place, begin.end));
    auto log = std::make_unique<segment::WalLog>(place, begin, environment.preallocator);
    BOUGH_TRY(log->recover({control.scan_lsn, control.scan_record}));
    return std::shared_ptr<Branch>(new Branch(directory, std::move(control), environment, std::move(log)));
}

Branch::Branch(const std::filesystem::path& directory, segment::ControlFile control, const BranchEnvironment& environment,
               std::unique_ptr<segment::WalLog> log)
    : name_{control.project, control.branch},
      origin_{control.consensus.start_lsn, control.start_record, control.system_id, control.segment_bytes, control.parent},
      directory_(directory), place_(place_of(directory, control)),
      environment_(environment), control_(control), log_(std::move(log)), core_(control.consensus, log_->position(), environment.name),
      begin_{control.log_begin, control.log_begin_record}, durable_(control.durable_lsn),
      follower_({name_.project, name_.branch, control.system_id, environment.application_name, environment.own_address, environment.shared_machine},
                *log_, *this) {
    std::lock_guard state(state_mutex_);
    publish();
}

Branch::~Branch() { stop(); }

void Branch::start() {
    std::lock_guard operation(operation_mutex_);
    std::vector<Action> actions;
    {
        std::lock_guard state(state_mutex_);
        actions = core_.start();
        publish();
    }
    for (const auto& action : actions) {
        // There may be hundreds of branches whose computes have long stopped: look before a thread is started for one.
        if (const auto* stream = std::get_if<consensus::StartStream>(&action))
            follower_.follow(*stream, false);
        else
            perform({action});
    }
    environment_.tell_peers(*this);
}

void Branch::stop() {
    std::lock_guard operation(operation_mutex_);
    if (stopped_) return;
    stopped_ = true;
    {
        std::lock_guard state(state_mutex_);
        closing_ = true;
        answered_.notify_all();
    }
    follower_.stop();
    change_generation();
    if (auto saved = unsaved_ ? save() : Result<void>{}; !saved)
        spdlog::warn("{}: could not write the control file: {}", name_.to_string(), saved.error().to_string());
}

// --- requests ---------------------------------------------------------------------------------------------------------------

// With state_mutex_.
BranchPosition Branch::extended(consensus::Position position) const {
    BranchPosition result;
    static_cast<consensus::Position&>(result) = std::move(position);
    result.streaming = follower_.connected();
    result.source_lost = follower_.source_lost();
    result.begin = begin_.end;
    result.durable = durable_;
    result.retained_bytes = result.log.flush - place_.begin_of(place_.segment_at(begin_.end));
    return result;
}

BranchPosition Branch::position() const {
    std::lock_guard state(state_mutex_);
    return extended(core_.position());
}

std::vector<consensus::Peer> Branch::peers() const {
    std::lock_guard state(state_mutex_);
    return core_.durable().assignment.peers;
}

std::vector<std::pair<std::string, std::optional<Lsn>>> Branch::peer_ends() const {
    std::lock_guard state(state_mutex_);
    return core_.peer_ends();
}

consensus::RequestId Branch::next_request() {
    std::lock_guard state(state_mutex_);
    awaited_[++last_request_] = true;
    return last_request_;
}

Result<BranchVote> Branch::vote(Term term) {
    std::lock_guard operation(operation_mutex_);
    if (stopped_) return Error{ErrorCode::unavailable, "the branch is being closed", {}};
    auto request = next_request();
    perform(step(consensus::VoteRequested{request, term}));
    std::lock_guard state(state_mutex_);
    awaited_.erase(request);
    auto answer = answers_.extract(request);
    BOUGH_CHECK(!answer.empty());
    if (auto* error = std::get_if<Error>(&answer.mapped())) return *error;
    auto& vote = std::get<consensus::AnswerVote>(answer.mapped());
    spdlog::info("{}: vote for term {} {}, log ends at {} in term {}", name_.to_string(), term.value,
                 vote.granted ? "granted" : "refused", vote.position.log.end.to_string(), vote.position.last_term.value);
    return BranchVote{vote.granted, extended(std::move(vote.position))};
}

Result<BranchPosition> Branch::begin(consensus::BeginRequested begin, std::chrono::milliseconds timeout) {
    begin.request = next_request();
    {
        std::lock_guard operation(operation_mutex_);
        if (stopped_) return Error{ErrorCode::unavailable, "the branch is being closed", {}};
        perform(step(begin));
    }
    // Others may vote meanwhile: then this is refused.
    std::unique_lock state(state_mutex_);
    bool answered = answered_.wait_for(state, timeout, [&] { return closing_ || answers_.contains(begin.request); });
    awaited_.erase(begin.request);
    if (closing_) return Error{ErrorCode::unavailable, "the branch is being closed", {}};
    if (!answered)
        return Error{ErrorCode::timeout, "the log has not reached " + begin.begin_lsn.to_string() + " yet",
                     "it is still being fetched; ask again"};
    auto answer = answers_.extract(begin.request);
    if (auto* error = std::get_if<Error>(&answer.mapped())) return *error;
    auto& begun = std::get<consensus::AnswerBegin>(answer.mapped());
    spdlog::info("{}: term {} begins at {}", name_.to_string(), begin.term.value, begin.begin_lsn.to_string());
    return extended(std::move(begun.position));
}

void Branch::learn_commit(Term term, Lsn lsn, const std::string& peer) {
    for (const auto& action : step(consensus::CommitLearnt{term, lsn, peer})) perform_at_once(action);
}

void Branch::learn_durable(Lsn lsn) {
    std::lock_guard state(state_mutex_);
    if (lsn <= durable_) return;
    durable_ = lsn;
    unsaved_ = true;
}

void Branch::peer_reported(const consensus::PeerReported& report) {
    for (const auto& action : step(report)) perform_at_once(action);
}

// --- performing what the core decided ---------------------------------------------------------------------------------------

std::vector<Action> Branch::step(const Event& event) {
    std::lock_guard state(state_mutex_);
    auto actions = core_.step(event);
    publish();
    return actions;
}

void Branch::publish() {
    committed_end_.store(core_.readable_end().value);
    whole_end_.store(core_.log().end.value);
    has_peers_.store(!core_.durable().assignment.peers.empty(), std::memory_order_relaxed);
}

void Branch::perform(std::vector<Action> actions) {
    std::deque<Action> queue(std::make_move_iterator(actions.begin()), std::make_move_iterator(actions.end()));
    while (!queue.empty()) {
        auto action = std::move(queue.front());
        queue.pop_front();
        if (perform_at_once(action)) continue;
        if (auto event = perform_io(action))
            for (auto& next : step(*event)) queue.push_back(std::move(next));
    }
}

bool Branch::perform_at_once(const Action& action) {
    auto answer = [this](consensus::RequestId request, Answer what) {
        std::lock_guard state(state_mutex_);
        if (awaited_.contains(request)) answers_.insert_or_assign(request, std::move(what));
        answered_.notify_all();
    };
    if (const auto* a = std::get_if<consensus::AnswerVote>(&action)) return answer(a->request, *a), true;
    if (const auto* a = std::get_if<consensus::AnswerBegin>(&action)) {
        answer(a->request, *a);
        environment_.tell_peers(*this);
        return true;
    }
    if (const auto* a = std::get_if<consensus::Refuse>(&action)) return answer(a->request, a->error), true;
    if (std::holds_alternative<consensus::CommitAdvanced>(action)) return notify_readers(), true;
    if (const auto* a = std::get_if<consensus::StartStream>(&action)) return follower_.follow(*a), true;
    if (const auto* a = std::get_if<consensus::StartCatchUp>(&action)) return follower_.follow(*a), true;
    return false;
}

std::optional<Event> Branch::perform_io(const Action& action) {
    if (std::holds_alternative<consensus::DropStream>(action)) {
        change_generation();
        follower_.stop();
        return consensus::StreamDropped{log_->position()};
    }
    if (const auto* cut = std::get_if<consensus::CutTail>(&action)) {
        change_generation();
        auto done = expect_log_up_to(cut->lsn);
        if (done) done = log_->cut(cut->lsn);
        if (!done) {
            spdlog::error("{}: could not cut the log at {}: {}", name_.to_string(), cut->lsn.to_string(), done.error().to_string());
            return consensus::TailCut{done.error()};
        }
        return consensus::TailCut{log_->position()};
    }
    BOUGH_CHECK(std::holds_alternative<consensus::Persist>(action));
    change_generation();
    if (auto saved = save(); !saved) {
        spdlog::error("{}: could not write the control file: {}", name_.to_string(), saved.error().to_string());
        return consensus::PersistFailed{saved.error()};
    }
    return consensus::Persisted{};
}

// The control file says how far the log was durable, and a log that is found to be shorter is taken for damaged. So it must not say more
// than a cut will leave, also if a crash comes before the begin is persisted.
Result<void> Branch::expect_log_up_to(Lsn at) {
    std::lock_guard lock(control_mutex_);
    if (control_.scan_lsn <= at) return {};
    BOUGH_ASSIGN(auto last, boundary(at));
    auto control = control_;
    control.scan_lsn = last.end;
    control.scan_record = last.start;
    auto written = write_control(std::move(control));
    unsaved_ = true;  // all else in it is as it was
    return written;
}

// What uncommitted readers were sent from now on may not stay.
void Branch::change_generation() {
    term_generation_.fetch_add(1);
    notify_readers();
}

// All of one moment: the log may have begun anew while control_mutex_ was waited for. What is to be persisted is what the core has.
Result<void> Branch::save() {
    std::lock_guard lock(control_mutex_);
    return write_control(control_now());
}

segment::ControlFile Branch::control_now() const {
    segment::ControlFile control = control_;
    std::lock_guard state(state_mutex_);
    control.consensus = core_.durable();
    control.durable_lsn = durable_;
    control.scan_lsn = core_.log().end;
    control.scan_record = core_.log().last_record;
    return control;
}

Result<void> Branch::write_control(segment::ControlFile control) {
    unsaved_ = false;
    auto content = segment::encode_control_file(control);
    auto written = segment::replace_file(control_path(directory_), content);
    if (!written && segment::disk_space().full()) written = segment::replace_file_in_place(control_path(directory_), content);
    if (!written) {
        unsaved_ = true;
        return written;
    }
    control_ = std::move(control);
    saved_at_ = std::chrono::steady_clock::now();
    return {};
}

void Branch::housekeep(std::chrono::steady_clock::time_point now) {
    std::unique_lock operation(operation_mutex_, std::try_to_lock);
    if (!operation || stopped_) return;
    follower_.revive(now);
    if (auto dropped = now < drop_again_at_ ? Result<void>{} : drop_wal(); !dropped) {
        drop_again_at_ = now + kSaveInterval;
        spdlog::warn("{}: could not drop WAL: {}", name_.to_string(), dropped.error().to_string());
    }
    if (!unsaved_ || now - saved_at_ < kSaveInterval) return;
    if (auto saved = save(); !saved) {
        saved_at_ = now;  // not at once again
        spdlog::warn("{}: could not write the control file: {}", name_.to_string(), saved.error().to_string());
    }
}

// --- what is no longer needed -----------------------------------------------------------------------------------------------

RetentionView Branch::retention_view() const {
    std::lock_guard state(state_mutex_);
    return {durable_, core_.readable_end(), core_.log().end, core_.peers_have()};
}

Result<void> Branch::remove_files_below_begin() {
    remains_ = true;
    BOUGH_ASSIGN(auto dropped, segment::drop_segments_below(place_, log_begin().end));
    remains_ = false;
    environment_.counters.dropped_segments += dropped.segments;
    environment_.counters.dropped_bytes += dropped.bytes;
    if (dropped.segments > 0)
        spdlog::info("{}: dropped {} WAL segments, the log begins at {}", name_.to_string(), dropped.segments, log_begin().end.to_string());
    return {};
}

Result<void> Branch::drop_wal() {
    if (remains_) BOUGH_TRY(remove_files_below_begin());
    auto limit = drop_limit(retention_view(), environment_.retention);
    if (limit <= log_begin().end || place_.segment_at(limit).value <= place_.segment_at(log_begin().end).value) return {};
    // An idle log that ends in a record of several segments is not read over and over.
    if (limit == drop_in_vain_) return {};
    std::optional<segment::RecordBoundary> found;
    {
        // The follower may begin the log anew: not meanwhile.
        std::lock_guard lock(control_mutex_);
        BOUGH_ASSIGN(found, segment::find_drop_point(place_, log_begin(), limit));
        drop_in_vain_ = found ? Lsn{} : limit;
        if (!found) return {};
        // First it is written that the log begins later: a crash then leaves nothing that is missed.
        auto control = control_now();
        control.log_begin = found->end;
        control.log_begin_record = found->start;
        BOUGH_TRY(write_control(std::move(control)));
        std::lock_guard state(state_mutex_);
        begin_ = *found;
        log_->set_begin(*found);
    }
    return remove_files_below_begin();
}

// --- from the follower's thread ---------------------------------------------------------------------------------------------

Result<void> Branch::before_receiving() { return make_first_segment(); }

void Branch::log_flushed(const consensus::LogPosition& log) {
    unsaved_ = true;
    auto before = whole_end_.load();
    flushed_actions_ = step(consensus::LogFlushed{log});
    peers_wait_ = whole_end_.load() != before;
}

void Branch::pass_on() {
    for (const auto& action : flushed_actions_) perform_at_once(action);
    flushed_actions_.clear();
    if (peers_wait_) environment_.tell_peers(*this);
}

Lsn Branch::kept_by_others() const {
    std::lock_guard state(state_mutex_);
    return core_.kept_by_others();
}

// The old log and the new one never mix: its first segment waits under another name until the control file says that it begins there.
// A crash leaves the old log, or what finish_beginning() and drop_segments_below() complete.
Result<void> Branch::begin_log_anew(const segment::RecordBoundary& begin, std::span<const std::byte> prefix) {
    std::lock_guard lock(control_mutex_);
    BOUGH_TRY(segment::prepare_beginning(place_, begin.end, prefix));
    auto control = control_now();
    BOUGH_CHECK(begin.end > control.scan_lsn);
    control.consensus.commit_lsn = std::max(control.consensus.commit_lsn, begin.end);
    control.log_begin = control.scan_lsn = begin.end;
    control.log_begin_record = control.scan_record = begin.start;
    Lsn old_end = log_->position().end;
    BOUGH_TRY(write_control(std::move(control)));
    auto finished = segment::finish_beginning(place_, begin.end);
    if (!finished) {
        spdlog::critical("{}: could not begin the log at {}: {}; stopping, a restart completes it", name_.to_string(),
                         begin.end.to_string(), finished.error().to_string());
        std::abort();
    }
    if (auto dropped = segment::drop_segments_below(place_, begin.end); !dropped) {
        remains_ = true;
        spdlog::warn("{}: could not remove old WAL: {}", name_.to_string(), dropped.error().to_string());
    }
    // Who has a file of the old log open may not read on in it once more is readable.
    log_number_.fetch_add(1);
    log_->restart_at(begin);
    std::vector<Action> actions;
    {
        std::lock_guard state(state_mutex_);
        begin_ = begin;
        actions = core_.step(consensus::LogBegunAnew{log_->position()});
        publish();
    }
    ++environment_.counters.logs_begun_anew;
    spdlog::warn("{}: what follows {} is on no safekeeper any more, the pageserver has it: the log begins anew at {}", name_.to_string(),
                 old_end.to_string(), begin.end.to_string());
    for (const auto& action : actions) perform_at_once(action);
    environment_.tell_peers(*this);
    return {};
}

void Branch::catch_up_failed(const Error& error) {
    for (const auto& action : step(consensus::CatchUpFailed{error})) perform_at_once(action);
}

// --- reading ----------------------------------------------------------------------------------------------------------------

Lsn Branch::readable_end(bool uncommitted) const { return Lsn{uncommitted ? whole_end_.load() : committed_end_.load()}; }

Result<void> Branch::check_term(const serve::ReadOptions& options) const {
    if (closing_) return Error{ErrorCode::unavailable, "the branch is being closed", {}};
    if (!options.term) return {};
    std::lock_guard state(state_mutex_);
    auto position = core_.position();
    if (position.promised != *options.term)
        return Error{ErrorCode::failed_precondition,
                     "the branch is in term " + std::to_string(position.promised.value) + ", not " + std::to_string(options.term->value), {}};
    if (options.begun && position.last_term != *options.term)
        return Error{ErrorCode::failed_precondition, "term " + std::to_string(options.term->value) + " has not begun here yet", {}};
    return {};
}

void Branch::add_reader(serve::NewWalSignal& signal) {
    {
        std::lock_guard readers(readers_mutex_);
        readers_.push_back(&signal);
        has_readers_ = true;
    }
    environment_.tell_peers(*this);  // and hear from them what is committed
}

void Branch::remove_reader(serve::NewWalSignal& signal) {
    std::lock_guard readers(readers_mutex_);
    std::erase(readers_, &signal);
    has_readers_ = !readers_.empty();
}

void Branch::notify_readers() {
    if (!has_readers_) return;
    std::lock_guard readers(readers_mutex_);
    for (auto* reader : readers_) reader->notify();
}

Result<Lsn> Branch::first_lsn() {
    BOUGH_TRY(make_first_segment());
    return place_.begin_of(place_.segment_at(log_begin().end));
}

segment::RecordBoundary Branch::log_begin() const {
    std::lock_guard state(state_mutex_);
    return begin_;
}

Result<void> Branch::make_first_segment() {
    if (first_segment_made_ || log_begin().end > origin_.start_lsn) return {};
    std::lock_guard lock(first_segment_mutex_);
    auto parent = inheritable_place();
    auto made = segment::make_first_segment(place_, origin_.start_lsn, parent);
    if (!made && parent && made.error().code != ErrorCode::io) {
        spdlog::warn("{}: the WAL before its start could not be copied from its parent: {}", name_.to_string(), made.error().to_string());
        made = segment::make_first_segment(place_, origin_.start_lsn, std::nullopt);
    }
    if (made) first_segment_made_ = true;
    return made;
}

// The parent's files, if what they hold below our start is sure to be what was committed there.
std::optional<segment::WalPlace> Branch::inheritable_place() const {
    if (!origin_.parent) return std::nullopt;
    auto parent = environment_.find_parent({name_.project, *origin_.parent});
    if (!parent) return std::nullopt;
    auto first = parent->first_lsn();
    Lsn start = origin_.start_lsn;
    if (!first || place_.begin_of(place_.segment_at(start)) < *first || parent->readable_end(false) < start) return std::nullopt;
    return parent->place();
}

Result<segment::RecordBoundary> Branch::boundary(Lsn at) const {
    auto begin = log_begin();
    Lsn end = readable_end(true);
    if (at < begin.end || at > end)
        return Error{ErrorCode::out_of_range,
                     at.to_string() + " is outside the branch's WAL on this safekeeper, " + begin.end.to_string() + " to " + end.to_string(), {}};
    auto found = segment::find_boundary(place_, begin, at);
    // Dropped while it was being read.
    if (!found && found.error().code == ErrorCode::not_found) return Error{ErrorCode::out_of_range, found.error().message, {}};
    return found;
}

Result<std::string> Branch::read_wal(Lsn from, Lsn to) {
    if (to < from || to - from > kWalRequestBytesMax)
        return Error{ErrorCode::invalid_argument, "a WAL request goes forward, and over at most 16 MB", {}};
    BOUGH_ASSIGN(Lsn first, first_lsn());
    Lsn end = readable_end(true);
    if (from < first || to > end)
        return Error{ErrorCode::out_of_range, "requested WAL from " + from.to_string() + " to " + to.to_string() + ", there is " +
                                                  first.to_string() + " to " + end.to_string(), {}};
    auto generation = term_generation();
    std::string bytes(to - from, '\0');
    segment::WalReader reader{place_};
    BOUGH_TRY(reader.read_all(from, std::as_writable_bytes(std::span(bytes))));
    // Else the log may have been cut under the reading.
    if (term_generation() == generation || to <= readable_end(false)) return bytes;
    return Error{ErrorCode::unavailable, "the branch's term has changed", "ask again"};
}

}  // namespace bough::safekeeper
