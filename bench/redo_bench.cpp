// How fast pages are redone by each engine of the pool, beside a pipe round trip to a child process in the same run.
//
// Heap pages with a base page and chains of 1, 10 and 100 records (HOT updates and prunes of a real workload), one request at a
// time and many at once. Prints medians of interleaved rounds.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pageserver/redo/testing/pool_under_test.hpp"
#include "pageserver/redo/testing/stock_history.hpp"

namespace {

using namespace bough;
using namespace bough::pageserver;
using Clock = std::chrono::steady_clock;

constexpr int kRounds = 7;
constexpr std::size_t kJobsPerBatch = 256;
constexpr std::uint8_t kHeap2 = 9, kHeap = 10;  // resource managers

constexpr const char* kBefore = R"(
create table t (id int primary key, k int, filler char(60)) with (fillfactor = 50);
insert into t select i, 0, 'x' from generate_series(1, 40000) i;
vacuum freeze t;
)";
constexpr const char* kWorkload = R"(
create procedure work() language plpgsql as $$ begin for i in 1..6 loop update t set k = k + 1; commit; end loop; end $$;
call work();
)";

double microseconds(Clock::duration d) { return std::chrono::duration<double, std::micro>(d).count(); }

template <class Work>
double timed(const Work& work) {
    const auto begin = Clock::now();
    work();
    return microseconds(Clock::now() - begin);
}

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
}

// A child that echoes one byte through a pair of pipes: the least that asking another process costs.
class EchoChild {
public:
    EchoChild() {
        if (pipe(to_.data()) != 0 || pipe(from_.data()) != 0) throw std::runtime_error("no pipes");
        pid_ = fork();
        if (pid_ == 0) {
            close(to_[1]);
            close(from_[0]);
            char byte;
            while (read(to_[0], &byte, 1) == 1 && write(from_[1], &byte, 1) == 1) {
            }
            _exit(0);
        }
        close(to_[0]);
        close(from_[1]);
    }
    ~EchoChild() {
        close(to_[1]);
        close(from_[0]);
        waitpid(pid_, nullptr, 0);
    }
    void round_trip() {
        char byte = 'x';
        if (write(to_[1], &byte, 1) != 1 || read(from_[0], &byte, 1) != 1) throw std::runtime_error("the echo child is gone");
    }

private:
    std::array<int, 2> to_{}, from_{};
    pid_t pid_ = -1;
};

// Processor time, which a busy machine does not stretch: this process's, and that of the pool's workers.
double own_cpu_us() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

double worker_cpu_us(const testing::PoolUnderTest& pool) { return pool.worker_cpu_seconds() * 1e6; }

struct Chain {
    RedoRequest request;
    std::vector<RedoRecord> records;
    std::array<std::byte, pg::kPageBytes> page;
};

std::vector<Chain> chains_of(const testing::StockHistory& history, std::size_t length) {
    std::vector<Chain> chains;
    chains.reserve(history.pages().size());
    for (const auto& [tag, page] : history.pages()) {
        if (!page.has_base || page.records.size() < length) continue;
        if (!std::all_of(page.records.begin(), page.records.begin() + static_cast<std::ptrdiff_t>(length),
                         [](const auto& r) { return r.resource_manager == kHeap || r.resource_manager == kHeap2; }))
            continue;
        Chain& chain = chains.emplace_back();
        for (std::size_t i = 0; i < length; i++)
            chain.records.push_back({page.records[i].start, page.records[i].end, page.records[i].for_page});
        chain.request = {tag, page.base.data(), chain.records, false};
    }
    return chains;
}

void must(const Result<void>& result) {
    if (!result) throw std::runtime_error(result.error().to_string());
}

void apply_singly(RedoPool& pool, std::vector<Chain>& chains, std::vector<double>* latencies) {
    for (Chain& chain : chains) {
        const double took = timed([&] { must(pool.apply(chain.request, chain.page)); });
        if (latencies) latencies->push_back(took);
    }
}

void apply_together(RedoPool& pool, std::vector<Chain>& chains) {
    std::vector<RedoJob> jobs;
    for (std::size_t begin = 0; begin < chains.size(); begin += kJobsPerBatch) {
        jobs.clear();
        for (std::size_t i = begin; i < std::min(begin + kJobsPerBatch, chains.size()); i++)
            jobs.push_back({chains[i].request, chains[i].page.data(), {}});
        pool.apply_many(jobs);
        for (const RedoJob& job : jobs) must(job.result);
    }
}

// One engine's figures for chains of one length.
struct Figures {
    std::vector<double> latencies;                                               // one at a time
    std::vector<double> together, together_all;                                  // a page, one worker and all
    std::vector<double> alone_own, alone_worker, together_own, together_worker;  // processor time a page
};

struct Engine {
    const char* name;
    testing::PoolUnderTest* one;  // with one worker
    testing::PoolUnderTest* all;  // with a worker per core
};

void measure(const Engine& engine, std::vector<Chain>& chains, Figures& figures) {
    const auto pages = static_cast<double>(chains.size());
    const auto with_cpu = [&](std::vector<double>& own, std::vector<double>& worker, const auto& work) {
        const double own_before = own_cpu_us(), worker_before = worker_cpu_us(*engine.one);
        work();
        own.push_back((own_cpu_us() - own_before) / pages);
        worker.push_back((worker_cpu_us(*engine.one) - worker_before) / pages);
    };
    with_cpu(figures.alone_own, figures.alone_worker, [&] { apply_singly(engine.one->pool(), chains, &figures.latencies); });
    with_cpu(figures.together_own, figures.together_worker,
             [&] { figures.together.push_back(timed([&] { apply_together(engine.one->pool(), chains); }) / pages); });
    figures.together_all.push_back(timed([&] { apply_together(engine.all->pool(), chains); }) / pages);
}

void print(const char* name, std::size_t length, std::size_t pages, Figures& figures, double round_trip) {
    std::sort(figures.latencies.begin(), figures.latencies.end());
    const double p50 = figures.latencies[figures.latencies.size() / 2],
                 p99 = figures.latencies[figures.latencies.size() * 99 / 100];
    const double together = median(figures.together);
    fmt::print(
        "{:6} | {:3} | {:5} | {:6.2f} / {:6.2f} us, {:5.2f}x | {:6.2f} us, {:5.2f}x, {:.2f} us a record | {:6.2f} us | "
        "{:.2f} + {:.2f} us | {:.2f} + {:.2f} us\n",
        name, length, pages, p50, p99, round_trip / p50, together, round_trip / together, together / static_cast<double>(length),
        median(figures.together_all), median(figures.alone_own), median(figures.alone_worker), median(figures.together_own),
        median(figures.together_worker));
}

void run() {
    testing::StockHistory history({"", kBefore, kWorkload, {}, false});
    const auto pool = [&](RedoEngine engine, unsigned workers) {
        return testing::PoolUnderTest(history.control_file(), [=](RedoPoolOptions& o) {
            o.engine = engine;
            o.workers = workers;
        });
    };
    testing::PoolUnderTest stock_one = pool(RedoEngine::stock, 1), stock_all = pool(RedoEngine::stock, 0);
    testing::PoolUnderTest native_one = pool(RedoEngine::both, 1), native_all = pool(RedoEngine::both, 0);
    const std::array<Engine, 2> engines{Engine{"stock", &stock_one, &stock_all}, Engine{"native", &native_one, &native_all}};
    EchoChild echo;

    constexpr int kEchoes = 5'000;
    std::vector<double> echo_us;
    struct Row {
        std::size_t length;
        std::vector<Chain> chains;
        std::array<Figures, 2> figures;
    };
    std::vector<Row> rows;
    for (const std::size_t length : {1, 10, 100}) rows.push_back({length, chains_of(history, length), {}});

    for (int round = 0; round < kRounds; round++) {
        echo_us.push_back(timed([&] {
                              for (int i = 0; i < kEchoes; i++) echo.round_trip();
                          }) /
                          kEchoes);
        for (Row& row : rows) {
            if (row.chains.empty()) throw std::runtime_error("the workload made no such chains");
            for (std::size_t e = 0; e < engines.size(); e++) measure(engines[e], row.chains, row.figures[e]);
        }
    }
    for (const Engine& engine : engines)
        if (engine.one->pool().metrics().errors != 0) throw std::runtime_error("redo failed");
    if (native_one.pool().metrics().native_declined != 0)
        throw std::runtime_error("the native engine declined what it should know");

    const double round_trip = median(echo_us);
    fmt::print("pipe round trip to a child: {:.2f} us (medians of {} interleaved rounds)\n", round_trip, kRounds);
    fmt::print(
        "engine | records | pages | one at a time p50 / p99, against the round trip | together a page, against the round trip | "
        "all workers | processor time alone, caller + worker | together\n");
    for (Row& row : rows)
        for (std::size_t e = 0; e < engines.size(); e++)
            print(engines[e].name, row.length, row.chains.size(), row.figures[e], round_trip);
    const Figures& ten = rows[1].figures[1];
    fmt::print("a page of ten records, one at a time, native: {:.2f} us, {:.2f}x of a round trip (must 3x, aim 10x and 5 us)\n",
               ten.latencies[ten.latencies.size() / 2], round_trip / ten.latencies[ten.latencies.size() / 2]);
}

}  // namespace

int main() {
    try {
        run();
    } catch (const std::exception& e) {
        fmt::print(stderr, "redo_bench: {}\n", e.what());
        return 1;
    }
}
