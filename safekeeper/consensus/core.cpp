#include "safekeeper/consensus/core.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <limits>
#include <utility>

#include "bough/check.hpp"

namespace bough::safekeeper::consensus {
using election::common_end;
using election::first_contradiction;

namespace {

// Enough that launchers and long-absent peers find a common entry; what is older is all committed.
constexpr std::size_t kHistoryEntriesKept = 64;

Error stale_term(Term asked, Term promised) {
    return {ErrorCode::failed_precondition,
            "term " + std::to_string(asked.value) + " was not voted for here: the newest promised is " +
                std::to_string(promised.value),
            asked > promised ? "ask for a vote first" : "a newer compute has taken over"};
}

std::vector<Lsn> values(const std::map<std::string, Lsn>& ends) {
    std::vector<Lsn> result;
    for (const auto& [name, end] : ends) result.push_back(end);
    return result;
}

// Within a term there is one launcher, and its orders may overtake one another: the newest configuration stays.
Result<void> check_succession(const Configuration& mine, const Configuration& ordered) {
    if (ordered.generation > mine.generation || ordered == mine) return {};
    return Error{ErrorCode::failed_precondition,
                 "configuration " + to_string(ordered) + " is not newer than that of this safekeeper, " + to_string(mine), {}};
}

}  // namespace

Lsn quorum_end(std::vector<Lsn> ends, std::size_t members) {
    std::size_t quorum = members / 2 + 1;
    if (ends.size() < quorum) return Lsn{};
    std::sort(ends.begin(), ends.end(), std::greater<>());
    return ends[quorum - 1];
}

Core::Core(Durable durable, LogPosition log, std::string name)
    : name_(std::move(name)), durable_(std::move(durable)), log_(log) {
    BOUGH_CHECK(log_.end <= log_.flush);
    BOUGH_CHECK(durable_.start_lsn <= log_.end);
    BOUGH_CHECK(durable_.history.last().term <= durable_.promised);
}

std::vector<Action> Core::start() {
    BOUGH_CHECK(state_ == State::resting);
    if (begun()) follow({});
    count_quorum();
    return std::exchange(actions_, {});
}

std::vector<Action> Core::step(const Event& event) {
    bool request = std::holds_alternative<VoteRequested>(event) || std::holds_alternative<BeginRequested>(event);
    if (request && busy()) {
        waiting_.push_back(event);
    } else {
        take(event);
        while (!busy() && !waiting_.empty()) {
            Event next = std::move(waiting_.front());
            waiting_.pop_front();
            take(next);
        }
    }
    return std::exchange(actions_, {});
}

void Core::take(const Event& event) {
    std::visit([this](const auto& e) { on(e); }, event);
}

Lsn Core::readable_end() const { return std::min(durable_.commit_lsn, log_.end); }

Position Core::position() const {
    // What is not on disk yet is not told.
    const auto& durable = state_ == State::persisting ? durable_before_ : durable_;
    return {durable.promised, durable.history.last_at(log_.end).term, durable.history.up_to(log_.end), durable.start_lsn, log_,
            readable_end(), state_, durable.history.last().term, durable.assignment.configuration, durable.assignment.peers,
            durable.assignment.source};
}

std::string Core::fingerprint() const {
    auto names = [](const std::vector<Peer>& peers) {
        std::string text;
        for (const auto& peer : peers) text += ' ' + peer.admin;
        return text;
    };
    auto of = [&](const Durable& durable) {
        return std::to_string(durable.promised.value) + '[' + durable.history.to_string() + ']' + durable.commit_lsn.to_string() +
               durable.assignment.source + names(durable.assignment.peers) + ' ' + bough::to_string(durable.assignment.configuration);
    };
    std::string text = std::string(to_string(state_)) + of(durable_) + log_.flush.to_string() + log_.end.to_string() +
                       std::to_string(counted_in_.value);
    if (state_ == State::persisting) text += of(durable_before_);
    if (const auto* vote = std::get_if<Vote>(&work_)) text += " vote " + std::to_string(vote->request);
    if (const auto* begin = std::get_if<Begin>(&work_))
        text += " begin " + std::to_string(begin->request.request) + of(begin->durable) + " donors" + names(begin->request.donors);
    for (auto request : waiting_begins_) text += " answer " + std::to_string(request);
    for (const auto& event : waiting_) {
        text += " then " + to_string(event);
        if (const auto* vote = std::get_if<VoteRequested>(&event)) text += " for " + std::to_string(vote->request);
        if (const auto* begin = std::get_if<BeginRequested>(&event))
            text += " for " + std::to_string(begin->request) + begin->assignment.source + names(begin->assignment.peers) + " donors" +
                    names(begin->donors);
    }
    for (const auto& [peer, report] : reports_)
        text += ' ' + peer + std::to_string(report.last_term.value) + '@' + report.end.to_string() + '/' + std::to_string(report.generation);
    return text + " from" + names(chosen_donors_);
}

// --- votes ------------------------------------------------------------------------------------------------------------------

void Core::on(const VoteRequested& event) {
    // An equal term is refused too: it may have been another launcher's.
    if (event.term <= durable_.promised) {
        actions_.push_back(AnswerVote{event.request, false, position()});
        return;
    }
    refuse_waiting_begins({ErrorCode::failed_precondition,
                           "term " + std::to_string(durable_.promised.value) + " is over: term " +
                               std::to_string(event.term.value) + " asks for votes",
                           {}});
    work_ = Vote{event.request, event.term};
    if (following()) {
        state_ = State::dropping;
        actions_.push_back(DropStream{});
        return;
    }
    on(StreamDropped{log_});
}

void Core::on(const StreamDropped& event) {
    log_ = event.log;
    count_quorum();
    Durable durable = durable_;
    if (auto* vote = std::get_if<Vote>(&work_)) {
        durable.promised = vote->term;
    } else {
        durable = std::get<Begin>(work_).durable;
    }
    persist(std::move(durable));
}

// --- begin ------------------------------------------------------------------------------------------------------------------

void Core::on(const BeginRequested& event) {
    auto refuse = [&](Error error) { actions_.push_back(Refuse{event.request, std::move(error)}); };
    if (event.term != durable_.promised) return refuse(stale_term(event.term, durable_.promised));
    auto last = event.history.last();
    if (last.term > event.term || (last.term == event.term && last.begin != event.begin_lsn) || last.begin > event.begin_lsn)
        return refuse({ErrorCode::invalid_argument, "the history does not lead to the term that begins", {}});
    if (event.begin_lsn < durable_.start_lsn)
        return refuse({ErrorCode::out_of_range,
                       "term cannot begin at " + event.begin_lsn.to_string() + ": the branch starts at " +
                           durable_.start_lsn.to_string(), {}});
    if (begun())
        begin_again(event);
    else
        begin_new(event);
}

// The term has begun here before: the log stays as it is.
void Core::begin_again(const BeginRequested& event) {
    if (durable_.history.last().begin != event.begin_lsn) {
        actions_.push_back(Refuse{event.request,
                                  {ErrorCode::failed_precondition,
                                   "term " + std::to_string(event.term.value) + " began at " +
                                       durable_.history.last().begin.to_string() + ", not at " + event.begin_lsn.to_string(),
                                   {}}});
        return;
    }
    BOUGH_CHECK(following());
    if (auto fit = check_succession(durable_.assignment.configuration, event.assignment.configuration); !fit) {
        actions_.push_back(Refuse{event.request, fit.error()});
        return;
    }
    waiting_begins_.push_back(event.request);
    bool catching_up = state_ == State::catching_up;
    if (durable_.assignment == event.assignment && !(catching_up && event.donors != chosen_donors_)) {
        if (!catching_up) answer_waiting_begins();
        return;
    }
    Durable durable = durable_;
    durable.assignment = event.assignment;
    work_ = Begin{event, std::move(durable), false};
    state_ = State::dropping;
    actions_.push_back(DropStream{});
}

void Core::begin_new(const BeginRequested& event) {
    BOUGH_CHECK(state_ == State::resting);  // the vote dropped the stream
    auto refuse = [&](Error error) { actions_.push_back(Refuse{event.request, std::move(error)}); };

    TermHistory history = event.history;
    if (history.last().term != event.term) history.append({event.term, event.begin_lsn});
    auto common = common_end(durable_.history, log_.end, history, std::max(readable_end(), durable_.start_lsn));
    if (!common) return refuse(common.error());
    Lsn cut = std::min(*common, event.begin_lsn);
    if (cut < readable_end())
        return refuse({ErrorCode::failed_precondition,
                       "term " + std::to_string(event.term.value) + " would cut the log at " + cut.to_string() +
                           ", below what is committed, " + readable_end().to_string(),
                       "whoever chose this beginning did not ask a majority"});

    if (auto at = first_contradiction(durable_.history, history, readable_end()))
        return refuse({ErrorCode::failed_precondition,
                       "the history of term " + std::to_string(event.term.value) + " contradicts at " + at->to_string() +
                           " what is committed up to " + readable_end().to_string(),
                       "whoever chose this log did not ask a majority"});

    Durable durable = durable_;
    history.forget_below(std::min(durable.commit_lsn, event.begin_lsn), counted_in_, kHistoryEntriesKept);
    durable.history = std::move(history);
    durable.assignment = event.assignment;
    waiting_begins_.push_back(event.request);
    work_ = Begin{event, std::move(durable), true};
    state_ = State::cutting;
    actions_.push_back(CutTail{cut});
}

void Core::on(const TailCut& event) {
    BOUGH_CHECK(state_ == State::cutting);
    if (!event.log) {
        refuse_waiting_begins(event.log.error());
        end_work(State::resting);
        return;
    }
    log_ = *event.log;
    persist(std::get<Begin>(work_).durable);
}

void Core::persist(Durable durable) {
    // What was learnt while the request was under way stays learnt.
    durable.commit_lsn = std::max(durable.commit_lsn, durable_.commit_lsn);
    durable_before_ = std::exchange(durable_, std::move(durable));
    state_ = State::persisting;
    actions_.push_back(Persist{durable_});
}

void Core::on(const Persisted&) {
    BOUGH_CHECK(state_ == State::persisting);
    if (auto* vote = std::get_if<Vote>(&work_)) {
        auto request = vote->request;
        end_work(State::resting);
        actions_.push_back(AnswerVote{request, true, position()});
        return;
    }
    auto begin = std::get<Begin>(std::move(work_));
    reports_.clear();
    end_work(State::resting);
    follow(begin.request.donors);
    count_quorum();
}

// As if the request had not come; but a stream that was dropped for it is taken up again, and a tail that was cut stays cut.
void Core::on(const PersistFailed& event) {
    BOUGH_CHECK(state_ == State::persisting);
    durable_before_.commit_lsn = durable_.commit_lsn;
    durable_ = std::move(durable_before_);
    if (auto* vote = std::get_if<Vote>(&work_)) actions_.push_back(Refuse{vote->request, event.error});
    refuse_waiting_begins(event.error);
    end_work(State::resting);
    if (begun()) follow({});
}

void Core::end_work(State state) {
    work_ = {};
    state_ = state;
}

// From the log's end: first what is missing below the term's beginning, then the compute.
void Core::follow(const std::vector<Peer>& chosen_donors) {
    auto begin = durable_.history.last();
    if (log_.end < begin.begin) {
        state_ = State::catching_up;
        bool chosen = !chosen_donors.empty();
        chosen_donors_ = chosen_donors;
        actions_.push_back(
            StartCatchUp{begin.term, begin.begin, chosen ? chosen_donors : durable_.assignment.peers, chosen});
        return;
    }
    state_ = State::streaming;
    answer_waiting_begins();
    actions_.push_back(StartStream{begin.term, durable_.assignment});
}

void Core::answer_waiting_begins() {
    for (auto request : std::exchange(waiting_begins_, {})) actions_.push_back(AnswerBegin{request, position()});
}

void Core::refuse_waiting_begins(const Error& error) {
    for (auto request : std::exchange(waiting_begins_, {})) actions_.push_back(Refuse{request, error});
}

// --- the log and what of it is committed --------------------------------------------------------------------------------------

void Core::on(const LogFlushed& event) {
    // While the stream is being dropped it may still report; in any other state nothing receives.
    BOUGH_CHECK(following() || state_ == State::dropping);
    BOUGH_CHECK(event.log.end >= log_.end);
    Lsn readable = readable_end();
    log_ = event.log;
    if (state_ == State::catching_up) {
        BOUGH_CHECK(log_.flush <= durable_.history.last().begin);
        if (log_.end == durable_.history.last().begin) follow({});
    }
    count_quorum();
    // Known as committed before, but only now here.
    if (readable_end() > readable && (actions_.empty() || !std::holds_alternative<CommitAdvanced>(actions_.back())))
        actions_.push_back(CommitAdvanced{readable_end()});
}

// As if all that was skipped had been received: it is committed, and below it this log is by definition that of the term it follows.
void Core::on(const LogBegunAnew& event) {
    BOUGH_CHECK(following() || state_ == State::dropping);
    BOUGH_CHECK(event.log.end > log_.end && event.log.flush == event.log.end);
    log_ = event.log;
    durable_.commit_lsn = std::max(durable_.commit_lsn, log_.end);
    if (state_ == State::catching_up && log_.end >= durable_.history.last().begin) follow({});
    count_quorum();
    actions_.push_back(CommitAdvanced{readable_end()});
}

void Core::on(const CatchUpFailed& event) {
    if (state_ == State::catching_up) refuse_waiting_begins(event.error);
}

bool Core::is_peer(const std::string& admin) const {
    const auto& peers = durable_.assignment.peers;
    return std::any_of(peers.begin(), peers.end(), [&](const Peer& peer) { return peer.admin == admin; });
}

void Core::on(const PeerReported& event) {
    if (!is_peer(event.peer)) return;
    auto& report = reports_[event.peer];
    // Messages may overtake one another; within a term a log only grows.
    if (event.last_term < report.last_term || (event.last_term == report.last_term && event.end < report.end)) return;
    report = {event.last_term, event.end, event.generation};
    count_quorum();
}

void Core::on(const CommitLearnt& event) {
    // One that left may count by members that are not members any more.
    if (!event.peer.empty() && !is_peer(event.peer)) return;
    // Of a term that this log has not reached it says nothing: below that position our bytes may be others.
    if (event.term > last_term() || event.term == Term{0}) return;
    learn_commit(event.lsn);
}

// Only logs that have reached the beginning of the newest term count: then all below it is theirs too.
void Core::count_quorum() {
    auto newest = durable_.history.last();
    if (durable_.history.empty() || last_term() != newest.term) return;
    Lsn reached = reached_by_quorum(newest.term);
    if (reached < newest.begin) return;
    counted_in_ = newest.term;
    learn_commit(reached);
}

Lsn Core::kept_by_others() const {
    const auto& assignment = durable_.assignment;
    auto ends = reported_ends(durable_.history.last().term);
    if (assignment.configuration.generation != 0) return bough::quorum_end(assignment.configuration, ends);
    return quorum_end(values(ends), assignment.peers.size() + 1);
}

Lsn Core::reached_by_quorum(Term term) const {
    const auto& assignment = durable_.assignment;
    auto ends = reported_ends(term);
    ends.emplace(name_, log_.end);
    // This safekeeper may be none of the members: it is joining, or has left. quorum_end() goes by their names.
    if (assignment.configuration.generation != 0) return bough::quorum_end(assignment.configuration, ends);
    return quorum_end(values(ends), assignment.peers.size() + 1);
}

// By name; by address where nobody said a name. Not of those who hold a newer configuration than this one: commits may be waited for by
// that, and a quorum of this one is then no quorum any more (README, rule 5).
std::map<std::string, Lsn> Core::reported_ends(Term term) const {
    std::map<std::string, Lsn> ends;
    for (const auto& peer : durable_.assignment.peers) {
        auto report = reports_.find(peer.admin);
        if (report != reports_.end() && report->second.last_term == term &&
            report->second.generation <= durable_.assignment.configuration.generation)
            ends.emplace(peer.name.empty() ? peer.admin : peer.name, report->second.end);
    }
    return ends;
}

std::vector<std::pair<std::string, std::optional<Lsn>>> Core::peer_ends() const {
    std::vector<std::pair<std::string, std::optional<Lsn>>> ends;
    for (const auto& peer : durable_.assignment.peers) {
        auto report = reports_.find(peer.admin);
        bool newest = report != reports_.end() && report->second.last_term == durable_.history.last().term;
        ends.emplace_back(peer.admin, newest ? std::optional(report->second.end) : std::nullopt);
    }
    return ends;
}

Lsn Core::peers_have() const {
    Lsn have{std::numeric_limits<std::uint64_t>::max()};
    for (const auto& [peer, end] : peer_ends()) have = std::min(have, end.value_or(Lsn{}));
    return have;
}

void Core::learn_commit(Lsn lsn) {
    Lsn readable = readable_end();
    durable_.commit_lsn = std::max(durable_.commit_lsn, lsn);
    if (readable_end() > readable) actions_.push_back(CommitAdvanced{readable_end()});
}

}  // namespace bough::safekeeper::consensus
