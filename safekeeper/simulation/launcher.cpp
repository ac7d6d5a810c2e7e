#include "safekeeper/simulation/launcher.hpp"

#include <algorithm>
#include <utility>

#include "election/tip.hpp"
#include "safekeeper/simulation/compute.hpp"

namespace bough::safekeeper::simulation {

using election::Election;

namespace {

constexpr Microseconds kQuickTimeout = 60 * kMillisecond;
constexpr Microseconds kBeginTimeout = 400 * kMillisecond;

Error no_answer() { return {ErrorCode::timeout, "no answer", {}}; }

}  // namespace

Launcher::Launcher(System& system, std::size_t number)
    : system_(system), number_(number), node_(system.launcher_node(number)), address_("l" + std::to_string(number)) {}

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

void Launcher::take_over() {
    if (election_) return;
    starting_ = false;
    ++attempt_;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < system_.members(); ++i) names.push_back(name_of_safekeeper(i));
    election_ = std::make_unique<Election>(std::move(names));
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
             "], the log of " + name_of_safekeeper(election_->chosen()));
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
    call(member, kQuickTimeout, [](Safekeeper& safekeeper, auto reply) { safekeeper.position(std::move(reply)); },
         [this, member, attempt = attempt_](Result<Answer> answer) {
             if (attempt != attempt_) return;
             if (answer) feed(election::Told{member, answer->standing});
             else feed(election::Told{member, answer.error()});
         });
}

void Launcher::ask_vote(election::Member member, Term term) {
    // What it had promised before, for the defect that chooses by it.
    auto before = std::make_shared<Term>();
    call(member, kQuickTimeout,
         [term, before](Safekeeper& safekeeper, auto reply) {
             if (safekeeper.up()) *before = safekeeper.core().durable().promised;
             safekeeper.vote(term, std::move(reply));
         },
         [this, member, before, attempt = attempt_](Result<Answer> answer) {
             if (attempt != attempt_) return;
             if (!answer) return feed(election::Voted{member, answer.error()});
             election::Vote vote{answer->granted, answer->standing};
             voted_logs_.insert_or_assign(member, answer->log);
             if (system_.defect == Defect::choose_by_end_alone) vote.standing.last_term = Term{0};
             if (system_.defect == Defect::choose_by_promised_term) vote.standing.last_term = *before;
             if (system_.defect == Defect::count_vote_twice && vote.granted && system_.world.random.chance(300)) {
                 // The answer comes once more and is put down to the next one in the list.
                 auto other = (member + 1) % system_.members();
                 voted_logs_.try_emplace(other, answer->log);
                 feed(election::Voted{other, vote});
             }
             feed(election::Voted{member, vote});
         });
}

void Launcher::ask_begin(election::Member member, const election::Order& order) {
    auto request = request_of(order, member);
    call(member, kBeginTimeout,
         [request](Safekeeper& safekeeper, auto reply) { safekeeper.begin(request, std::move(reply)); },
         [this, member, attempt = attempt_](Result<Answer> answer) {
             if (attempt != attempt_) return;
             if (answer || system_.defect == Defect::begin_on_a_minority) feed(election::Begun{member, {}});
             else feed(election::Begun{member, answer.error()});
         });
}

consensus::BeginRequested Launcher::request_of(const election::Order& order, std::size_t member) const {
    consensus::BeginRequested request;
    request.term = order.term;
    request.begin_lsn = order.begin;
    request.history = order.history;
    request.assignment.source = address_;
    auto peer = [](std::size_t number) { return consensus::Peer{name_of_safekeeper(number), {}}; };
    for (std::size_t i = 0; i < system_.members(); ++i)
        if (i != member) request.assignment.peers.push_back(peer(i));
    for (auto donor : order.donors)
        if (donor != member || order.donors.size() == 1) request.donors.push_back(peer(donor));
    return request;
}

void Launcher::won() {
    auto election = std::exchange(election_, nullptr);
    order_ = election->late_order();
    joined_.clear();
    auto begun = election->begun();
    for (std::size_t i = 0; i < begun.size(); ++i) joined_[i] = begun[i];
    // A compute of its own that still runs is ended first; that may fail.
    if (compute_ != nullptr && !system_.world.random.chance(200)) compute_->stop();
    compute_ = nullptr;
    starting_ = true;
    announce_commit(order_.begin);
    system_.world.after(system_.world.random.mostly_low(kMillisecond, 60 * kMillisecond), [this, order = order_, boot = boot_] {
        if (boot != boot_ || order.term != order_.term || compute_ != nullptr) return;
        starting_ = false;
        note("starts the compute of term " + std::to_string(order.term.value));
        auto& writer = system_.truth->new_writer(order.term, order.begin);
        system_.computes.push_back(std::make_unique<Compute>(system_, node_, address_, writer));
        compute_ = system_.computes.back().get();
    });
}

// To those whose log is of the newest term among a majority's, as control does.
void Launcher::announce_commit(Lsn lsn) {
    struct Known {
        std::size_t answers = 0, good = 0;
        Term newest;
        std::vector<std::size_t> members;
    };
    auto known = std::make_shared<Known>();
    for (std::size_t i = 0; i < system_.members(); ++i) {
        call(i, kQuickTimeout, [](Safekeeper& safekeeper, auto reply) { safekeeper.position(std::move(reply)); },
             [this, i, known, lsn](Result<Answer> answer) {
                 if (answer) {
                     ++known->good;
                     if (answer->standing.last_term > known->newest) {
                         known->newest = answer->standing.last_term;
                         known->members.clear();
                     }
                     if (answer->standing.last_term == known->newest) known->members.push_back(i);
                 }
                 if (++known->answers < system_.members() || known->good < system_.majority()) return;
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
    // Of a compute that runs it reads the term and its history, but not who has begun it.
    order_.donors.clear();
    if (system_.defect == Defect::take_from_donor_not_begun)
        for (std::size_t i = 0; i < system_.members(); ++i) order_.donors.push_back(i);
}

void Launcher::stop_compute() {
    if (compute_ != nullptr) compute_->stop();
}

void Launcher::look_after() {
    if (compute_ != nullptr && !compute_->running()) compute_ = nullptr;
    if (compute_ == nullptr) return;
    for (std::size_t i = 0; i < system_.members(); ++i)
        if (!joined_[i]) join(i);
    if (!diligent_ || busy()) return;
    // Who has promised a later term never joins this one; if it is a majority, nothing will be acknowledged any more.
    std::size_t lost = 0;
    for (const auto& safekeeper : system_.safekeepers)
        if (safekeeper->up() && safekeeper->core().durable().promised > compute_->term()) ++lost;
    if (lost > 0) compute_->stop();
}

void Launcher::join(std::size_t member) {
    auto term = order_.term;
    auto begin = [this, member, term] {
        if (term != order_.term || compute_ == nullptr) return;
        call(member, kBeginTimeout,
             [request = request_of(order_, member)](Safekeeper& safekeeper, auto reply) { safekeeper.begin(request, std::move(reply)); },
             [this, member, term](Result<Answer> answer) {
                 if (answer && term == order_.term) joined_[member] = true;
             });
    };
    call(member, kQuickTimeout, [](Safekeeper& safekeeper, auto reply) { safekeeper.position(std::move(reply)); },
         [this, member, term, begin](Result<Answer> answer) {
             if (!answer || term != order_.term || answer->standing.promised > term) return;
             if (answer->standing.promised == term) return begin();
             call(member, kQuickTimeout, [term](Safekeeper& safekeeper, auto reply) { safekeeper.vote(term, std::move(reply)); },
                  [begin](Result<Answer> vote) {
                      if (vote && vote->granted) begin();
                  });
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
    asked->left = system_.members();
    asked->standings.assign(system_.members(), no_answer());
    asked->logs.assign(system_.members(), Content(system_.start));
    asked->before = system_.truth->acknowledged();
    if (system_.defect == Defect::ask_one_for_the_tip) {
        auto one = system_.world.random.index(system_.members());
        call(one, kQuickTimeout, [](Safekeeper& safekeeper, auto reply) { safekeeper.position(std::move(reply)); },
             [this, asked](Result<Answer> answer) {
                 if (answer) system_.truth->tip(answer->log, asked->before);
             });
        return;
    }
    for (std::size_t i = 0; i < system_.members(); ++i) {
        call(i, kQuickTimeout, [](Safekeeper& safekeeper, auto reply) { safekeeper.position(std::move(reply)); },
             [this, i, asked](Result<Answer> answer) {
                 if (answer) {
                     asked->standings[i] = answer->standing;
                     asked->logs[i] = answer->log;
                 }
                 if (--asked->left > 0) return;
                 auto tip = election::find_tip(asked->standings);
                 if (!tip) return;
                 auto log = asked->logs[tip->member].up_to(tip->end);
                 system_.truth->tip(log, asked->before);
                 if (tip->committed) system_.truth->committed(log, tip->end, "a branch at the tip");
             });
    }
}

}  // namespace bough::safekeeper::simulation
