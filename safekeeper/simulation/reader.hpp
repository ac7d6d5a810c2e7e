// A pageserver as far as the log goes: it takes what safekeepers serve as committed, now from one, now from another, and keeps it.
#pragma once

#include "safekeeper/simulation/system.hpp"

namespace bough::safekeeper::simulation {

class Reader {
public:
    explicit Reader(System& system);
    Lsn end() const { return log_.end(); }

private:
    void read();
    System& system_;
    Content log_;
};

}  // namespace bough::safekeeper::simulation
