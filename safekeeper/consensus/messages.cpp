#include "safekeeper/consensus/messages.hpp"

#include <type_traits>

namespace bough::safekeeper::consensus {
namespace {

std::string text(Term term) { return std::to_string(term.value); }
std::string text(const LogPosition& log) {
    return "end " + log.end.to_string() + (log.flush == log.end ? "" : " flush " + log.flush.to_string());
}
std::string text(const Position& position) {
    return "promised " + text(position.promised) + ", log [" + position.history.to_string() + "] " + text(position.log) +
           ", commit " + position.commit_lsn.to_string();
}
std::string text(const std::vector<Peer>& peers) {
    std::string names;
    for (const auto& peer : peers) names += (names.empty() ? "" : " ") + peer.admin;
    return "{" + names + "}";
}

std::string text(const Configuration& configuration) {
    return configuration.generation == 0 ? "" : ", configuration " + to_string(configuration);
}

struct EventText {
    std::string operator()(const VoteRequested& e) const { return "vote requested: term " + text(e.term); }
    std::string operator()(const BeginRequested& e) const {
        return "begin requested: term " + text(e.term) + " at " + e.begin_lsn.to_string() + " after [" + e.history.to_string() + "]" +
               text(e.assignment.configuration);
    }
    std::string operator()(const StreamDropped& e) const { return "stream dropped: " + text(e.log); }
    std::string operator()(const TailCut& e) const {
        return e.log ? "tail cut: " + text(*e.log) : "tail not cut: " + e.log.error().message;
    }
    std::string operator()(const Persisted&) const { return "persisted"; }
    std::string operator()(const PersistFailed& e) const { return "not persisted: " + e.error.message; }
    std::string operator()(const LogFlushed& e) const { return "log flushed: " + text(e.log); }
    std::string operator()(const LogBegunAnew& e) const { return "log begun anew: " + text(e.log); }
    std::string operator()(const CatchUpFailed& e) const { return "catch-up failed: " + e.error.message; }
    std::string operator()(const PeerReported& e) const {
        return "peer " + e.peer + " reported: term " + text(e.last_term) + " end " + e.end.to_string() +
               (e.generation == 0 ? "" : " configuration " + std::to_string(e.generation));
    }
    std::string operator()(const CommitLearnt& e) const {
        return "commit learnt: " + e.lsn.to_string() + " in term " + text(e.term) + (e.peer.empty() ? "" : " from " + e.peer);
    }
};

struct ActionText {
    std::string operator()(const DropStream&) const { return "drop stream"; }
    std::string operator()(const CutTail& a) const { return "cut tail at " + a.lsn.to_string(); }
    std::string operator()(const Persist& a) const {
        return "persist: promised " + text(a.durable.promised) + ", history [" + a.durable.history.to_string() + "]" +
               text(a.durable.assignment.configuration);
    }
    std::string operator()(const StartCatchUp& a) const {
        return "catch up to " + a.target.to_string() + " from " + text(a.donors) +
               (a.donors_chosen ? "" : " once term " + text(a.term) + " has begun there");
    }
    std::string operator()(const StartStream& a) const {
        return "stream in term " + text(a.term) + " from " + a.assignment.source;
    }
    std::string operator()(const AnswerVote& a) const {
        return std::string(a.granted ? "vote granted: " : "vote refused: ") + text(a.position);
    }
    std::string operator()(const AnswerBegin& a) const { return "begun: " + text(a.position); }
    std::string operator()(const Refuse& a) const { return "refuse: " + a.error.message; }
    std::string operator()(const CommitAdvanced& a) const { return "commit advanced to " + a.lsn.to_string(); }
};

}  // namespace

const char* to_string(State state) {
    switch (state) {
        case State::resting: return "resting";
        case State::dropping: return "dropping";
        case State::cutting: return "cutting";
        case State::persisting: return "persisting";
        case State::catching_up: return "catching_up";
        case State::streaming: return "streaming";
    }
    return "unknown";
}

std::string to_string(const Event& event) { return std::visit(EventText{}, event); }
std::string to_string(const Action& action) { return std::visit(ActionText{}, action); }

}  // namespace bough::safekeeper::consensus
