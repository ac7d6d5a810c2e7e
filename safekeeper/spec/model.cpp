#include "safekeeper/spec/model.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace bough::safekeeper::spec {

using namespace consensus;
using election::Election;

namespace {

constexpr std::uint64_t kStart = 0x100;
constexpr std::uint64_t kRecordBytes = 0x10;

Lsn lsn_of(std::size_t records) { return Lsn{kStart + kRecordBytes * records}; }
std::size_t records_below(Lsn end) { return (end.value - kStart) / kRecordBytes; }
char letter(Term term) { return static_cast<char>('a' + term.value - 1); }
std::string name_of(std::size_t member) { return std::string(1, static_cast<char>('0' + member)); }
std::size_t number_of(const Peer& peer) { return static_cast<std::size_t>(peer.admin[0] - '0'); }

[[noreturn]] void broken(const std::string& promise) {
    std::fprintf(stderr, "broken: %s\n", promise.c_str());
    std::abort();
}

bool is_prefix(const Log& shorter, const Log& longer) { return longer.compare(0, shorter.size(), shorter) == 0; }

// A request tells whose it is, of which attempt, and whether it is a begin: the answer to an older attempt is for nobody.
constexpr RequestId kOfLauncher = 1000, kOfAttempt = 100, kBegin = 10;
RequestId request_of(std::size_t launcher, int attempt) {
    return launcher * kOfLauncher + static_cast<RequestId>(attempt) * kOfAttempt;
}
std::size_t launcher_of(RequestId request) { return static_cast<std::size_t>(request / kOfLauncher); }
int attempt_of(RequestId request) { return static_cast<int>(request % kOfLauncher / kOfAttempt); }
bool is_begin(RequestId request) { return request % kOfAttempt >= kBegin; }

// More than a transcript tells of it.
std::string text_of(const Event& request) {
    std::string text = consensus::to_string(request);
    if (const auto* begin = std::get_if<BeginRequested>(&request))
        for (const auto& donor : begin->donors) text += '<' + donor.admin;
    return text;
}

}  // namespace

std::string to_string(const Move& move) {
    auto a = std::to_string(move.a), b = std::to_string(move.b);
    switch (move.kind) {
        case Move::Kind::start_election: return "launcher " + a + " starts an election";
        case Move::Kind::deliver: return "member " + b + " gets the request of launcher " + a;
        case Move::Kind::deliver_late: return "member " + b + " gets the late order of launcher " + a;
        case Move::Kind::answer: return "launcher " + a + " gets the answer of member " + b;
        case Move::Kind::give_up: return "launcher " + a + " gives up on member " + b;
        case Move::Kind::finish: return "member " + a + " finishes what is under way";
        case Move::Kind::fail_write: return "member " + a + " cannot write its control file";
        case Move::Kind::crash: return "member " + a + " crashes and restarts" + (move.b ? ", its control file was replaced" : "");
        case Move::Kind::write: return "the compute of term " + a + " writes a record";
        case Move::Kind::stream: return "member " + a + " takes a record from its compute";
        case Move::Kind::catch_up: return "member " + a + " takes a record from member " + b;
        case Move::Kind::tell: return "member " + a + " tells member " + b + " its position";
    }
    return "?";
}

Model::Model(const Bounds& bounds) : left_(bounds) {
    for (std::size_t i = 0; i < kMembers; ++i) {
        members_[i].disk.start_lsn = members_[i].disk.commit_lsn = lsn_of(0);
        restart(i);
    }
}

// --- what can happen ----------------------------------------------------------------------------------------------------------------

std::vector<Move> Model::moves() const {
    std::vector<Move> moves;
    using Kind = Move::Kind;
    // An answer that has been given gets there or gets lost before anything else happens: it touches only its launcher, which goes on
    // when all answers have come, in whatever order.
    for (std::size_t l = 0; l < kLaunchers; ++l)
        for (std::size_t m = 0; m < kMembers; ++m)
            if (launchers_[l].election && launchers_[l].calls[m].state == Call::State::answered) {
                moves.push_back({Kind::answer, l, m});
                if (left_.give_ups > 0) moves.push_back({Kind::give_up, l, m});
                return moves;
            }
    for (std::size_t l = 0; l < kLaunchers; ++l) {
        const auto& launcher = launchers_[l];
        if (!launcher.election && launcher.attempts < left_.attempts) moves.push_back({Kind::start_election, l});
        for (std::size_t m = 0; m < kMembers; ++m) {
            if (launcher.calls[m].request) moves.push_back({Kind::deliver, l, m});
            if (launcher.calls[m].late) moves.push_back({Kind::deliver_late, l, m});
            if (!launcher.election) continue;
            if (launcher.calls[m].state == Call::State::waiting && left_.give_ups > 0) moves.push_back({Kind::give_up, l, m});
        }
    }
    for (std::size_t m = 0; m < kMembers; ++m) {
        const auto& member = members_[m];
        bool persisting = member.under_way && std::holds_alternative<Persist>(*member.under_way);
        if (member.under_way) moves.push_back({Kind::finish, m});
        if (persisting && left_.failed_writes > 0) moves.push_back({Kind::fail_write, m});
        if (left_.crashes > 0) {
            moves.push_back({Kind::crash, m, 0});
            if (persisting) moves.push_back({Kind::crash, m, 1});
        }
        if (member.stream) {
            auto compute = computes_.find(member.stream->term.value);
            if (compute != computes_.end() && compute->second.log.size() > member.log.size()) moves.push_back({Kind::stream, m});
        }
        for (auto donor : donors_of(m)) moves.push_back({Kind::catch_up, m, donor});
        for (const auto& peer : member.core->durable().assignment.peers)
            if (tells_anything(m, number_of(peer))) moves.push_back({Kind::tell, m, number_of(peer)});
    }
    if (left_.records > 0)
        for (const auto& [term, compute] : computes_) moves.push_back({Kind::write, static_cast<std::size_t>(term)});
    return moves;
}

bool Model::tells_anything(std::size_t m, std::size_t to) const {
    auto core = *members_[to].core;
    auto before = core.durable().commit_lsn;
    auto position = members_[m].core->position();
    core.step(PeerReported{name_of(m), position.last_term, position.counted_end()});
    core.step(CommitLearnt{position.last_term, position.commit_lsn, name_of(m)});
    return core.durable().commit_lsn > before;
}

std::vector<std::size_t> Model::donors_of(std::size_t m) const {
    std::vector<std::size_t> donors;
    const auto& member = members_[m];
    if (!member.catch_up) return donors;
    for (const auto& peer : member.catch_up->donors) {
        auto d = number_of(peer);
        auto position = members_[d].core->position();
        if (position.promised != member.catch_up->term) continue;
        if (!member.catch_up->donors_chosen && position.last_term != member.catch_up->term) continue;
        if (members_[d].log.size() > member.log.size()) donors.push_back(d);
    }
    return donors;
}

void Model::apply(const Move& move) {
    switch (move.kind) {
        case Move::Kind::start_election: return start_election(move.a);
        case Move::Kind::deliver: {
            auto request = *std::exchange(launchers_[move.a].calls[move.b].request, std::nullopt);
            return step(move.b, request);
        }
        case Move::Kind::deliver_late: {
            auto request = *std::exchange(launchers_[move.a].calls[move.b].late, std::nullopt);
            // It is asked for its vote first: refused, and without effect, if it has given it before.
            step(move.b, VoteRequested{request_of(move.a, 0) + move.b, std::get<BeginRequested>(request).term});
            return step(move.b, request);
        }
        case Move::Kind::answer: {
            auto& launcher = launchers_[move.a];
            auto& call = launcher.calls[move.b];
            call.state = Call::State::over;
            auto event = *std::exchange(call.answer, std::nullopt);
            launcher.voted_logs[move.b] = call.log;
            return feed(move.a, move.b, event);
        }
        case Move::Kind::give_up: {
            // What was asked may still arrive; its answer is for nobody.
            --left_.give_ups;
            auto& call = launchers_[move.a].calls[move.b];
            bool voting = launchers_[move.a].election->state() == Election::State::voting;
            Error away{ErrorCode::timeout, "away", {}};
            call.answer.reset();
            call.state = Call::State::over;
            if (voting) return feed(move.a, move.b, election::Voted{move.b, away});
            return feed(move.a, move.b, election::Begun{move.b, away});
        }
        case Move::Kind::finish: return finish(move.a, true);
        case Move::Kind::fail_write: --left_.failed_writes; return finish(move.a, false);
        case Move::Kind::crash: {
            --left_.crashes;
            auto& member = members_[move.a];
            if (move.b) member.disk = std::get<Persist>(*member.under_way).durable;
            return restart(move.a);
        }
        case Move::Kind::write: {
            --left_.records;
            computes_.at(move.a).log += letter(Term{move.a});
            return;
        }
        case Move::Kind::stream: return flushed(move.a, computes_.at(members_[move.a].stream->term.value).log);
        case Move::Kind::catch_up: return flushed(move.a, members_[move.b].log);
        case Move::Kind::tell: {
            auto position = members_[move.a].core->position();
            step(move.b, PeerReported{name_of(move.a), position.last_term, position.counted_end()});
            return step(move.b, CommitLearnt{position.last_term, position.commit_lsn, name_of(move.a)});
        }
    }
}

// --- launchers ------------------------------------------------------------------------------------------------------------------------

void Model::start_election(std::size_t l) {
    auto& launcher = launchers_[l];
    ++launcher.attempts;
    launcher.calls = {};
    launcher.heard = {};
    launcher.voted_logs = {};
    launcher.election.emplace(std::vector<std::string>{"0", "1", "2"});
    launcher.election->start();
    // How they stand is asked in one moment: it decides only the term, and two launchers may still ask in the same one.
    for (std::size_t m = 0; m < kMembers; ++m) {
        auto p = members_[m].core->position();
        auto actions = launcher.election->step(election::Told{m, election::Standing{p.promised, p.last_term, p.history, p.log.end, p.commit_lsn}});
        perform(l, actions);
    }
}

void Model::perform(std::size_t l, const std::vector<election::Action>& actions) {
    auto& launcher = launchers_[l];
    for (const auto& action : actions) {
        if (const auto* vote = std::get_if<election::AskVote>(&action)) {
            launcher.calls[vote->member] = {Call::State::waiting, VoteRequested{request_of(l, launcher.attempts) + vote->member, vote->term}, std::nullopt, {}, std::nullopt};
        } else if (const auto* begin = std::get_if<election::AskBegin>(&action)) {
            launcher.calls[begin->member] = {Call::State::waiting, begin_request(l, begin->member, begin->order), std::nullopt, {}, std::nullopt};
        } else if (std::holds_alternative<election::Won>(action)) {
            auto term = launcher.election->term().value;
            if (computes_.contains(term)) broken("two computes of term " + std::to_string(term));
            computes_[term] = {true, decided_.at(term) + letter(Term{term}), {}};
            auto begun = launcher.election->begun();
            for (std::size_t m = 0; m < kMembers; ++m)
                if (!begun[m]) launcher.calls[m].late = begin_request(l, m, launcher.election->late_order());
            launcher.election.reset();
            return;
        } else if (std::holds_alternative<election::Lost>(action)) {
            launcher.election.reset();
            return;
        }
    }
}

BeginRequested Model::begin_request(std::size_t l, std::size_t member, const election::Order& order) const {
    BeginRequested request{request_of(l, launchers_[l].attempts) + kBegin + member, order.term, order.begin, order.history, {}, {}};
    request.assignment.source = "compute";
    for (std::size_t m = 0; m < kMembers; ++m)
        if (m != member) request.assignment.peers.push_back({name_of(m), {}});
    for (auto donor : order.donors)
        if (donor != member) request.donors.push_back({name_of(donor), {}});
    return request;
}

void Model::feed(std::size_t l, std::size_t m, const election::Event& event) {
    auto& launcher = launchers_[l];
    if (!launcher.election) return;
    bool was_voting = launcher.election->state() == Election::State::voting;
    if (const auto* voted = std::get_if<election::Voted>(&event)) {
        launcher.heard[m] += !voted->vote ? "-" : !voted->vote->granted ? "n" : "g" + voted->vote->standing.history.to_string() + launcher.voted_logs[m];
    } else {
        launcher.heard[m] += std::get<election::Begun>(event).result ? "b" : "x";
    }
    auto actions = launcher.election->step(event);
    if (launcher.election->state() == Election::State::beginning && was_voting) {
        auto term = launcher.election->term().value;
        const auto& order = launcher.election->order();
        if (decided_.contains(term)) broken("term " + std::to_string(term) + " was won twice");
        auto log = launcher.voted_logs[launcher.election->chosen()].substr(0, records_below(order.begin));
        for (const auto& [older, its] : acknowledged_of_)
            if (older < term && !is_prefix(its, log)) broken("term " + std::to_string(term) + " begins after " + log + ", acknowledged was " + its);
        decided_[term] = log;
    }
    perform(l, actions);
}

// --- safekeepers ----------------------------------------------------------------------------------------------------------------------

LogPosition Model::position_of(std::size_t m) const {
    auto end = lsn_of(members_[m].log.size());
    return {end, end, {}};
}

void Model::restart(std::size_t m) {
    auto& member = members_[m];
    // A stored commit position may trail, not lead.
    member.core.emplace(member.disk, position_of(m));
    member.under_way.reset();
    member.stream.reset();
    member.catch_up.reset();
    auto actions = member.core->start();
    for (const auto& action : actions) {
        if (const auto* stream = std::get_if<StartStream>(&action)) member.stream = *stream;
        if (const auto* catch_up = std::get_if<StartCatchUp>(&action)) member.catch_up = *catch_up;
    }
    learn_committed(member.log, member.core->readable_end());
}

void Model::step(std::size_t m, const Event& event) {
    auto& member = members_[m];
    auto actions = member.core->step(event);
    learn_committed(member.log, member.core->readable_end());
    for (const auto& action : actions) {
        if (const auto* a = std::get_if<AnswerVote>(&action)) answer(m, a->request, &a->position, a->granted);
        else if (const auto* b = std::get_if<AnswerBegin>(&action)) answer(m, b->request, &b->position, true);
        else if (const auto* r = std::get_if<Refuse>(&action)) answer(m, r->request, nullptr, false);
        else if (const auto* s = std::get_if<StartStream>(&action)) {
            member.stream = *s;
            member.catch_up.reset();
            report(m);
        } else if (const auto* c = std::get_if<StartCatchUp>(&action)) {
            member.catch_up = *c;
            member.stream.reset();
        } else if (!std::holds_alternative<CommitAdvanced>(action)) {
            if (member.under_way) broken("two actions are under way at once");
            member.under_way = action;
        }
    }
    if (!left_.slow_actions && member.under_way) finish(m, true);
}

void Model::answer(std::size_t m, RequestId request, const Position* position, bool granted) {
    auto& call = launchers_[launcher_of(request)].calls[m];
    const auto& launcher = launchers_[launcher_of(request)];
    const auto& asking = launcher.election;
    bool begin = is_begin(request);
    auto wanted = begin ? Election::State::beginning : Election::State::voting;
    bool awaited = call.state == Call::State::waiting && attempt_of(request) == launcher.attempts && asking && asking->state() == wanted;
    if (!awaited) return;
    call.state = Call::State::answered;
    call.log = members_[m].log;
    Error refused{ErrorCode::failed_precondition, "refused", {}};
    if (begin) {
        if (position) call.answer = election::Begun{m, {}};
        else call.answer = election::Begun{m, refused};
    } else if (position) {
        election::Standing standing{position->promised, position->last_term, position->history, position->log.end, position->commit_lsn};
        call.answer = election::Voted{m, election::Vote{granted, standing}};
    } else {
        call.answer = election::Voted{m, refused};
    }
}

void Model::finish(std::size_t m, bool well) {
    auto& member = members_[m];
    auto action = *std::exchange(member.under_way, std::nullopt);
    if (std::holds_alternative<DropStream>(action)) {
        member.stream.reset();
        member.catch_up.reset();
        return step(m, StreamDropped{position_of(m)});
    }
    if (const auto* cut = std::get_if<CutTail>(&action)) {
        auto left = std::min(member.log.size(), records_below(cut->lsn));
        if (left_.defect == Defect::keeps_tail) return step(m, TailCut{LogPosition{lsn_of(left), lsn_of(left), {}}});
        member.log.resize(left);
        auto on = std::count_if(members_.begin(), members_.end(), [&](const Member& one) { return is_prefix(acknowledged_, one.log); });
        if (on < 2) broken("what was acknowledged, " + acknowledged_ + ", was cut off a majority");
        return step(m, TailCut{position_of(m)});
    }
    if (!well) return step(m, PersistFailed{{ErrorCode::io, "no space left on device", {}}});
    const auto& durable = std::get<Persist>(action).durable;
    bool vote = durable.history.last().term < durable.promised;
    if (!(vote && left_.defect == Defect::forgets_votes)) member.disk = durable;
    step(m, Persisted{});
}

// One more record of that log.
void Model::flushed(std::size_t m, const Log& from) {
    auto& member = members_[m];
    if (!is_prefix(member.log, from)) broken("member " + name_of(m) + " has " + member.log + " and takes from " + from);
    member.log += from[member.log.size()];
    step(m, LogFlushed{position_of(m)});
    report(m);
}

// To the compute: what it acknowledges then.
void Model::report(std::size_t m) {
    auto& member = members_[m];
    if (!member.stream) return;
    auto found = computes_.find(member.stream->term.value);
    if (found == computes_.end()) return;
    auto& compute = found->second;
    compute.flushed[m] = std::max(compute.flushed[m], member.log.size());
    auto flushed = compute.flushed;
    std::sort(flushed.rbegin(), flushed.rend());
    auto reached = std::min(flushed[1], compute.log.size());
    if (reached <= decided_.at(found->first).size()) return;
    auto log = compute.log.substr(0, reached);
    auto on = std::count_if(members_.begin(), members_.end(), [&](const Member& one) { return is_prefix(log, one.log); });
    if (on < 2) broken(log + " is acknowledged, but durable on " + std::to_string(on));
    for (const auto& [term, decided] : decided_)
        if (term > found->first && !is_prefix(log, decided)) broken(log + " was acknowledged, term " + std::to_string(term) + " began after " + decided);
    if (!is_prefix(acknowledged_, log) && !is_prefix(log, acknowledged_)) broken(log + " is acknowledged, and so was " + acknowledged_);
    if (log.size() > acknowledged_.size()) acknowledged_ = log;
    acknowledged_of_[found->first] = log;
}

void Model::learn_committed(const Log& log, Lsn end) {
    auto mine = log.substr(0, records_below(end));
    if (is_prefix(mine, committed_)) return;
    if (!is_prefix(committed_, mine)) broken(mine + " is taken for committed, and so was " + committed_);
    committed_ = mine;
}

// --- to tell states apart ---------------------------------------------------------------------------------------------------------------

std::string Model::fingerprint() const {
    std::string text = std::to_string(left_.records) + std::to_string(left_.crashes) + std::to_string(left_.failed_writes) + std::to_string(left_.give_ups) + acknowledged_ + "/" + committed_;
    for (const auto& member : members_) {
        text += "|m" + member.core->fingerprint() + member.log;
        text += std::to_string(member.disk.promised.value) + member.disk.history.to_string() + member.disk.commit_lsn.to_string();
        if (member.under_way) {
            text += "!" + consensus::to_string(*member.under_way);
            if (const auto* persist = std::get_if<Persist>(&*member.under_way)) text += persist->durable.commit_lsn.to_string();
        }
        if (member.stream) text += "s" + std::to_string(member.stream->term.value);
        if (member.catch_up) {
            text += "c" + std::to_string(member.catch_up->term.value);
            for (const auto& donor : member.catch_up->donors) text += '<' + donor.admin;
        }
    }
    for (const auto& launcher : launchers_) {
        text += "|l" + std::to_string(launcher.attempts);
        if (launcher.election) text += std::to_string(static_cast<int>(launcher.election->state())) + "t" + std::to_string(launcher.election->term().value);
        for (const auto& call : launcher.calls) {
            if (call.request) text += "r" + text_of(*call.request);
            if (call.late) text += "R" + text_of(*call.late);
            if (!launcher.election) continue;
            text += "," + std::to_string(static_cast<int>(call.state));
            if (call.answer) {
                if (const auto* vote = std::get_if<election::Voted>(&*call.answer)) text += !vote->vote ? "e" : !vote->vote->granted ? "n" : "g" + vote->vote->standing.history.to_string();
                if (const auto* begun = std::get_if<election::Begun>(&*call.answer)) text += begun->result ? "b" : "x";
                text += call.log;
            }
        }
        if (launcher.election)
            for (const auto& heard : launcher.heard) text += "," + heard;
    }
    for (const auto& [term, compute] : computes_) {
        text += "|c" + std::to_string(term) + compute.log;
        for (auto flushed : compute.flushed) text += "," + std::to_string(flushed);
    }
    for (const auto& [term, log] : acknowledged_of_) text += "|a" + std::to_string(term) + log;
    for (const auto& [term, log] : decided_) text += "|d" + std::to_string(term) + log;
    return text;
}

}  // namespace bough::safekeeper::spec
