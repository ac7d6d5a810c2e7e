#include "election/member_exchange.hpp"

#include <algorithm>
#include <utility>

#include "bough/check.hpp"

namespace bough::election {
namespace {

// A new member counts once it is so near the log's end that commits will not wait for it long.
constexpr std::uint64_t kNearBytes = 1u << 20;

bool same_members(std::vector<std::string> a, std::vector<std::string> b) {
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    return a == b;
}

}  // namespace

std::set<std::string> streaming_in(Term term, const Participants& told) {
    std::set<std::string> names;
    for (const auto& [name, it] : told)
        if (it.configured_in == term && it.streaming) names.insert(name);
    return names;
}

MemberExchange::MemberExchange(Term term, Lsn begin, ExchangeGoal goal, bool written) : term_(term), goal_(std::move(goal)), written_(written) {
    if (!written_) reached_ = begin;
}

ExchangeStep MemberExchange::next(const Participants& told, const Configuration& in_force) {
    if (stage_ == Stage::looking) {
        // What fewer tell of may never have been in force, or not be any more: to order it anew would bring it back.
        std::set<std::string> there;
        for (const auto& [name, it] : told) there.insert(name);
        if (!is_quorum(in_force, there)) return Waiting{"a majority of its safekeepers to answer"};
        configuration_ = in_force;
        if (configuration_.joint()) {
            stage_ = Stage::joint;
        } else if (same_members(configuration_.members, goal_.members)) {
            stage_ = goal_.called_off && doubtful(told) ? Stage::renewing : Stage::arriving;
        } else {
            if (auto step = let_follow(told)) return *step;
            // The next one is ordered only when this one cannot be missed: elections may rely on that.
            if (!on_quorum(told)) return order(configuration_, Stage::looking);
            return order({configuration_.generation + 1, configuration_.members, goal_.members}, Stage::joining);
        }
    }
    switch (stage_) {
        case Stage::renewing:
            // The same members under a generation that the change cannot have used: its joint one was the next, its new one the next but
            // one. Where this one is on a quorum the joint one is not, so nothing was ever acknowledged that relies on it.
            if (!on_quorum(told)) return order(configuration_, Stage::renewing);
            return order({configuration_.generation + 3, configuration_.members, {}}, Stage::arriving);
        case Stage::joining:
            if (in_force != configuration_) return Waiting{"its safekeepers to be asked again"};
            stage_ = Stage::joint;
            return leave_joint(told);
        case Stage::joint: return leave_joint(told);
        case Stage::simple:
            if (!same_members(configuration_.members, goal_.members)) return Waiting{"another change"};
            stage_ = Stage::arriving;
            return arrive(told);
        case Stage::arriving: return arrive(told);
        case Stage::looking: break;
    }
    BOUGH_CHECK(false);
}

void MemberExchange::ordered() {
    configuration_ = ordered_ = std::move(ordering_);
    stage_ = then_;
}

void MemberExchange::required(Lsn reached) {
    if (stage_ == Stage::joint) reached_ = reached;
    else required_ = true;
}

// It has begun the term that the branch is in.
bool MemberExchange::in_term(const Participants& told, const std::string& name) const {
    auto found = told.find(name);
    return found != told.end() && found->second.configured_in == term_;
}

// That what was ordered is there need not have been told yet.
bool MemberExchange::on_quorum(const Participants& told) const {
    if (ordered_ == configuration_) return true;
    std::set<std::string> have;
    for (const auto& name : everybody(configuration_))
        if (in_term(told, name) && told.at(name).configuration == configuration_) have.insert(name);
    return is_quorum(configuration_, have);
}

// Whether a member may hold the joint configuration of the change that was called off, on its own and unseen.
bool MemberExchange::doubtful(const Participants& told) const {
    return std::any_of(configuration_.members.begin(), configuration_.members.end(), [&](const std::string& name) {
        return !in_term(told, name) || told.at(name).configuration != configuration_;
    });
}

// Who is to be a member follows first, without counting; what is to be done or missing for that.
std::optional<ExchangeStep> MemberExchange::let_follow(const Participants& told) {
    Lsn end;
    for (const auto& name : configuration_.members)
        if (in_term(told, name)) end = std::max(end, told.at(name).end);
    for (const auto& name : goal_.members) {
        if (is_member(configuration_, name)) continue;
        if (!in_term(told, name)) {
            if (asked_to_follow_.insert(name).second) return LetFollow{name};
            return Waiting{"safekeeper " + name + " to begin term " + std::to_string(term_.value)};
        }
        const auto& it = told.at(name);
        if (it.last_term != term_ || it.end.value + kNearBytes < end.value || (written_ && !it.streaming))
            return Waiting{"safekeeper " + name + ", which is at " + it.end.to_string() + " of " + end.to_string()};
    }
    return std::nullopt;
}

ExchangeStep MemberExchange::order(Configuration configuration, Stage then) {
    ordering_ = std::move(configuration);
    then_ = then;
    return OrderConfiguration{ordering_};
}

ExchangeStep MemberExchange::leave_joint(const Participants& told) {
    if (!on_quorum(told)) return order(configuration_, Stage::joint);
    // From here on commits wait for both lists; what was acknowledged before lies below `reached_`.
    if (!reached_) return RequireQuorum{configuration_};
    std::map<std::string, Lsn> ends;
    for (const auto& name : everybody(configuration_))
        // A flush position counts as Postgres counts it: it waits for the ends of records.
        if (in_term(told, name) && told.at(name).last_term == term_) ends.emplace(name, told.at(name).flush);
    if (quorum_end(configuration_, ends) < *reached_) return AwaitCommit{*reached_};
    // Back to the members that were, when the change was called off: some may have been told of the new ones alone, and be a majority of
    // those with others that know of neither. So first both count once more, now on the way back, under a generation that the new ones did
    // not have: whoever knows only of what was before can then win nothing.
    if (same_members(configuration_.members, goal_.members))
        return order({configuration_.generation + 2, configuration_.next, configuration_.members}, Stage::joint);
    return order({configuration_.generation + 1, configuration_.next, {}}, Stage::simple);
}

ExchangeStep MemberExchange::arrive(const Participants& told) {
    if (!on_quorum(told)) return order(configuration_, Stage::arriving);
    // The compute may still wait for more than it needs, never for less.
    if (written_ && !required_) return RequireQuorum{configuration_};
    // Who left stops following; its log stays where it is. What it takes for committed goes by members that do not count any more.
    if (goal_.settled && !std::exchange(rested_, true)) return LetRest{configuration_};
    return Arrived{};
}

}  // namespace bough::election
