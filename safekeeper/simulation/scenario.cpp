#include "safekeeper/simulation/scenario.hpp"

#include <algorithm>

#include "safekeeper/simulation/compute.hpp"
#include "safekeeper/simulation/failure.hpp"
#include "safekeeper/simulation/launcher.hpp"
#include "safekeeper/simulation/reader.hpp"
#include "safekeeper/simulation/safekeeper.hpp"

namespace bough::safekeeper::simulation {

System::System(const Options& options, const Shape& shape)
    : world(options.seed, shape.members + shape.spares + shape.launchers + 1, options.traced), defect(options.defect), start(shape.start),
      exchanging(shape.spares > 0), peer_wal_bytes_max(shape.peer_wal_bytes_max) {
    safekeepers.resize(shape.members + shape.spares);
    launchers.resize(shape.launchers);
    for (std::size_t i = 0; i < shape.members; ++i) membership.members.push_back(name_of_safekeeper(i));
}

System::~System() = default;

Compute* System::compute_at(const std::string& address) const {
    Compute* found = nullptr;
    for (const auto& compute : computes)
        if (compute->running() && compute->address() == address) found = compute.get();
    return found;
}

namespace {

constexpr std::uint64_t kSegmentBytes = 16 << 20;
constexpr Microseconds kFaultsEnd = 2 * kSecond;
constexpr Microseconds kCalmEnd = 30 * kSecond;

Shape shape_of(std::uint64_t seed) {
    Random random(seed ^ 0xB0B0);
    auto dice = random.between(0, 9);
    auto segments = random.between(1, 200);
    auto before_end = random.between(0, 40) * 1000;
    auto launchers = random.between(1, 3);
    Shape shape{dice < 7 ? 3u : dice < 8 ? 1u : 5u, launchers, Lsn{segments * kSegmentBytes - before_end}};
    // With chance of its own: a seed in which neither happens is the run that it was before these were there.
    Random more(seed ^ 0xC0FFEE);
    if (more.chance(350)) {
        shape.members = more.chance(900) ? 3 : 1;
        shape.spares = more.between(1, 3);
    }
    if (more.chance(300)) shape.peer_wal_bytes_max = more.between(500, 20000);
    return shape;
}

class Scenario {
public:
    explicit Scenario(const Options& options) : Scenario(options, shape_of(options.seed)) {}

    Summary play() {
        work();
        system_.world.run_until(kFaultsEnd);
        calm();
        return {system_.truth->commits(), system_.truth->terms(), exchanges_, system_.truth->logs_begun_anew()};
    }

private:
    Scenario(const Options& options, const Shape& shape) : system_(options, shape) {
        std::vector<Truth::Disk> disks;
        // The truth is asked from the first step on.
        system_.truth = std::make_unique<Truth>(disks, system_.membership.initial(), system_.start);
        for (std::size_t i = 0; i < system_.safekeepers.size(); ++i) {
            auto& safekeeper = system_.safekeepers[i];
            safekeeper = std::make_unique<Safekeeper>(system_, i);
            disks.push_back({safekeeper->name(), &safekeeper->durable_log(), &safekeeper->control()});
        }
        system_.truth = std::make_unique<Truth>(std::move(disks), system_.membership.initial(), system_.start);
        for (std::size_t i = 0; i < system_.launchers.size(); ++i) system_.launchers[i] = std::make_unique<Launcher>(system_, i);
        system_.reader = std::make_unique<Reader>(system_);
        auto& world = system_.world;
        if (world.random.chance(700)) world.weather = {static_cast<unsigned>(world.random.mostly_low(0, 150)), 30, world.random.mostly_low(kMillisecond, 40 * kMillisecond)};
        trouble_every_ = world.random.mostly_low(10 * kMillisecond, 400 * kMillisecond);
        restless_launchers_ = world.random.chance(500);
    }

    // Until the faults end: launchers at work, somebody asking for the tip, trouble.
    void work() {
        system_.launchers[0]->take_over();
        every(20 * kMillisecond, [this] {
            for (auto& launcher : system_.launchers) launcher->look_after();
            bool writing = std::any_of(system_.launchers.begin(), system_.launchers.end(), [](const auto& launcher) {
                return launcher->busy() || (launcher->compute() != nullptr && launcher->compute()->running());
            });
            if (!writing || (restless_launchers_ && system_.world.random.chance(30))) any_launcher().take_over();
            watch_exchange();
        });
        if (system_.exchanging) every(200 * kMillisecond, [this] { change_members(); });
        if (system_.peer_wal_bytes_max) every(400 * kMillisecond, [this] { system_.reader->restart(); });
        every(50 * kMillisecond, [this] { any_launcher().ask_tip(); });
        every(trouble_every_, [this] { trouble(); });
    }

    void every(Microseconds about, std::function<void()> task) {
        system_.world.after(system_.world.random.between(about / 2, about * 2), [this, about, task] {
            if (system_.world.now() >= kFaultsEnd) return;
            task();
            every(about, task);
        });
    }

    // Somebody wants other members, or the old ones back; sometimes while no compute runs.
    void change_members() {
        auto& random = system_.world.random;
        auto& membership = system_.membership;
        if (membership.changing()) {
            if (random.chance(100)) membership.call_off();
            else if (random.chance(100)) any_launcher().take_over_for_exchange();
            return;
        }
        std::vector<std::string> fresh, next;
        for (const auto& safekeeper : system_.safekeepers)
            if (!is_member({1, membership.members, {}}, safekeeper->name()) && !membership.leaving.contains(safekeeper->name()))
                fresh.push_back(safekeeper->name());
        // Mostly one for another; or all, some, or none of the old ones stay.
        auto leave = random.chance(600) ? 1 : random.between(0, membership.members.size());
        auto come = std::min<std::size_t>(fresh.size(), random.chance(600) ? 1 : random.between(0, fresh.size()));
        next = membership.members;
        for (; leave > 0; --leave) next.erase(next.begin() + static_cast<std::ptrdiff_t>(random.index(next.size())));
        for (std::size_t i = 0; i < come; ++i) next.push_back(fresh[i]);
        if (next.empty() || next == membership.members) return;
        note("the members shall be " + bough::to_string({1, membership.members, next}));
        membership.begin(next);
    }

    void watch_exchange() {
        bool changing = system_.membership.changing();
        if (changing_ && !changing) ++exchanges_;
        changing_ = changing;
    }

    Launcher& any_launcher() { return *system_.launchers[system_.world.random.index(system_.launchers.size())]; }
    Safekeeper& any_safekeeper() { return *system_.safekeepers[system_.world.random.index(system_.safekeepers.size())]; }

    void trouble() {
        auto& world = system_.world;
        auto& random = world.random;
        auto later = [&](Microseconds most, std::function<void()> task) { world.after(random.mostly_low(kMillisecond, most), std::move(task)); };
        switch (random.between(0, 13)) {
            case 0: case 1: case 2: {
                auto& safekeeper = any_safekeeper();
                safekeeper.stop(random.chance(600));
                later(400 * kMillisecond, [&safekeeper] { safekeeper.start(); });
                break;
            }
            case 3: {
                // A power cut of the whole room.
                if (!random.chance(300)) break;
                for (auto& safekeeper : system_.safekeepers) {
                    safekeeper->stop(true);
                    later(200 * kMillisecond, [&safekeeper] { safekeeper->start(); });
                }
                break;
            }
            case 4: case 5: {
                // Each node is on one side or the other.
                auto nodes = system_.reader_node() + 1;
                std::vector<bool> side;
                for (Node node = 0; node < nodes; ++node) side.push_back(random.chance(400));
                for (Node a = 0; a < nodes; ++a)
                    for (Node b = 0; b < a; ++b)
                        if (side[a] != side[b]) world.separate(a, b, true);
                note("the network is split");
                later(500 * kMillisecond, [this] { system_.world.heal(); });
                break;
            }
            case 6: {
                Node a = random.index(system_.reader_node() + 1), b = random.index(system_.reader_node() + 1);
                if (a == b) break;
                world.separate(a, b, true);
                later(400 * kMillisecond, [this, a, b] { system_.world.separate(a, b, false); });
                break;
            }
            case 7: any_launcher().stop_compute(); break;
            case 8: any_launcher().take_over(); break;
            case 9: any_launcher().crash(); break;
            case 10: {
                auto& safekeeper = any_safekeeper();
                safekeeper.set_slow(true);
                later(600 * kMillisecond, [&safekeeper] { safekeeper.set_slow(false); });
                break;
            }
            case 11: {
                auto& safekeeper = any_safekeeper();
                safekeeper.set_full(true);
                later(300 * kMillisecond, [&safekeeper] { safekeeper.set_full(false); });
                break;
            }
            case 12: {
                auto& safekeeper = any_safekeeper();
                safekeeper.fail_next_sync();
                later(300 * kMillisecond, [&safekeeper] { safekeeper.start(); });
                break;
            }
            default: {
                // A launcher and all that it does goes on behind everybody's back for a while, then comes back.
                auto node = system_.launcher_node(random.index(system_.launchers.size()));
                for (std::size_t i = 0; i < system_.safekeepers.size(); ++i)
                    if (random.chance(700)) world.separate(node, i, true);
                later(500 * kMillisecond, [this] { system_.world.heal(); });
            }
        }
    }

    // No more faults: one launcher gets its compute, a commit goes through, and everybody comes to know all of it.
    void calm() {
        auto& world = system_.world;
        note("faults end");
        world.weather = {};
        world.heal();
        for (auto& safekeeper : system_.safekeepers) {
            safekeeper->heal_disk();
            safekeeper->start();
        }
        for (auto& compute : system_.computes) compute->set_quiet();
        auto& launcher = *system_.launchers[0];
        launcher.be_diligent();
        bool committed = false;
        while (world.now() < kCalmEnd) {
            world.run_until(world.now() + 20 * kMillisecond);
            world.heal();  // what was planned before
            for (auto& safekeeper : system_.safekeepers) {
                safekeeper->heal_disk();
                safekeeper->start();
            }
            for (auto& compute : system_.computes) compute->set_quiet();
            launcher.look_after();
            watch_exchange();
            auto* compute = launcher.compute();
            if (compute == nullptr || !compute->running()) {
                if (!launcher.busy()) launcher.take_over();
                committed = false;
                continue;
            }
            if (!committed) {
                compute->commit();
                committed = true;
            }
            if (compute->all_acknowledged() && all_have(compute->writer())) return;
        }
        broken("nothing failed any more, but after " + std::to_string((kCalmEnd - kFaultsEnd) / kSecond) + " seconds not all have all");
    }

    bool all_have(const Writer& writer) const {
        if (system_.membership.changing() || !system_.membership.errands.empty()) return false;
        for (const auto& name : system_.membership.members) {
            const auto& safekeeper = system_.safekeepers[number_of_safekeeper(name)];
            if (!safekeeper->up() || !safekeeper->durable_log().contains(writer, writer.end())) return false;
            if (safekeeper->core().readable_end() != writer.end()) return false;
        }
        return system_.reader->end() == writer.end();
    }

    void note(const std::string& text) {
        if (system_.world.traced()) system_.world.note(text);
    }

    System system_;
    Microseconds trouble_every_ = 0;
    bool restless_launchers_ = false;
    bool changing_ = false;
    std::size_t exchanges_ = 0;
};

}  // namespace

Summary run(const Options& options) { return Scenario(options).play(); }

}  // namespace bough::safekeeper::simulation
