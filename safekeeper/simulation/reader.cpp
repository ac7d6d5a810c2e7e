#include "safekeeper/simulation/reader.hpp"

#include <algorithm>

#include "safekeeper/simulation/safekeeper.hpp"

namespace bough::safekeeper::simulation {

Reader::Reader(System& system) : system_(system), log_(system.start) { read(); }

void Reader::read() {
    auto& world = system_.world;
    auto& safekeeper = *system_.safekeepers[world.random.index(system_.members())];
    world.send(system_.reader_node(), safekeeper.node(), [this, &safekeeper] {
        auto served = safekeeper.read_committed(log_.end());
        if (!served) return;
        system_.world.send(safekeeper.node(), system_.reader_node(), [this, served] {
            system_.truth->committed(served->log, served->end, "the pageserver");
            // It reads on from where its own log ends; what it has stays.
            log_.append(served->log, log_.end(), std::max(served->end, log_.end()));
        });
    });
    world.after(world.random.between(4 * kMillisecond, 20 * kMillisecond), [this] { read(); });
}

}  // namespace bough::safekeeper::simulation
