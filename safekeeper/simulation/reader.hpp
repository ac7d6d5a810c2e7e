// A pageserver as far as the log goes: it takes what safekeepers serve as committed, now from one, now from another, and keeps it. Where WAL
// is dropped it tells what it has durably, and restarts.
#pragma once

#include "safekeeper/simulation/system.hpp"

namespace bough::safekeeper::simulation {

class Reader {
public:
    explicit Reader(System& system);
    Lsn end() const { return log_.end(); }
    // It reads on from what it had durably.
    void restart();

private:
    void read();
    void flush();
    System& system_;
    Content log_;
    Lsn durable_;
};

}  // namespace bough::safekeeper::simulation
