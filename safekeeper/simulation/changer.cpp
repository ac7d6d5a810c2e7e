#include "safekeeper/simulation/changer.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "election/standby_quorum.hpp"
#include "safekeeper/simulation/compute.hpp"
#include "safekeeper/simulation/launcher.hpp"

namespace bough::safekeeper::simulation {
namespace {

constexpr Microseconds kCommitPatience = 200 * kMillisecond;
constexpr Microseconds kCommitPoll = 5 * kMillisecond;

}  // namespace

Changer::Changer(System& system, Launcher& launcher) : system_(system), launcher_(launcher) {}

template <class... T>
std::function<void(T...)> Changer::mine(std::type_identity_t<std::function<void(T...)>> task) {
    return [this, attempt = attempt_, task = std::move(task)](T... arguments) {
        if (attempt == attempt_ && exchange_) task(std::forward<T>(arguments)...);
    };
}

void Changer::advance() {
    if (exchange_) return;
    ++attempt_;
    asked_for_ = system_.membership;
    if (!asked_for_.changing()) return;
    for (const auto& name : asked_for_.target()) system_.membership.errands.erase(name);
    unrested_.clear();
    patient_until_ = 0;
    written_ = launcher_.compute() != nullptr;
    const auto& order = launcher_.order();
    if (!asked_for_.returning) back_in_ = {};
    exchange_ = std::make_unique<election::MemberExchange>(
        order.term, order.begin, election::ExchangeGoal{asked_for_.target(), asked_for_.returning && back_in_ != order.term, asked_for_.settled()},
        written_);
    look();
}

void Changer::forget() {
    exchange_.reset();
    // Its session at the compute ends.
    if (auto* compute = launcher_.compute()) compute->let_in();
}

void Changer::end(const std::string& why) {
    if (system_.world.traced()) launcher_.note("ends its attempt to change the members: " + why);
    exchange_.reset();
    if (auto* compute = launcher_.compute()) compute->let_in();
    launcher_.forget_joined();
}

// All are asked at once; who does not answer in time is away.
void Changer::look() {
    answers_.clear();
    auto names = asked_for_.everybody();
    auto left = std::make_shared<std::size_t>(names.size());
    for (const auto& name : names) {
        launcher_.ask_position(number_of_safekeeper(name), mine<Result<Answer>>([this, name, left](const Result<Answer>& answer) {
            if (answer) answers_.insert_or_assign(name, *answer);
            if (--*left == 0) next();
        }));
    }
}

election::Participants Changer::told() const {
    election::Participants told;
    for (const auto& [name, answer] : answers_) {
        const auto& standing = answer.standing;
        told[name] = {standing.configured_in, standing.configuration, standing.last_term, standing.end, answer.flush, answer.streaming};
    }
    return told;
}

void Changer::next() {
    std::vector<election::Standing> standings;
    for (const auto& [name, answer] : answers_) standings.push_back(answer.standing);
    auto step = exchange_->next(told(), election::in_force(standings, asked_for_.initial()));
    if (exchange_->configuration().generation != 0) launcher_.order().configuration = exchange_->configuration();
    std::visit([this](const auto& it) { perform(it); }, step);
}

void Changer::perform(const election::LetFollow& step) {
    launcher_.join(number_of_safekeeper(step.name), mine<Result<void>>([this, name = step.name](const Result<void>& joined) {
        if (!joined && joined.error().code != ErrorCode::timeout) return end(name + ": " + joined.error().message);
        look();
    }));
}

void Changer::perform(const election::OrderConfiguration& step) {
    auto order = launcher_.order();
    order.configuration = step.configuration;
    order.donors.clear();
    if (system_.defect == Defect::order_the_new_members_at_once && order.configuration.joint())
        order.configuration = {order.configuration.generation, order.configuration.next, {}};
    if (system_.world.traced()) launcher_.note("orders configuration " + bough::to_string(order.configuration));
    // Those who are on their way out hear of it too, if they can; they do not have to.
    auto all = everybody(order.configuration);
    for (const auto& name : asked_for_.everybody())
        if (std::find(all.begin(), all.end(), name) == all.end() && is_member(launcher_.order().configuration, name)) all.push_back(name);
    struct Asked {
        std::size_t left;
        std::set<std::string> have{};
    };
    auto asked = std::make_shared<Asked>(Asked{all.size()});
    for (const auto& name : all) {
        auto member = number_of_safekeeper(name);
        launcher_.ask_begin(member, launcher_.request_of(order, member),
                            mine<Result<Answer>>([this, name, asked, configuration = order.configuration](const Result<Answer>& begun) {
                                if (begun) asked->have.insert(name);
                                if (--asked->left > 0) return;
                                bool enough = is_quorum(configuration, asked->have);
                                if (system_.defect == Defect::count_a_configuration_on_a_minority) enough = !asked->have.empty();
                                if (!enough) return end("it is not on a quorum of configuration " + bough::to_string(configuration));
                                exchange_->ordered();
                                look();
                            }));
    }
}

// As control/computes/compute_quorum.cpp.
void Changer::perform(const election::RequireQuorum& step) {
    auto* compute = launcher_.compute();
    if (compute == nullptr || !compute->running()) return end("the compute is gone");
    auto& world = system_.world;
    if (system_.defect == Defect::leave_the_compute_with_the_old_members) {
        exchange_->required(launcher_.order().begin);
        return next();
    }
    auto soon = [&world] { return world.random.mostly_low(200, 20 * kMillisecond); };
    auto quorum = election::standby_quorum(step.configuration, election::streaming_in(launcher_.order().term, told()));
    std::vector<std::string> apart;
    if (compute->quorum() != quorum) apart = election::named_by_either(compute->quorum().standbys, quorum.standbys);
    if (!step.configuration.joint())
        for (const auto& name : outside(step.configuration)) apart.push_back(name);
    if (system_.defect != Defect::mix_settings_of_senders)
        for (const auto& name : apart) compute->keep_away(number_of_safekeeper(name));
    auto reach = mine<>([this, compute] {
        if (!compute->running()) return end("the compute is gone");
        compute->end_older_senders();
        compute->let_in();
        exchange_->required(compute->writer().end());
        next();
    });
    auto reload = mine<>([this, compute, quorum, soon, reach] {
        if (!compute->running()) return end("the compute is gone");
        if (compute->quorum() != quorum) compute->reload(quorum);
        system_.world.after(soon(), reach);
    });
    world.after(soon(), reload);
}

void Changer::perform(const election::AwaitCommit& step) {
    auto& world = system_.world;
    if (patient_until_ == 0) patient_until_ = world.now() + kCommitPatience;
    if (world.now() > patient_until_) return end("it waits for the commit at " + step.lsn.to_string());
    world.after(kCommitPoll, mine<>([this] { look(); }));
}

std::vector<std::string> Changer::outside(const Configuration& configuration) const {
    auto names = asked_for_.everybody();
    std::erase_if(names, [&](const std::string& name) { return is_member(configuration, name); });
    return names;
}

void Changer::perform(const election::LetRest& step) {
    auto leavers = outside(step.configuration);
    if (leavers.empty()) return next();
    auto left = std::make_shared<std::size_t>(leavers.size());
    for (const auto& name : leavers) {
        launcher_.let_rest(number_of_safekeeper(name), mine<Result<void>>([this, name, left](const Result<void>& rested) {
            if (!rested) unrested_.push_back(name);
            if (--*left == 0) next();
        }));
    }
}

void Changer::perform(const election::Arrived&) {
    for (const auto& name : unrested_) system_.membership.errands.insert(name);
    if (asked_for_.returning) back_in_ = launcher_.order().term;
    system_.membership.arrived(asked_for_);
    if (!written_)
        // Nobody writes in this term: it was won for the exchange.
        for (const auto& name : everybody(launcher_.order().configuration)) launcher_.let_rest(number_of_safekeeper(name), [](const Result<void>&) {});
    end("the branch is with " + bough::to_string(launcher_.order().configuration));
}

void Changer::perform(const election::Waiting& step) { end("it waits for " + step.what); }

}  // namespace bough::safekeeper::simulation
