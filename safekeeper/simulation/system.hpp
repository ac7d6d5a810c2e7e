// The whole system of one run: who is there and how they find one another.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "safekeeper/simulation/defect.hpp"
#include "safekeeper/simulation/membership.hpp"
#include "safekeeper/simulation/truth.hpp"
#include "safekeeper/simulation/world.hpp"

namespace bough::safekeeper::simulation {

class Compute;
class Launcher;
class Reader;
class Safekeeper;

struct Options {
    std::uint64_t seed = 0;
    Defect defect = Defect::none;
    bool traced = false;
};

// What is there at first.
struct Shape {
    std::size_t members;
    std::size_t launchers;
    Lsn start;
    std::size_t spares = 0;                             // safekeepers that may become members; with any, configurations are told
    std::optional<std::uint64_t> peer_wal_bytes_max{};  // WAL is dropped, and so much of it kept for peers
};

struct System {
    System(const Options& options, const Shape& shape);
    ~System();

    World world;
    const Defect defect;
    const Lsn start;
    const bool exchanging;  // members are exchanged, so everybody is told who counts
    const std::optional<std::uint64_t> peer_wal_bytes_max;
    Membership membership;
    std::vector<std::unique_ptr<Safekeeper>> safekeepers;  // nodes 0, 1, …
    std::vector<std::unique_ptr<Launcher>> launchers;      // the nodes after them; a launcher's computes run on its node
    std::unique_ptr<Reader> reader;                        // the last node
    std::vector<std::unique_ptr<Compute>> computes;        // all that ever ran
    std::unique_ptr<Truth> truth;

    Node launcher_node(std::size_t launcher) const { return safekeepers.size() + launcher; }
    Node reader_node() const { return safekeepers.size() + launchers.size(); }
    // The compute that listens at an address now; null: nobody.
    Compute* compute_at(const std::string& address) const;
};

std::string name_of_safekeeper(std::size_t number);
std::size_t number_of_safekeeper(const std::string& name);

}  // namespace bough::safekeeper::simulation
