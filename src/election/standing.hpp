// How a safekeeper stands in a branch: what launchers decide from.
#pragma once

#include <vector>

#include "bough/configuration.hpp"
#include "bough/ids.hpp"
#include "bough/lsn.hpp"
#include "election/term_history.hpp"

namespace bough::election {

struct Standing {
    Term promised;        // no vote below or at this is granted
    Term last_term;       // that the log's last byte belongs to
    TermHistory history;  // of the log as far as it goes
    Lsn end;              // of its last whole durable record
    Lsn commit;           // what of it is known to be committed
    // Who counts, as it came with the newest term that began here. Generation 0: nobody said.
    Term configured_in = {};
    Configuration configuration = {};

    // Whether this log holds more than the other: a longer log of an older term may hold what was never acknowledged.
    bool more_advanced_than(const Standing& other) const {
        return last_term != other.last_term ? last_term > other.last_term : end > other.end;
    }
};

// The newest configuration that these tell of, by (term, generation); `initial` when none does.
Configuration in_force(const std::vector<Standing>& told, const Configuration& initial);

}  // namespace bough::election
