#include "safekeeper/simulation/reader.hpp"

#include <algorithm>

#include "safekeeper/simulation/safekeeper.hpp"

namespace bough::safekeeper::simulation {

Reader::Reader(System& system) : system_(system), log_(system.start), durable_(system.start) {
    read();
    if (system.peer_wal_bytes_max) flush();
}

void Reader::restart() { log_.cut(durable_); }

// And tells the safekeepers, as control does for it.
void Reader::flush() {
    auto& world = system_.world;
    world.after(world.random.between(10 * kMillisecond, 80 * kMillisecond), [this] {
        durable_ = log_.record_end_below(log_.end());
        system_.truth->kept_by_pageserver(durable_);
        for (auto& safekeeper : system_.safekeepers)
            system_.world.send(system_.reader_node(), safekeeper->node(), [&safekeeper, lsn = durable_] { safekeeper->learn_durable(lsn); });
        flush();
    });
}

void Reader::read() {
    auto& world = system_.world;
    auto& safekeeper = *system_.safekeepers[world.random.index(system_.safekeepers.size())];
    world.send(system_.reader_node(), safekeeper.node(), [this, &safekeeper] {
        auto served = safekeeper.read_committed(log_.end());
        if (!served) return;
        system_.world.send(safekeeper.node(), system_.reader_node(), [this, served] {
            system_.truth->committed(served->log, served->end, "the pageserver");
            // It reads on from where its own log ends; what it has stays. One that restarted since does not know of the connection.
            if (served->log.start() > log_.end()) return;
            log_.append(served->log, log_.end(), std::max(served->end, log_.end()));
        });
    });
    world.after(world.random.between(4 * kMillisecond, 20 * kMillisecond), [this] { read(); });
}

}  // namespace bough::safekeeper::simulation
