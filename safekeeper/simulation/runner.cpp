#include "safekeeper/simulation/runner.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <new>
#include <vector>

#include "bough/check.hpp"
#include "safekeeper/simulation/failure.hpp"

namespace bough::safekeeper::simulation {
namespace {

// What the processes tell one another.
struct Shared {
    std::atomic<std::uint64_t> next{0};  // seed not yet taken, from the first on
    std::atomic<std::uint64_t> runs{0}, commits{0}, terms{0}, exchanges{0}, logs_begun_anew{0};
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> running[64] = {};
    char last_words[64][512] = {};
};

[[noreturn]] void work(const Series& series, Shared& shared, unsigned process) {
    if (series.quiet) {
        int nowhere = ::open("/dev/null", O_WRONLY);
        ::dup2(nowhere, STDERR_FILENO);
    }
    leave_last_words_in(shared.last_words[process]);
    for (;;) {
        auto number = shared.next.fetch_add(1);
        if (number >= series.seeds || shared.stop) ::_exit(0);
        shared.running[process] = series.first_seed + number;
        auto summary = run({series.first_seed + number, series.defect, false});
        shared.runs += 1;
        shared.commits += summary.commits;
        shared.terms += summary.terms;
        shared.exchanges += summary.exchanges;
        shared.logs_begun_anew += summary.logs_begun_anew;
    }
}

}  // namespace

Outcome run_series(const Series& series) {
    BOUGH_CHECK(series.processes >= 1 && series.processes <= 64);
    void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    BOUGH_CHECK(memory != MAP_FAILED);
    auto& shared = *new (memory) Shared;
    std::fflush(nullptr);
    std::vector<pid_t> children;
    for (unsigned i = 0; i < series.processes; ++i) {
        pid_t child = ::fork();
        BOUGH_CHECK(child >= 0);
        if (child == 0) work(series, shared, i);
        children.push_back(child);
    }
    Outcome outcome;
    for (unsigned i = 0; i < series.processes; ++i) {
        int status = 0;
        BOUGH_CHECK(::waitpid(children[i], &status, 0) == children[i]);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
        shared.stop = true;
        std::uint64_t seed = shared.running[i];
        if (outcome.failed_seed && seed >= *outcome.failed_seed) continue;
        outcome.failed_seed = seed;
        outcome.broken = shared.last_words[i];
    }
    outcome.runs = shared.runs;
    outcome.commits = shared.commits;
    outcome.terms = shared.terms;
    outcome.exchanges = shared.exchanges;
    outcome.logs_begun_anew = shared.logs_begun_anew;
    ::munmap(memory, sizeof(Shared));
    return outcome;
}

void run_traced(std::uint64_t seed, Defect defect) { run({seed, defect, true}); }

}  // namespace bough::safekeeper::simulation
