#include "safekeeper/consensus/invariants.hpp"

#include "bough/check.hpp"

namespace bough::safekeeper::consensus {

Invariants::Invariants(const Core& core) : core_(core), before_(snapshot()), persisted_(core.durable()) {
    check_state();
}

void Invariants::check(const Event& event, const std::vector<Action>& actions) {
    if (std::holds_alternative<Persisted>(event)) persisted_ = being_persisted_;
    if (std::holds_alternative<StreamDropped>(event)) receiving_ = false;
    check_state();
    check_against_before();
    for (const auto& action : actions) check_action(event, action);
    before_ = snapshot();
}

void Invariants::check_state() const {
    const auto& durable = core_.durable();
    const auto& log = core_.log();
    BOUGH_CHECK(durable.start_lsn <= log.end);
    BOUGH_CHECK(log.end <= log.flush);
    BOUGH_CHECK(core_.readable_end() <= log.end);
    BOUGH_CHECK(durable.history.last().term <= durable.promised);
    BOUGH_CHECK(TermHistory::make(durable.history.entries()).has_value());
    // Only the writer of the promised term is followed, and only from where its term began.
    if (core_.state() == State::streaming) {
        BOUGH_CHECK(durable.history.last().term == durable.promised);
        BOUGH_CHECK(log.end >= durable.history.last().begin);
    }
    if (core_.state() == State::catching_up) {
        BOUGH_CHECK(durable.history.last().term == durable.promised);
        BOUGH_CHECK(log.end < durable.history.last().begin);
    }
}

void Invariants::check_against_before() const {
    // What was promised may be taken back only while it is not known to be on disk, and nobody was answered.
    BOUGH_CHECK(core_.durable().promised >= persisted_.promised);
    BOUGH_CHECK(core_.durable().commit_lsn >= before_.durable.commit_lsn);
    BOUGH_CHECK(core_.readable_end() >= before_.readable_end);
    BOUGH_CHECK(core_.durable().start_lsn == before_.durable.start_lsn);
    // The log gets shorter by cutting alone, and is never cut below what was served.
    if (before_.state != State::cutting) {
        BOUGH_CHECK(core_.log().end >= before_.log.end);
    } else {
        BOUGH_CHECK(core_.log().end >= before_.readable_end);
    }
}

void Invariants::check_action(const Event& event, const Action& action) {
    if (const auto* vote = std::get_if<AnswerVote>(&action); vote && vote->granted) {
        // The promise is on disk, and nothing more of the old term can be acknowledged.
        BOUGH_CHECK(std::holds_alternative<Persisted>(event));
        BOUGH_CHECK(persisted_.promised == vote->position.promised);
        BOUGH_CHECK(!receiving_);
        BOUGH_CHECK(vote->position.state == State::resting);
    }
    if (const auto* begun = std::get_if<AnswerBegin>(&action)) {
        BOUGH_CHECK(persisted_.history.last().term == begun->position.promised);
        BOUGH_CHECK(begun->position.last_term == begun->position.promised);
        BOUGH_CHECK(begun->position.log.end >= persisted_.history.last().begin);
    }
    if (const auto* persist = std::get_if<Persist>(&action)) {
        BOUGH_CHECK(!receiving_);
        BOUGH_CHECK(persist->durable.promised >= persisted_.promised);
        // A configuration gives way to one of a newer term, or to a newer one of its own term.
        const auto& before = persisted_;
        const auto& after = persist->durable;
        BOUGH_CHECK(after.history.last().term > before.history.last().term ||
                    after.assignment.configuration.generation >= before.assignment.configuration.generation);
        being_persisted_ = persist->durable;
    }
    if (const auto* cut = std::get_if<CutTail>(&action)) {
        BOUGH_CHECK(!receiving_);
        BOUGH_CHECK(cut->lsn >= core_.readable_end());
        BOUGH_CHECK(cut->lsn >= core_.durable().start_lsn);
    }
    if (std::holds_alternative<StartStream>(action) || std::holds_alternative<StartCatchUp>(action)) {
        // Nothing is received before the beginning of its term is on disk.
        BOUGH_CHECK(persisted_.history.last() == core_.durable().history.last());
        receiving_ = true;
    }
}

}  // namespace bough::safekeeper::consensus
