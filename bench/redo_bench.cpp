// How fast pages are redone by the pool, beside a pipe round trip to a child process in the same run.
//
// Heap pages with a base page and chains of 1, 10 and 100 records (HOT updates and prunes of a real workload), one request at a
// time and many at once. Prints medians of interleaved rounds.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
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

double worker_cpu_us(const testing::PoolUnderTest& pool) {
    double sum = 0;
    for (const int pid : pool.worker_pids()) {
        std::ifstream file(fmt::format("/proc/{}/schedstat", pid));
        double run_ns = 0;
        file >> run_ns;
        sum += run_ns / 1e3;
    }
    return sum;
}

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

void run() {
    testing::StockHistory history({"", kBefore, kWorkload});
    testing::PoolUnderTest one(history.control_file(), [](RedoPoolOptions& o) { o.workers = 1; });
    testing::PoolUnderTest all(history.control_file(), [](RedoPoolOptions& o) { o.workers = 0; });
    EchoChild echo;

    constexpr int kEchoes = 5'000;
    std::vector<double> echo_us;
    struct Row {
        std::size_t length;
        std::vector<Chain> chains;
        std::vector<double> latencies, together_one, together_all;
        std::vector<double> alone_own, alone_worker, together_own, together_worker;  // processor time
    };
    std::vector<Row> rows;
    for (const std::size_t length : {1, 10, 100})
        rows.push_back({length, chains_of(history, length), {}, {}, {}, {}, {}, {}, {}});

    for (int round = 0; round < kRounds; round++) {
        echo_us.push_back(timed([&] {
                              for (int i = 0; i < kEchoes; i++) echo.round_trip();
                          }) /
                          kEchoes);
        for (Row& row : rows) {
            if (row.chains.empty()) throw std::runtime_error("the workload made no such chains");
            const auto pages = static_cast<double>(row.chains.size());
            const auto with_cpu = [&](std::vector<double>& own, std::vector<double>& worker, const auto& work) {
                const double own_before = own_cpu_us(), worker_before = worker_cpu_us(one);
                work();
                own.push_back((own_cpu_us() - own_before) / pages);
                worker.push_back((worker_cpu_us(one) - worker_before) / pages);
            };
            with_cpu(row.alone_own, row.alone_worker, [&] { apply_singly(one.pool(), row.chains, &row.latencies); });
            with_cpu(row.together_own, row.together_worker,
                     [&] { row.together_one.push_back(timed([&] { apply_together(one.pool(), row.chains); }) / pages); });
            row.together_all.push_back(timed([&] { apply_together(all.pool(), row.chains); }) / pages);
        }
    }

    const double round_trip = median(echo_us);
    fmt::print("pipe round trip to a child: {:.1f} us\n", round_trip);
    fmt::print(
        "records | pages | one at a time p50 / p99 | together, 1 worker: us/page, pages/s, us/record | all workers: us/page\n");
    for (Row& row : rows) {
        std::sort(row.latencies.begin(), row.latencies.end());
        const double p50 = row.latencies[row.latencies.size() / 2], p99 = row.latencies[row.latencies.size() * 99 / 100];
        const double together = median(row.together_one);
        fmt::print("{:7} | {:5} | {:.1f} / {:.1f} us | {:.1f}, {:.0f}, {:.2f} | {:.1f}\n", row.length, row.chains.size(), p50,
                   p99, together, 1e6 / together, together / static_cast<double>(row.length), median(row.together_all));
    }
    fmt::print("processor time a page, caller + worker: records | one at a time | together\n");
    for (const Row& row : rows)
        fmt::print("{:7} | {:.1f} + {:.1f} us | {:.1f} + {:.1f} us\n", row.length, median(row.alone_own),
                   median(row.alone_worker), median(row.together_own), median(row.together_worker));
    const double ten = median(rows[1].together_one);
    fmt::print("a page of ten records, batched, against the round trip: {:.2f}x\n", round_trip / ten);
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
