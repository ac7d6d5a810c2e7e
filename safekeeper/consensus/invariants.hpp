// What must hold of a core after every step, whatever happened: for tests and simulations, which feed every event and action.
#pragma once

#include <vector>

#include "safekeeper/consensus/core.hpp"

namespace bough::safekeeper::consensus {

class Invariants {
public:
    // `core` outlives this. Take a new one after each restart of the core, with the state that was durable before it.
    explicit Invariants(const Core& core);

    // After each step; aborts where an invariant is broken.
    void check(const Event& event, const std::vector<Action>& actions);

private:
    void check_state() const;
    void check_against_before() const;
    void check_action(const Event& event, const Action& action);

    struct Before {
        Durable durable;
        LogPosition log;
        Lsn readable_end;
        State state;
    };
    Before snapshot() const { return {core_.durable(), core_.log(), core_.readable_end(), core_.state()}; }

    const Core& core_;
    Before before_;
    Durable persisted_;     // what is certainly on disk
    Durable being_persisted_;
    bool receiving_ = false;  // a stream or a catch-up may be running
};

}  // namespace bough::safekeeper::consensus
