// Explores the consensus of launchers and safekeepers exhaustively within bounds: see README.md. `./dev slow exploration` runs it.
#include <chrono>
#include <cstdio>

#include <CLI/CLI.hpp>

#include "safekeeper/spec/explore.hpp"

using namespace bough::safekeeper::spec;

int main(int argc, char** argv) {
    CLI::App app{"Tries every order of events of two launchers and three safekeepers, within bounds."};
    Bounds bounds;
    std::uint64_t states_max = 200'000'000;
    app.add_option("--attempts", bounds.attempts, "elections of each launcher")->capture_default_str();
    app.add_option("--records", bounds.records, "records that computes write, besides each one's first")->capture_default_str();
    app.add_option("--crashes", bounds.crashes, "crashes of safekeepers")->capture_default_str();
    app.add_option("--failed-writes", bounds.failed_writes, "control files that cannot be written")->capture_default_str();
    app.add_option("--give-ups", bounds.give_ups, "times that a launcher gives up on a member's answer")->capture_default_str();
    app.add_flag("--slow-actions", bounds.slow_actions, "what a safekeeper does takes time, and anything may happen meanwhile");
    app.add_option("--states", states_max, "give up after so many")->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    auto began = std::chrono::steady_clock::now();
    auto result = explore(bounds, states_max);
    auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    std::printf("%llu states, %llu moves, depth %zu, %llu states with an acknowledged commit, %.0f s%s\n",
                static_cast<unsigned long long>(result.states), static_cast<unsigned long long>(result.moves), result.depth,
                static_cast<unsigned long long>(result.with_acknowledged), seconds,
                result.complete ? ": every promise held" : ": INCOMPLETE, every promise held as far as it went");
    return result.complete ? 0 : 1;
}
