#include "election/election.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "bough/check.hpp"

namespace bough::election {

template <class T>
bool Election::Answers<T>::complete() const {
    for (std::size_t i = 0; i < asked.size(); ++i)
        if (asked[i] && !of[i]) return false;
    return true;
}

template <class T>
std::string Election::Answers<T>::reasons() const {
    std::string text;
    for (const auto& answer : of)
        if (answer && !*answer) text += (text.empty() ? "" : "; ") + answer->error().message;
    return text;
}

namespace {

std::vector<Standing> told(const std::vector<std::optional<Result<Standing>>>& answers) {
    std::vector<Standing> standings;
    for (const auto& answer : answers)
        if (answer && answer->has_value()) standings.push_back(**answer);
    return standings;
}

}  // namespace

Election::Election(std::vector<std::string> members, Configuration initial) : members_(std::move(members)), initial_(std::move(initial)) {
    BOUGH_CHECK(!members_.empty());
    if (initial_.generation == 0) initial_ = {1, members_, {}};
    standings_ = {decltype(standings_.of)(members_.size()), std::vector<bool>(members_.size(), true)};
    votes_ = {decltype(votes_.of)(members_.size()), std::vector<bool>(members_.size(), true)};
    begun_ = {decltype(begun_.of)(members_.size()), std::vector<bool>(members_.size(), false)};
}

std::vector<Action> Election::start() {
    for (Member member = 0; member < members_.size(); ++member) actions_.emplace_back(AskStanding{member});
    return std::exchange(actions_, {});
}

std::vector<Action> Election::step(const Event& event) {
    std::visit([this](const auto& e) { on(e); }, event);
    return std::exchange(actions_, {});
}

// Whether it was the last of the answers.
template <class T>
bool Election::take(Answers<T>& answers, Member member, const Result<T>& answer) {
    BOUGH_CHECK(member < members_.size());
    if (!answers.asked[member] || answers.of[member]) return false;
    answers.of[member] = answer;
    return answers.complete();
}

template <class T>
bool Election::majority(const Answers<T>& answers, const std::string& what) {
    std::set<std::string> there;
    for (Member member = 0; member < members_.size(); ++member)
        if (answers.of[member] && *answers.of[member]) there.insert(members_[member]);
    if (is_quorum(configuration_, there)) return true;
    state_ = State::lost;
    auto reasons = answers.reasons();
    actions_.emplace_back(Lost{{ErrorCode::unavailable,
                             "no majority of the safekeepers " + what + (reasons.empty() ? "" : ": " + reasons),
                             "`bough status` shows which daemons run"}});
    return false;
}

void Election::on(const Told& event) {
    if (state_ != State::asking || !take(standings_, event.member, event.standing)) return;
    configuration_ = in_force(told(standings_.of), initial_);
    if (majority(standings_, "answers")) ask_for_votes();
}

void Election::ask_for_votes() {
    for (const auto& standing : standings_.of)
        if (*standing) term_ = std::max(term_, (*standing)->promised);
    term_.value += 1;
    state_ = State::voting;
    const auto counting = who_may_count();
    // Who does not count is left alone: it enters the term later.
    for (Member member = 0; member < members_.size(); ++member) {
        votes_.asked[member] = counting.contains(members_[member]);
        if (votes_.asked[member]) actions_.emplace_back(AskVote{member, term_});
    }
}

// The newest configuration may have missed its own members, and be known only to those who leave by it: then what it replaces is won, since
// that is what the voters tell of. So whom a voter would name is asked, too.
std::set<std::string> Election::who_may_count() const {
    std::set<std::string> names;
    std::vector<std::string> more = everybody(configuration_);
    while (!more.empty()) {
        auto name = std::move(more.back());
        more.pop_back();
        if (!names.insert(name).second) continue;
        auto member = std::find(members_.begin(), members_.end(), name);
        if (member == members_.end()) continue;
        const auto& told = standings_.of[static_cast<std::size_t>(member - members_.begin())];
        if (!told || !*told) continue;
        auto named = everybody((*told)->configuration);
        more.insert(more.end(), named.begin(), named.end());
    }
    return names;
}

void Election::on(const Voted& event) {
    if (state_ != State::voting) return;
    Result<Standing> vote = event.vote ? Result<Standing>(event.vote->standing) : Result<Standing>(event.vote.error());
    if (event.vote && !event.vote->granted) {
        vote = Error{ErrorCode::failed_precondition,
                     members_.at(event.member) + " has promised term " + std::to_string(event.vote->standing.promised.value) +
                         " to another launcher",
                     {}};
    }
    if (!take(votes_, event.member, vote)) return;
    configuration_ = in_force(told(votes_.of), initial_);
    if (majority(votes_, "votes for term " + std::to_string(term_.value))) choose_and_begin();
}

void Election::choose_and_begin() {
    auto log_of = [this](Member member) -> const Standing& { return **votes_.of[member]; };
    for (Member member = 0; member < members_.size(); ++member) {
        if (!votes_.of[member] || !*votes_.of[member]) continue;
        begun_.asked[member] = true;
        if (!chosen_ || log_of(member).more_advanced_than(log_of(*chosen_))) chosen_ = member;
    }
    const auto& log = log_of(*chosen_);
    if (auto last = log.history.last(); last.term >= term_ || last.begin > log.end) {
        state_ = State::lost;
        actions_.emplace_back(Lost{{ErrorCode::corrupt, "the history of " + members_[*chosen_] + " does not fit its log", {}}});
        return;
    }
    order_ = {term_, log.end, log.history, {*chosen_}, configuration_};
    order_.history.append({term_, log.end});
    state_ = State::beginning;
    for (Member member = 0; member < members_.size(); ++member)
        if (begun_.asked[member]) actions_.emplace_back(AskBegin{member, order_});
}

void Election::on(const Begun& event) {
    if (state_ != State::beginning || !take(begun_, event.member, event.result)) return;
    if (!majority(begun_, "begins term " + std::to_string(term_.value))) return;
    state_ = State::won;
    actions_.emplace_back(Won{});
}

std::vector<bool> Election::begun() const {
    std::vector<bool> result;
    for (const auto& answer : begun_.of) result.push_back(answer && answer->has_value());
    return result;
}

Order Election::late_order() const {
    BOUGH_CHECK(state_ == State::won);
    Order order = order_;
    // The chosen log was there when the votes were cast; the others have it since they have begun.
    auto have = begun();
    for (Member donor = 0; donor < members_.size(); ++donor)
        if (have[donor] && donor != *chosen_) order.donors.push_back(donor);
    return order;
}

}  // namespace bough::election
