// What the benchmark programs of this folder have in common: clocks, quantiles, and how they begin and end.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <exception>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace bough::bench {

using Clock = std::chrono::steady_clock;

// Of a stock server whose log is to be ingested or recovered: as little in it as there can be, and nothing of it replayed before.
inline constexpr const char* kLoggingServer = R"(
full_page_writes = off
max_wal_size = 64GB
checkpoint_timeout = 1h
autovacuum = off
synchronous_commit = off
shared_buffers = 1GB
log_min_messages = log
)";

inline double seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }

inline double cpu_seconds(clockid_t clock = CLOCK_PROCESS_CPUTIME_ID) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// The value at that part of the sorted ones, 0 to 1; `values` is not empty.
inline double quantile(std::vector<double> values, double part) {
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(values.size() - 1));
    std::ranges::nth_element(values, at);
    return *at;
}
inline double median(std::vector<double> values) { return quantile(std::move(values), 0.5); }

// The body of main(): reads the command line and runs; what is thrown is printed after the app's name. The exit status.
template <class Run>
int run_bench(CLI::App& app, int argc, char** argv, const Run& run) {
    CLI11_PARSE(app, argc, argv);
    try {
        run();
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s: %s\n", app.get_name().c_str(), e.what());
        return 1;
    }
    return 0;
}

}  // namespace bough::bench
