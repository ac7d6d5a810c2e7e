// Time, chance, the network and the trace of one run. Nothing in a run depends on anything else.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <vector>

#include "safekeeper/simulation/random.hpp"

namespace bough::safekeeper::simulation {

using Microseconds = std::uint64_t;
constexpr Microseconds kMillisecond = 1000;
constexpr Microseconds kSecond = 1000 * kMillisecond;

// Whoever sends or receives.
using Node = std::size_t;

class World {
public:
    using Task = std::function<void()>;

    World(std::uint64_t seed, std::size_t nodes, bool traced);

    Random random;
    Microseconds now() const { return now_; }
    void after(Microseconds delay, Task task);
    // Performs what is due up to `end`, in order of time and then of its planning.
    void run_until(Microseconds end);

    // --- network --------------------------------------------------------------------------------------------------------------
    struct Weather {
        unsigned lost_per_mille = 0;
        unsigned twice_per_mille = 0;
        Microseconds delay_max = 2 * kMillisecond;
    };
    Weather weather;
    bool connected(Node a, Node b) const { return a == b || !apart_[a * nodes_ + b]; }
    void separate(Node a, Node b, bool apart);
    void heal();
    // A datagram: may be lost, may come twice, may be overtaken.
    void send(Node from, Node to, Task deliver);
    // As TCP: in order, within a connection that keeps `last_arrival` for this direction. `lost` is called instead when it does not get
    // through, which is the end of the connection.
    void send_in_order(Node from, Node to, Microseconds& last_arrival, Task deliver, Task lost);

    // --- trace ----------------------------------------------------------------------------------------------------------------
    bool traced() const { return traced_; }
    // One line, with the time. Callers build the text only when traced().
    void note(const std::string& text) const;

private:
    struct Planned {
        Microseconds at;
        std::uint64_t number;
        Task task;
    };
    struct Later {
        bool operator()(const Planned& a, const Planned& b) const { return a.at != b.at ? a.at > b.at : a.number > b.number; }
    };
    Microseconds delay();

    std::size_t nodes_;
    bool traced_;
    Microseconds now_ = 0;
    std::uint64_t planned_ = 0;
    std::priority_queue<Planned, std::vector<Planned>, Later> queue_;
    std::vector<bool> apart_;
};

}  // namespace bough::safekeeper::simulation
