#include "safekeeper/simulation/launcher.hpp"

#include <algorithm>
#include <utility>

#include "election/standby_quorum.hpp"
#include "election/tip.hpp"
#include "safekeeper/simulation/changer.hpp"
#include "safekeeper/simulation/compute.hpp"

namespace bough::safekeeper::simulation {

using election::Election;

namespace {

constexpr Microseconds kQuickTimeout = 60 * kMillisecond;
constexpr Microseconds kBeginTimeout = 400 * kMillisecond;

Error no_answer() { return {ErrorCode::timeout, "no answer", {}}; }

}  // namespace

Launcher::Launcher(System& system, std::size_t number)
    : system_(system), number_(number), node_(system.launcher_node(number)), address_("l" + std::to_string(number)),
      changer_(std::make_unique<Changer>(system, *this)) {}

Launcher::~Launcher() = default;

bool Launcher::busy() const { return election_ != nullptr || starting_ || changer_->busy(); }

void Launcher::note(const std::string& text) const {
    if (system_.world.traced()) system_.world.note("launcher " + std::to_string(number_) + ": " + text);
}

void Launcher::call(std::size_t member, Microseconds timeout, Ask ask, Safekeeper::Reply then) {
    auto& safekeeper = *system_.safekeepers[member];
    auto done = std::make_shared<bool>(false);
    // count_vote_twice lets a repeated answer through.
    auto finish = [this, boot = boot_, done, then](Result<Answer> answer) {
        if (boot != boot_ || std::exchange(*done, true)) return;
        then(std::move(answer));
    };
    system_.world.send(node_, safekeeper.node(), [this, &safekeeper, ask, finish] {
        ask(safekeeper, [this, &safekeeper, finish](Result<Answer> answer) {
            system_.world.send(safekeeper.node(), node_, [answer = std::move(answer), finish] { finish(answer); });
        });
    });
    system_.world.after(timeout, [finish] { finish(no_answer()); });
}

// --- the election -----------------------------------------------------------------------------------------------------------------

void Launcher::take_over() { start_election(false); }

void Launcher::take_over_for_exchange() { start_election(true); }

void Launcher::start_election(bool for_exchange) {
    if (election_ || changer_->busy()) return;
    starting_ = false;
    for_exchange_ = for_exchange;
    ++attempt_;
    auto names = system_.membership.everybody();
    asked_.clear();
    for (const auto& name : names) asked_.push_back(number_of_safekeeper(name));
    election_ = std::make_unique<Election>(std::move(names), system_.membership.initial());
    voted_logs_.clear();
    decided_ = false;
    note("starts an election");
    perform(election_->start());
}

void Launcher::feed(const election::Event& event) {
    if (!election_) return;
    auto actions = election_->step(event);
    if (election_->state() == Election::State::beginning && !decided_) {
        decided_ = true;
        const auto& order = election_->order();
        note("term " + std::to_string(order.term.value) + " begins at " + order.begin.to_string() + " after [" + order.history.to_string() +
             "], the log of " + name_of_safekeeper(asked_[election_->chosen()]));
        system_.truth->decided(order.term, voted_logs_.at(election_->chosen()).up_to(order.begin));
    }
    perform(actions);
}

void Launcher::perform(const std::vector<election::Action>& actions) {
    for (const auto& action : actions) {
        if (const auto* ask = std::get_if<election::AskStanding>(&action)) ask_standing(ask->member);
        else if (const auto* vote = std::get_if<election::AskVote>(&action)) ask_vote(vote->member, vote->term);
        else if (const auto* begin = std::get_if<election::AskBegin>(&action)) ask_begin(begin->member, begin->order);
        else if (std::holds_alternative<election::Won>(action)) return won();
        else {
            note(std::get<election::Lost>(action).error.message);
            election_.reset();
            return;
        }
    }
}

void Launcher::ask_standing(election::Member member) {
    ask_position(asked_[member], [this, member, attempt = attempt_](Result<Answer> answer) {
        if (attempt != attempt_) return;
        if (answer && system_.defect == Defect::elect_by_the_catalog) answer->standing.configuration = {};
        if (answer) feed(election::Told{member, answer->standing});
        else feed(election::Told{member, answer.error()});
    });
}

void Launcher::ask_vote(election::Member member, Term term) {
    // What it had promised before, for the defect that chooses by it.
    auto before = std::make_shared<Term>();
    call(asked_[member], kQuickTimeout,
         [term, before](Safekeeper& safekeeper, auto reply) {
             if (safekeeper.up()) *before = safekeeper.core().durable().promised;
             safekeeper.vote(term, std::move(reply));
         },
         [this, member, before, attempt = attempt_](Result<Answer> answer) {
             if (attempt != attempt_) return;
             if (!answer) return feed(election::Voted{member, answer.error()});
             election::Vote vote{answer->granted, answer->standing};
             voted_logs_.insert_or_assign(member, answer->log);
             if (system_.defect == Defect::elect_by_the_catalog) vote.standing.configuration = {};
             if (system_.defect == Defect::choose_by_end_alone) vote.standing.last_term = Term{0};
             if (system_.defect == Defect::choose_by_promised_term) vote.standing.last_term = *before;
             if (system_.defect == Defect::count_vote_twice && vote.granted && system_.world.random.chance(300)) {
                 // The answer comes once more and is put down to the next one in the list.
                 auto other = (member + 1) % asked_.size();
                 voted_logs_.try_emplace(other, answer->log);
                 feed(election::Voted{other, vote});
             }
             feed(election::Voted{member, vote});
         });
}

void Launcher::ask_begin(election::Member member, const election::Order& order) {
    ask_begin(asked_[member], request_of(by_number(order), asked_[member]), [this, member, attempt = attempt_](Result<Answer> answer) {
        if (attempt != attempt_) return;
        if (answer || system_.defect == Defect::begin_on_a_minority) feed(election::Begun{member, {}});
        else feed(election::Begun{member, answer.error()});
    });
}

void Launcher::ask_begin(std::size_t member, const consensus::BeginRequested& request, Safekeeper::Reply then) {
    call(member, kBeginTimeout, [request](Safekeeper& safekeeper, auto reply) { safekeeper.begin(request, std::move(reply)); }, std::move(then));
}

void Launcher::ask_position(std::size_t member, Safekeeper::Reply then) {
    call(member, kQuickTimeout, [](Safekeeper& safekeeper, auto reply) { safekeeper.position(std::move(reply)); }, std::move(then));
}

election::Order Launcher::by_number(election::Order order) const {
    for (auto& donor : order.donors) donor = asked_[donor];
    return order;
}

consensus::BeginRequested Launcher::request_of(const election::Order& order, std::size_t member) const {
    consensus::BeginRequested request;
    request.term = order.term;
    request.begin_lsn = order.begin;
    request.history = order.history;
    request.assignment.source = address_;
    auto peer = [](const std::string& name) { return consensus::Peer{name, {}, name}; };
    for (const auto& name : everybody(order.configuration))
        if (name != name_of_safekeeper(member)) request.assignment.peers.push_back(peer(name));
    if (system_.exchanging) request.assignment.configuration = order.configuration;
    for (auto donor : order.donors)
        if (donor != member || order.donors.size() == 1) request.donors.push_back(peer(name_of_safekeeper(donor)));
    return request;
}

void Launcher::won() {
    auto election = std::exchange(election_, nullptr);
    order_ = by_number(election->late_order());
    joined_.clear();
    auto begun = election->begun();
    for (std::size_t i = 0; i < begun.size(); ++i) joined_[asked_[i]] = begun[i];
    // A compute of its own that still runs is ended first; that may fail.
    if (compute_ != nullptr && !system_.world.random.chance(200)) compute_->stop();
    compute_ = nullptr;
    announce_commit(order_.begin);
    if (for_exchange_) return changer_->advance();
    starting_ = true;
    system_.world.after(system_.world.random.mostly_low(kMillisecond, 60 * kMillisecond), [this, term = order_.term, boot = boot_] {
        if (boot != boot_ || term != order_.term || compute_ != nullptr) return;
        starting_ = false;
        start_compute();
    });
}

void Launcher::start_compute() {
    note("starts the compute of term " + std::to_string(order_.term.value));
    auto& writer = system_.truth->new_writer(order_.term, order_.begin);
    std::set<std::string> live;
    for (const auto& [member, joined] : joined_)
        if (joined) live.insert(name_of_safekeeper(member));
    system_.computes.push_back(
        std::make_unique<Compute>(system_, node_, address_, writer, election::standby_quorum(order_.configuration, live)));
    compute_ = system_.computes.back().get();
}

// To those whose log is of the newest term among a majority's, as control does.
void Launcher::announce_commit(Lsn lsn) {
    struct Known {
        std::size_t left = 0;
        std::vector<election::Standing> told;
        std::set<std::string> names;
        Term newest;
        std::vector<std::size_t> members;
    };
    auto known = std::make_shared<Known>();
    const auto initial = system_.membership.initial();
    const auto names = system_.membership.everybody();
    known->left = names.size();
    for (const auto& name : names) {
        auto i = number_of_safekeeper(name);
        ask_position(i, [this, i, known, lsn, initial](Result<Answer> answer) {
            if (answer) {
                known->told.push_back(answer->standing);
                known->names.insert(name_of_safekeeper(i));
                if (answer->standing.last_term > known->newest) {
                    known->newest = answer->standing.last_term;
                    known->members.clear();
                }
                if (answer->standing.last_term == known->newest) known->members.push_back(i);
            }
            if (--known->left > 0 || !is_quorum(election::in_force(known->told, initial), known->names)) return;
            for (auto member : known->members) {
                auto& safekeeper = *system_.safekeepers[member];
                system_.world.send(node_, safekeeper.node(), [&safekeeper, term = known->newest, lsn] { safekeeper.learn_commit(term, lsn); });
            }
        });
    }
}

// --- afterwards ---------------------------------------------------------------------------------------------------------------------

void Launcher::crash() {
    note("crashes");
    ++boot_;
    election_.reset();
    starting_ = false;
    joined_.clear();
    joining_ = 0;
    // Of a compute that runs it reads the term and its history, but not who has begun it.
    order_.donors.clear();
    if (system_.defect == Defect::take_from_donor_not_begun)
        for (const auto& name : everybody(order_.configuration)) order_.donors.push_back(number_of_safekeeper(name));
    if (system_.exchanging) order_.configuration = {};
    changer_->forget();
}

void Launcher::stop_compute() {
    if (compute_ != nullptr) compute_->stop();
}

void Launcher::look_after() {
    if (compute_ != nullptr && !compute_->running()) compute_ = nullptr;
    run_errands();
    if (compute_ == nullptr) return;
    if (order_.configuration.generation == 0) return ask_who_counts();
    if (!system_.exchanging) {
        let_join();
    } else if (joining_ == 0 && !changer_->busy()) {
        // One thing at a time, in turns.
        joined_last_ = !joined_last_ || !system_.membership.changing();
        if (joined_last_) let_join();
        else changer_->advance();
    }
    if (diligent_ && !busy()) stop_fenced();
}

void Launcher::let_join() {
    for (const auto& name : everybody(order_.configuration)) {
        auto member = number_of_safekeeper(name);
        if (joined_[member]) continue;
        ++joining_;
        join(member, [this, member, term = order_.term](const Result<void>& joined) {
            --joining_;
            if (joined && term == order_.term) joined_[member] = true;
        });
    }
}

// Who has promised a later term never joins this one; if it is a majority, nothing will be acknowledged any more. Nor does one join that is
// to become a member.
void Launcher::stop_fenced() {
    std::size_t lost = 0;
    for (const auto& name : everybody({1, everybody(order_.configuration), system_.membership.target()})) {
        const auto& safekeeper = *system_.safekeepers[number_of_safekeeper(name)];
        if (safekeeper.up() && safekeeper.core().durable().promised > compute_->term()) ++lost;
    }
    if (lost > 0) compute_->stop();
}

// Since a crash only the safekeepers know.
void Launcher::ask_who_counts() {
    auto told = std::make_shared<std::vector<election::Standing>>();
    auto there = std::make_shared<std::set<std::string>>();
    auto names = system_.membership.everybody();
    auto left = std::make_shared<std::size_t>(names.size());
    for (const auto& name : names) {
        ask_position(number_of_safekeeper(name), [this, name, told, there, left, term = order_.term](Result<Answer> answer) {
            if (answer) {
                told->push_back(answer->standing);
                there->insert(name);
            }
            if (--*left > 0 || term != order_.term || order_.configuration.generation != 0) return;
            auto in_force = election::in_force(*told, system_.membership.initial());
            if (is_quorum(in_force, *there)) order_.configuration = std::move(in_force);
        });
    }
}

void Launcher::run_errands() {
    for (const auto& name : system_.membership.errands) {
        let_rest(number_of_safekeeper(name), [this, name](const Result<void>& rested) {
            if (rested) system_.membership.errands.erase(name);
        });
    }
}

void Launcher::join(std::size_t member, std::function<void(Result<void>)> then) {
    auto term = order_.term;
    auto begin = [this, member, term, then] {
        if (term != order_.term) return then(no_answer());
        // Who has left gives nothing.
        auto order = order_;
        std::erase_if(order.donors, [&](std::size_t donor) { return !is_member(order.configuration, name_of_safekeeper(donor)); });
        ask_begin(member, request_of(order, member), [then](Result<Answer> answer) { then(answer ? Result<void>{} : answer.error()); });
    };
    ask_position(member, [this, member, term, begin, then](Result<Answer> answer) {
        if (!answer) return then(answer.error());
        if (answer->standing.promised > term) return then(Error{ErrorCode::failed_precondition, "it has promised a later term", {}});
        if (answer->standing.promised == term) return begin();
        call(member, kQuickTimeout, [term](Safekeeper& safekeeper, auto reply) { safekeeper.vote(term, std::move(reply)); },
             [begin, then](Result<Answer> vote) {
                 if (!vote) return then(vote.error());
                 if (!vote->granted) return then(Error{ErrorCode::failed_precondition, "it has promised a later term", {}});
                 begin();
             });
    });
}

void Launcher::let_rest(std::size_t member, std::function<void(Result<void>)> then) {
    ask_position(member, [this, member, then](Result<Answer> answer) {
        if (!answer) return then(answer.error());
        if (answer->standing.configured_in < answer->standing.promised) return then({});
        Term term{answer->standing.promised.value + 1};
        call(member, kQuickTimeout, [term](Safekeeper& safekeeper, auto reply) { safekeeper.vote(term, std::move(reply)); },
             [then](Result<Answer> vote) { then(vote ? Result<void>{} : vote.error()); });
    });
}

// --- the tip --------------------------------------------------------------------------------------------------------------------------

void Launcher::ask_tip() {
    struct Asked {
        std::size_t left;
        std::vector<Result<election::Standing>> standings;
        std::vector<Content> logs;
        Truth::Acknowledged before;
    };
    auto asked = std::make_shared<Asked>();
    const auto names = system_.membership.everybody();
    const auto initial = system_.membership.initial();
    asked->left = names.size();
    asked->standings.assign(names.size(), no_answer());
    asked->logs.assign(names.size(), Content(system_.start));
    asked->before = system_.truth->acknowledged();
    if (system_.defect == Defect::ask_one_for_the_tip) {
        auto one = number_of_safekeeper(names[system_.world.random.index(names.size())]);
        ask_position(one, [this, asked](Result<Answer> answer) {
            if (answer) system_.truth->tip(answer->log, asked->before);
        });
        return;
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
        ask_position(number_of_safekeeper(names[i]), [this, i, asked, names, initial](Result<Answer> answer) {
            if (answer) {
                asked->standings[i] = answer->standing;
                asked->logs[i] = answer->log;
            }
            if (--asked->left > 0) return;
            auto tip = election::find_tip(asked->standings, names, initial);
            if (!tip) return;
            auto log = asked->logs[tip->member].up_to(tip->end);
            system_.truth->tip(log, asked->before);
            if (tip->committed) system_.truth->committed(log, tip->end, "a branch at the tip");
        });
    }
}

}  // namespace bough::safekeeper::simulation
