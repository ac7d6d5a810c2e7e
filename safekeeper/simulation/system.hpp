// The whole system of one run: who is there and how they find one another.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "safekeeper/simulation/defect.hpp"
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

struct System {
    System(const Options& options, std::size_t members, std::size_t launchers, Lsn start);
    ~System();

    World world;
    const Defect defect;
    const Lsn start;
    std::vector<std::unique_ptr<Safekeeper>> safekeepers;  // nodes 0, 1, …
    std::vector<std::unique_ptr<Launcher>> launchers;      // the nodes after them; a launcher's computes run on its node
    std::unique_ptr<Reader> reader;                        // the last node
    std::vector<std::unique_ptr<Compute>> computes;        // all that ever ran
    std::unique_ptr<Truth> truth;

    std::size_t members() const { return safekeepers.size(); }
    std::size_t majority() const { return members() / 2 + 1; }
    Node launcher_node(std::size_t launcher) const { return members() + launcher; }
    Node reader_node() const { return members() + launchers.size(); }
    // The compute that listens at an address now; null: nobody.
    Compute* compute_at(const std::string& address) const;
};

std::string name_of_safekeeper(std::size_t number);

}  // namespace bough::safekeeper::simulation
