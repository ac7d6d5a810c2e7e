#include "safekeeper/simulation/safekeeper.hpp"

#include <algorithm>
#include <utility>

#include "safekeeper/branch/retention.hpp"
#include "safekeeper/simulation/compute.hpp"
#include "safekeeper/simulation/failure.hpp"

namespace bough::safekeeper::simulation {

using namespace consensus;

std::string name_of_safekeeper(std::size_t number) { return "s" + std::to_string(number); }
std::size_t number_of_safekeeper(const std::string& name) { return std::stoul(name.substr(1)); }

namespace {

std::size_t number_of(const Peer& peer) { return number_of_safekeeper(peer.admin); }

Error unavailable(const std::string& message) { return {ErrorCode::unavailable, message, {}}; }

}  // namespace

Safekeeper::Safekeeper(System& system, std::size_t number)
    : system_(system), number_(number), name_(name_of_safekeeper(number)), scan_(system.start), log_(system.start),
      durable_log_(system.start) {
    control_.start_lsn = control_.commit_lsn = system.start;
    start();
}

void Safekeeper::note(const std::string& text) const {
    if (system_.world.traced()) system_.world.note(name_ + ": " + text);
}

void Safekeeper::later(Microseconds delay, std::function<void()> task) {
    system_.world.after(delay, [this, boot = boot_, task = std::move(task)] {
        if (up() && boot == boot_) task();
    });
}

Microseconds Safekeeper::disk_delay() {
    auto& random = system_.world.random;
    return slow_ ? random.mostly_low(kMillisecond, 200 * kMillisecond) : random.mostly_low(100, 4 * kMillisecond);
}

bool Safekeeper::idle_and_streaming() const { return up() && core_->state() == State::streaming && !syncing_ && compute_ != nullptr; }

// --- coming and going -----------------------------------------------------------------------------------------------------------

void Safekeeper::start() {
    if (up()) return;
    ++boot_;
    // The scan finds whole records; what stands behind the last one is received again.
    log_.cut(log_.record_end_below(log_.end()));
    durable_log_ = log_;
    if (log_.end() < scan_)
        broken(name_ + " finds its log to end at " + log_.end().to_string() + ", though it was durable up to " + scan_.to_string());
    if (system_.defect == Defect::renumber_promise_on_restart) control_.promised = control_.history.last().term;
    if (system_.defect == Defect::forget_configuration_on_restart) control_.assignment.configuration = {};
    core_ = std::make_unique<Core>(control_, LogPosition{log_.end(), log_.end(), {}}, name_);
    invariants_ = std::make_unique<Invariants>(*core_);
    flush_ = log_.end();
    note("starts, promised " + std::to_string(control_.promised.value) + ", history [" + control_.history.to_string() + "], log [" + log_.to_string() + "]");
    auto actions = core_->start();
    invariants_->check(CatchUpFailed{unavailable("start")}, actions);
    check();
    perform(actions);
    tell_peers();
    if (system_.peer_wal_bytes_max) drop_wal();
}

void Safekeeper::stop(bool power_cut) {
    if (!up()) return;
    auto& random = system_.world.random;
    if (being_persisted_) {
        // Replaced atomically: the old one or the new one.
        if (random.chance(500)) {
            control_ = *being_persisted_;
            scan_ = core_->log().end;
            system_.truth->configured();
        }
        being_persisted_.reset();
    }
    if (beginning_anew_ && random.chance(500)) write_beginning(*beginning_anew_);
    beginning_anew_.reset();
    if (power_cut) {
        // Of what was not synced any part may be there, and the log ends where the first is missing.
        Lsn end{random.between(durable_log_.end().value, std::max(durable_log_.end(), log_.end()).value)};
        if (!pages_lost_) log_.cut(end);
        else log_ = durable_log_;
    }
    note(std::string(power_cut ? "loses power" : "is killed") + ", log [" + log_.to_string() + "]");
    kept_by_pageserver_ = {};
    core_.reset();
    invariants_.reset();
    waiting_.clear();
    task_ = {};
    ++task_number_;
    if (compute_ != nullptr) {
        // The kernel closes the sockets of a process, not those of a machine.
        hang_up(*compute_, connection_, !power_cut);
    }
    compute_ = nullptr;
    syncing_ = stopping_ = saving_ = lying_ = exchange_planned_ = pages_lost_ = false;
    after_sync_ = nullptr;
    untold_.clear();
}

// --- the core -------------------------------------------------------------------------------------------------------------------

void Safekeeper::step(const Event& event) {
    if (system_.world.traced()) note("<- " + to_string(event));
    auto actions = core_->step(event);
    invariants_->check(event, actions);
    check();
    perform(actions);
}

void Safekeeper::check() {
    system_.truth->committed(log_, core_->readable_end(), name_.c_str());
}

void Safekeeper::perform(const std::vector<Action>& actions) {
    for (const auto& action : actions) {
        if (system_.world.traced()) note("-> " + to_string(action));
        perform(action);
    }
}

void Safekeeper::perform(const Action& action) {
    if (const auto* a = std::get_if<AnswerVote>(&action)) return answer(a->request, standing(a->position, a->granted));
    if (const auto* a = std::get_if<AnswerBegin>(&action)) {
        answer(a->request, standing(a->position, true));
        return tell_peers();
    }
    if (const auto* a = std::get_if<Refuse>(&action)) return answer(a->request, a->error);
    if (std::holds_alternative<CommitAdvanced>(action)) return;
    if (const auto* a = std::get_if<StartStream>(&action)) return follow(*a);
    if (const auto* a = std::get_if<StartCatchUp>(&action)) return follow(*a);
    if (const auto* a = std::get_if<CutTail>(&action)) return cut_tail(a->lsn);
    if (const auto* a = std::get_if<Persist>(&action)) return persist(*a);
    // DropStream
    if (system_.defect == Defect::keep_stream_through_vote) {
        lying_ = true;
        later(10, [this] { step(StreamDropped{core_->log()}); });
        return;
    }
    stop_following([this] { step(StreamDropped{log_position()}); });
}

void Safekeeper::persist(const Persist& action) {
    auto& random = system_.world.random;
    being_persisted_ = action.durable;
    Lsn scan = core_->log().end;
    bool fails = full_ && random.chance(700);
    if (system_.defect == Defect::answer_vote_before_persisting) {
        // Only later on disk, if nothing comes between.
        later(disk_delay() + 20 * kMillisecond, [this, durable = action.durable, scan] {
            if (durable.promised < control_.promised) return;
            control_ = durable;
            scan_ = scan;
        });
        being_persisted_.reset();
        later(10, [this] { step(Persisted{}); });
        return;
    }
    later(disk_delay(), [this, durable = action.durable, scan, fails] {
        being_persisted_.reset();
        if (fails && system_.defect != Defect::swallow_failed_persist) return step(PersistFailed{{ErrorCode::io, "no space left on device", {}}});
        if (!fails) {
            bool others_count = durable.assignment.configuration != control_.assignment.configuration || durable.history != control_.history;
            control_ = durable;
            scan_ = scan;
            if (others_count) system_.truth->configured();
        }
        step(Persisted{});
    });
}

void Safekeeper::cut_tail(Lsn at) {
    if (system_.defect == Defect::skip_truncation) return later(10, [this] { step(TailCut{log_position()}); });
    auto cut = [this, at] {
        // A record ends there, or the log is not what its history says.
        if (log_.record_end_below(at) != at) return step(TailCut{Error{ErrorCode::corrupt, "no record ends there", {}}});
        log_.cut(at);
        durable_log_.cut(at);
        flush_ = at;
        system_.truth->check_redundancy();
        later(disk_delay(), [this] { step(TailCut{log_position()}); });
    };
    // First the control file must expect no more than what will be left.
    if (at >= scan_ || system_.defect == Defect::keep_scan_position_over_cut) return later(disk_delay(), cut);
    later(disk_delay(), [this, at, cut] {
        scan_ = at;
        later(disk_delay(), cut);
    });
}

void Safekeeper::answer(RequestId request, Result<Answer> answer) {
    auto waiting = waiting_.extract(request);
    if (!waiting.empty()) waiting.mapped()(std::move(answer));
}

Answer Safekeeper::standing(const Position& position, bool granted) const {
    return {granted,
            {position.promised, position.last_term, position.history, position.log.end, position.commit_lsn, position.configured_in,
             position.configuration},
            position.log.flush, compute_ != nullptr, log_.up_to(position.log.end)};
}

// --- requests -------------------------------------------------------------------------------------------------------------------

void Safekeeper::position(Reply reply) {
    if (up()) reply(standing(core_->position(), false));
}

void Safekeeper::vote(Term term, Reply reply) {
    if (!up()) return;
    waiting_[++last_request_] = std::move(reply);
    step(VoteRequested{last_request_, term});
}

void Safekeeper::begin(BeginRequested request, Reply reply) {
    if (!up()) return;
    request.request = ++last_request_;
    waiting_[last_request_] = std::move(reply);
    step(request);
}

void Safekeeper::learn_commit(Term term, Lsn lsn) {
    if (up()) step(CommitLearnt{term, lsn});
}

void Safekeeper::learn_durable(Lsn lsn) {
    if (up()) kept_by_pageserver_ = std::max(kept_by_pageserver_, lsn);
}

std::optional<Safekeeper::Served> Safekeeper::read_committed(Lsn from) const {
    if (!up() || from < log_.start()) return std::nullopt;
    Lsn end = system_.defect == Defect::serve_above_commit ? core_->log().end : core_->readable_end();
    if (end <= from) return std::nullopt;
    return Served{log_.up_to(end), end};
}

// --- the follower: from a compute -------------------------------------------------------------------------------------------------

void Safekeeper::follow(Task task) {
    lying_ = false;
    task_ = std::move(task);
    ++task_number_;
    if (compute_ != nullptr) {
        hang_up(*std::exchange(compute_, nullptr), connection_, true);
    }
    later(10, [this, task_number = task_number_] {
        if (task_number == task_number_) connect();
    });
}

// All that was written is synced, nothing more is written or reported.
void Safekeeper::stop_following(std::function<void()> then) {
    task_ = {};
    ++task_number_;
    stopping_ = true;
    auto disconnect = [this, then = std::move(then)] {
        stopping_ = false;
        if (compute_ != nullptr) {
            hang_up(*std::exchange(compute_, nullptr), connection_, true);
        }
        then();
    };
    auto finish = [this, disconnect] {
        if (!pages_lost_) durable_log_ = log_;
        flush_ = std::max(flush_, log_.end());
        disconnect();
    };
    if (syncing_) after_sync_ = finish;
    else later(disk_delay(), finish);
}

void Safekeeper::connect() {
    if (std::holds_alternative<StartCatchUp>(task_)) return catch_up();
    const auto& stream = std::get<StartStream>(task_);
    auto* compute = system_.compute_at(stream.assignment.source);
    // An older compute may still be at that address; it says of which term it is.
    bool ours = compute != nullptr && (compute->term() == stream.term || system_.defect == Defect::follow_any_compute);
    if (!ours || full_) return retry();
    auto task = task_number_;
    system_.world.send(node(), compute->node(), [this, compute, task, from = core_->log().end] { compute->connect(number_, task, from); });
    // Neither accepted nor refused in time.
    later(60 * kMillisecond, [this, task] {
        if (task == task_number_ && compute_ == nullptr) retry();
    });
}

// The compute learns of it, if the message arrives, or after a while because nothing is heard any more.
void Safekeeper::hang_up(Compute& compute, std::uint64_t connection, bool said) {
    auto closed = [&compute, connection] { compute.closed(connection); };
    if (said) system_.world.send(node(), compute.node(), closed);
    system_.world.after(system_.world.random.mostly_low(20 * kMillisecond, kSecond), closed);
}

void Safekeeper::retry() {
    ++task_number_;
    later(system_.world.random.between(2 * kMillisecond, 15 * kMillisecond), [this, task = task_number_] {
        if (task == task_number_ && !std::holds_alternative<std::monostate>(task_)) connect();
    });
}

void Safekeeper::connected(std::uint64_t task, Compute& compute, std::uint64_t connection) {
    if (!up() || task != task_number_ || stopping_) {
        hang_up(compute, connection, true);
        return;
    }
    compute_ = &compute;
    connection_ = connection;
    report_flush();
}

void Safekeeper::refused(std::uint64_t task, bool wal_gone) {
    if (!up() || task != task_number_ || compute_ != nullptr) return;
    if (!wal_gone || !std::holds_alternative<StartStream>(task_)) return retry();
    ++task_number_;
    catch_up();
}

void Safekeeper::disconnected(std::uint64_t task) {
    if (!up() || task != task_number_ || stopping_) return;
    compute_ = nullptr;
    retry();
}

void Safekeeper::received(std::uint64_t task, const Writer& writer, Lsn from, Lsn to) {
    bool wanted = task == task_number_ || (lying_ && compute_ != nullptr);
    if (!up() || !wanted || compute_ == nullptr || stopping_) return;
    if (full_) {
        hang_up(*compute_, connection_, true);
        return disconnected(task);
    }
    if (lying_ && from > log_.end()) return;
    log_.append(writer, from, to);
    if (system_.defect == Defect::acknowledge_before_fsync) {
        auto lsn = log_.end();
        system_.world.send(node(), compute_->node(), [compute = compute_, connection = connection_, lsn] { compute->flush_reported(connection, lsn); });
    }
    sync();
}

// --- the follower: from peers -----------------------------------------------------------------------------------------------------

void Safekeeper::catch_up() {
    Wanted wanted{};
    Lsn limit;
    std::vector<std::size_t> donors;
    if (const auto* task = std::get_if<StartCatchUp>(&task_)) {
        wanted = {task->term, !task->donors_chosen && system_.defect != Defect::take_from_donor_not_begun, true, core_->log().end};
        limit = task->target;
        for (const auto& donor : task->donors) donors.push_back(number_of(donor));
    } else {
        // The compute has dropped that WAL. Committed or not, a peer in the term has the same: it has one writer.
        const auto& stream = std::get<StartStream>(task_);
        wanted = {stream.term, true, true, core_->log().end};
        limit = Lsn{~0ull};
        for (const auto& peer : stream.assignment.peers) donors.push_back(number_of(peer));
    }
    ask_donor(wanted, limit, std::move(donors));
}

// The first of them that answers with something; then again from where the log ends by then.
void Safekeeper::ask_donor(const Wanted& wanted, Lsn limit, std::vector<std::size_t> donors) {
    auto task = task_number_;
    if (donors.empty() || full_) {
        if (std::holds_alternative<StartCatchUp>(task_) && system_.world.random.chance(50))
            step(CatchUpFailed{unavailable("no donor has it")});
        if (task == task_number_) retry();
        return;
    }
    auto& donor = *system_.safekeepers[donors.front()];
    donors.erase(donors.begin());
    auto answered = std::make_shared<bool>(false);
    auto next = [this, task, wanted, limit, donors, answered] {
        if (!up() || task != task_number_ || std::exchange(*answered, true)) return;
        ask_donor(wanted, limit, donors);
    };
    system_.world.send(node(), donor.node(), [this, &donor, task, wanted, limit, donors, answered, next] {
        auto served = donor.read_for_peer(wanted);
        system_.world.send(donor.node(), node(), [this, &donor, served, task, wanted, limit, donors, answered, next] {
            if (!up() || task != task_number_ || *answered) return;
            if (!served && served.error().code == ErrorCode::out_of_range) {
                *answered = true;
                return begin_anew_from(donor, wanted, [this, wanted, limit, donors] { ask_donor(wanted, limit, donors); });
            }
            if (!served || served->end <= wanted.from) return next();
            *answered = true;
            auto length = system_.world.random.between(500, 20000);
            Lsn to = std::min({served->end, limit, wanted.from + length});
            append(served->log, wanted.from, to);
            // All of it may have been there: a part of a record at the end of a former try.
            if (durable_log_.end() < log_.end()) return sync();
            later(10, [this, task] {
                if (task == task_number_) synced(log_.end());
            });
        });
    });
    later(30 * kMillisecond, next);
}

Result<void> Safekeeper::check_wanted(const Wanted& wanted) const {
    if (!up()) return unavailable("down");
    auto position = core_->position();
    if (position.promised != wanted.term) return unavailable("another term");
    if (wanted.begun && position.last_term != wanted.term) return unavailable("not begun");
    return {};
}

Result<Safekeeper::Served> Safekeeper::read_for_peer(const Wanted& wanted) const {
    BOUGH_TRY(check_wanted(wanted));
    if (wanted.from < log_.start()) return Error{ErrorCode::out_of_range, "dropped", {}};
    Lsn end = wanted.uncommitted ? core_->log().end : core_->readable_end();
    return Served{log_.up_to(end), end};
}

Result<Content> Safekeeper::beginning_for_peer(const Wanted& wanted) const {
    BOUGH_TRY(check_wanted(wanted));
    if (system_.defect == Defect::begin_anew_at_the_donors_end) {
        auto log = log_.up_to(core_->log().end);
        log.drop_below(log.end());
        return log;
    }
    return Content::begun_anew(log_);
}

// The donor has dropped what is missing here. `otherwise`: when it does not help.
void Safekeeper::begin_anew_from(const Safekeeper& donor, const Wanted& wanted, std::function<void()> otherwise) {
    auto answered = std::make_shared<bool>(false);
    auto finish = [this, task = task_number_, answered, otherwise](const Result<Content>& beginning) {
        if (!up() || task != task_number_ || std::exchange(*answered, true)) return;
        if (!beginning || beginning->start() <= core_->log().end || full_ || syncing_) return otherwise();
        begin_anew(*beginning);
    };
    system_.world.send(node(), donor.node(), [this, &donor, wanted, finish] {
        system_.world.send(donor.node(), node(), [beginning = donor.beginning_for_peer(wanted), finish] { finish(beginning); });
    });
    later(30 * kMillisecond, [finish] { finish(unavailable("no answer")); });
}

// Nobody stops the follower meanwhile: it is as busy as with a sync.
void Safekeeper::begin_anew(const Content& log) {
    syncing_ = true;
    beginning_anew_ = log;
    later(disk_delay(), [this] {
        syncing_ = false;
        write_beginning(*std::exchange(beginning_anew_, std::nullopt));
        auto task = task_number_;
        step(LogBegunAnew{log_position()});
        if (!up()) return;
        tell_peers();
        if (after_sync_) return std::exchange(after_sync_, nullptr)();
        if (task != task_number_ || stopping_) return;
        if (std::holds_alternative<StartCatchUp>(task_)) catch_up();
        else retry();
    });
}

// The control file decides which of the two logs it is.
void Safekeeper::write_beginning(const Content& log) {
    note("begins its log anew at " + log.start().to_string());
    control_ = core_->durable();
    if (system_.defect == Defect::forget_promise_when_beginning_anew) {
        control_.promised = {};
        control_.history = {};
    }
    control_.commit_lsn = std::max(control_.commit_lsn, log.start());
    scan_ = flush_ = log.start();
    log_ = durable_log_ = log;
    system_.truth->begun_anew(log_, name_);
}

void Safekeeper::append(const Content& from_log, Lsn from, Lsn to) { log_.append(from_log, from, to); }

// --- the follower: syncing ----------------------------------------------------------------------------------------------------------

void Safekeeper::sync() {
    if (syncing_ || durable_log_.end() >= log_.end()) return;
    syncing_ = true;
    later(disk_delay(), [this, up_to = log_.end()] {
        syncing_ = false;
        synced(up_to);
    });
}

void Safekeeper::synced(Lsn up_to) {
    if (failing_) {
        failing_ = false;
        if (system_.defect != Defect::ignore_failed_fsync) {
            note("fsync fails");
            stop(true);
            return;
        }
        pages_lost_ = true;
    }
    if (!pages_lost_) {
        // One that began earlier may end later.
        if (Lsn end = std::min(up_to, log_.end()); end > durable_log_.end()) durable_log_ = log_.up_to(end);
    }
    flush_ = std::max(flush_, std::min(up_to, log_.end()));
    if (after_sync_) return std::exchange(after_sync_, nullptr)();
    if (stopping_) return;
    report_flush();
    auto task = task_number_;
    if (!lying_) step(LogFlushed{log_position()});
    tell_peers();
    if (!up()) return;
    if (log_.end() > durable_log_.end()) sync();
    // A catch-up goes on with the next piece.
    if (task == task_number_ && compute_ == nullptr && !std::holds_alternative<std::monostate>(task_)) {
        if (std::holds_alternative<StartCatchUp>(task_)) catch_up();
        else retry();
    }
}

LogPosition Safekeeper::log_position() const {
    Lsn end = system_.defect == Defect::commit_half_a_record ? flush_ : log_.record_end_below(flush_);
    return {flush_, end, {}};
}

void Safekeeper::report_flush() {
    if (compute_ == nullptr) return;
    system_.world.send(node(), compute_->node(), [compute = compute_, connection = connection_, flush = flush_] {
        compute->flush_reported(connection, flush);
    });
}

// --- what is no longer needed ------------------------------------------------------------------------------------------------------------

bool Safekeeper::can_save() const {
    auto state = core_->state();
    return !being_persisted_ && !beginning_anew_ && state != State::persisting && state != State::cutting && state != State::dropping;
}

void Safekeeper::drop_wal() {
    later(system_.world.random.between(20 * kMillisecond, 120 * kMillisecond), [this] {
        drop_wal();
        if (saving_ || full_ || !can_save() || lying_ || pages_lost_) return;
        Lsn durable = system_.defect == Defect::drop_what_the_pageserver_lacks ? core_->log().end : kept_by_pageserver_;
        Lsn limit = drop_limit({durable, core_->readable_end(), core_->log().end, core_->peers_have()}, {*system_.peer_wal_bytes_max, 0});
        if (limit <= log_.start()) return;
        Lsn at = log_.record_end_below(limit);
        if (at <= log_.start()) return;
        saving_ = true;
        later(disk_delay(), [this, at] {
            saving_ = false;
            if (!can_save() || at <= log_.start()) return;
            control_ = core_->durable();
            scan_ = core_->log().end;
            note("drops WAL below " + at.to_string());
            log_.drop_below(at);
            durable_log_.drop_below(at);
            system_.truth->dropped(log_, name_);
        });
    });
}

// --- the exchange of positions --------------------------------------------------------------------------------------------------------

Safekeeper::Told Safekeeper::told_to_peers() const {
    auto position = core_->position();
    Told told{number_, position.last_term, position.counted_end(), position.commit_lsn, position.configuration.generation};
    if (system_.defect == Defect::count_catch_up_in_its_old_term) told.end = position.log.end;
    return told;
}

void Safekeeper::tell_peers() {
    if (!up()) return;
    for (const auto& peer : core_->durable().assignment.peers) untold_[number_of(peer)] = true;
    exchange();
}

void Safekeeper::exchange() {
    if (exchange_planned_ || untold_.empty()) return;
    exchange_planned_ = true;
    later(8 * kMillisecond, [this] {
        exchange_planned_ = false;
        for (auto& [peer, untold] : std::exchange(untold_, {})) {
            auto& other = *system_.safekeepers[peer];
            auto heard = std::make_shared<bool>(false);
            system_.world.send(node(), other.node(), [this, &other, told = told_to_peers(), heard] {
                if (!other.up()) return;
                other.peer_told(told);
                if (!other.up()) return;
                system_.world.send(other.node(), node(), [this, answer = other.told_to_peers(), heard] {
                    if (!up()) return;
                    *heard = true;
                    peer_told(answer);
                });
            });
            later(50 * kMillisecond, [this, peer = peer, heard] {
                if (*heard) return;
                untold_[peer] = true;
                exchange();
            });
        }
        // What changes lazily is written now and then.
        if (!saving_ && !being_persisted_ && !full_ && system_.world.random.chance(50)) {
            saving_ = true;
            later(disk_delay(), [this] {
                saving_ = false;
                if (!can_save()) return;
                if (system_.defect == Defect::answer_vote_before_persisting || system_.defect == Defect::swallow_failed_persist) return;
                control_ = core_->durable();
                if (system_.defect != Defect::ignore_failed_fsync) scan_ = core_->log().end;
            });
        }
    });
}

void Safekeeper::peer_told(const Told& told) {
    step(PeerReported{name_of_safekeeper(told.from), told.last_term, told.end, told.generation});
    if (!up()) return;
    Term term = system_.defect == Defect::trust_commit_of_any_term ? core_->position().last_term : told.last_term;
    step(CommitLearnt{term, told.commit, name_of_safekeeper(told.from)});
}

}  // namespace bough::safekeeper::simulation
