// bough's consensus in a simulated world: see README.md. `./dev sim` runs it.
#include <chrono>
#include <cstdio>
#include <thread>

#include <CLI/CLI.hpp>

#include "safekeeper/simulation/runner.hpp"

using namespace bough::safekeeper::simulation;

namespace {

int catch_all_defects(std::uint64_t seeds, unsigned processes) {
    int missed = 0;
    for (const auto& one : defects()) {
        auto outcome = run_series({1, seeds, processes, one.defect, true});
        if (outcome.failed_seed)
            std::printf("%-32s caught by seed %llu\n", std::string(one.name).c_str(), static_cast<unsigned long long>(*outcome.failed_seed));
        else
            std::printf("%-32s NOT caught by %llu seeds\n", std::string(one.name).c_str(), static_cast<unsigned long long>(seeds));
        missed += outcome.failed_seed ? 0 : 1;
    }
    return missed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Runs the consensus of launchers, safekeepers and computes in a simulated world with faults."};
    Series series{.first_seed = 1, .seeds = 200000, .processes = std::max(1u, std::thread::hardware_concurrency()), .defect = Defect::none, .quiet = false};
    std::uint64_t replayed = 0;
    std::string defect_name;
    bool every_defect = false;
    app.add_option("--seeds", series.seeds, "how many runs")->capture_default_str();
    app.add_option("--first", series.first_seed, "the first seed")->capture_default_str();
    app.add_option("--processes", series.processes, "how many at a time")->check(CLI::Range(1, 64))->capture_default_str();
    app.add_option("--replay", replayed, "only this seed, with all that happens");
    app.add_option("--defect", defect_name, "plant this bug");
    app.add_flag("--defects", every_defect, "plant each known bug in turn; each must be caught");
    CLI11_PARSE(app, argc, argv);
    if (!defect_name.empty()) {
        auto defect = parse_defect(defect_name);
        if (!defect) {
            std::fprintf(stderr, "there is no defect \"%s\"; known are:\n", defect_name.c_str());
            for (const auto& one : defects()) std::fprintf(stderr, "  %s\n", std::string(one.name).c_str());
            return 2;
        }
        series.defect = *defect;
    }
    if (every_defect) return catch_all_defects(series.seeds, series.processes);
    if (replayed != 0) {
        run_traced(replayed, series.defect);
        return 0;
    }
    auto began = std::chrono::steady_clock::now();
    auto outcome = run_series(series);
    auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    if (outcome.failed_seed) {
        std::printf("seed %llu failed; `./dev sim --replay %llu%s` shows the run\n", static_cast<unsigned long long>(*outcome.failed_seed),
                    static_cast<unsigned long long>(*outcome.failed_seed), defect_name.empty() ? "" : (" --defect " + defect_name).c_str());
        return 1;
    }
    std::printf("%llu runs, %llu commits acknowledged, %llu terms begun, members exchanged %llu times, %llu logs begun anew, %.0f s: every promise held\n",
                static_cast<unsigned long long>(outcome.runs), static_cast<unsigned long long>(outcome.commits),
                static_cast<unsigned long long>(outcome.terms), static_cast<unsigned long long>(outcome.exchanges),
                static_cast<unsigned long long>(outcome.logs_begun_anew), seconds);
    return 0;
}
