// What others' load does to those who read a branch: interference_bench [--rounds N] [--seconds N] [--rate N] [--load-reads N] [--load-wal N]
//
// Random pages of a branch are asked of the page service over its socket, so many a second, without a page cache, while 0, 1, 4, 16 and 32
// of its child branches are loaded, and 32 branches of projects of their own. The load of a branch is that of a compute that works at a fixed
// pace: so many pages of its own a second, and so many bytes of a pgbench's WAL, which seal layers and compact when they add up. Latency
// counts from when a read was due, so that one that is late makes those behind it late, too. Its use of the processors is printed: with
// none to spare everyone waits for them, and nothing is said of the pageserver. The first, unmeasured turns make what branches and load keep
// in memory.
#include <atomic>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "bench/figures.hpp"
#include "bench/page_reads.hpp"
#include "pageserver/page_service/page_service.hpp"
#include "pageserver/redo/testing/pool_under_test.hpp"
#include "pageserver/testing/stock_branch.hpp"
#include "pg/testing/stock_server.hpp"

namespace bough::pageserver {
namespace {

namespace fs = std::filesystem;
using bench::Clock;
using bench::quantile;
using bench::seconds;
using testing::must;

constexpr unsigned kLoadedMax = 32;

struct Options {
    unsigned scale = 2;
    unsigned transactions = 100'000;
    unsigned rounds = 5;
    unsigned seconds = 5;        // of each turn
    unsigned rate = 500;         // reads of the parent, a second
    unsigned load_reads = 100;   // a second, of each loaded branch
    unsigned load_wal = 50'000;  // bytes a second, of each loaded branch
};

// A branch and who loads it.
struct Loaded {
    std::shared_ptr<Branch> branch;
    testing::StockLog log;
    bench::RandomReads reads;
};

class Bench {
public:
    explicit Bench(const Options& options) : options_(options), server_(bench::kLoggingServer) {
        const fs::path initial = server_.root() / "initial", data = server_.root() / "pageserver";
        const bench::PgbenchLog log = bench::make_pgbench_log(server_, initial, options.scale, options.transactions);
        accounts_ = log.accounts;
        testing::import_stock_cluster(initial, data, resources_);
        for (unsigned i = 0; i < kLoadedMax; ++i) testing::import_stock_cluster(initial, data, resources_, project_name(i));

        pool_ = std::make_unique<testing::PoolUnderTest>(testing::control_file_of(initial),
                                                         [](RedoPoolOptions& o) { o.engine = RedoEngine::both; });
        redo_ = std::make_unique<PooledRedo>(pool_->pool());
        pages_ = std::make_unique<PageReader>(*redo_, metrics_);
        projects_ = must(Projects::open(data, resources_));
        service_address_.unix_path = (server_.root() / "pages.sock").string();
        PageServiceOptions service;
        service.listen.push_back(service_address_);
        service.threads = 4;  // as the pageserver has with two processors
        service_ = must(PageService::start(std::move(service), *projects_, *pages_));

        const auto project = must(projects_->project(*ProjectId::parse(testing::kStockProject)));
        const auto parent = testing::stock_branch(*projects_);
        const auto begin = parent->ingested();
        testing::ingest_stock_log(*parent, *pages_, segments(), log.end);
        read_at_ = parent->ingest_lsn();
        parent_ = std::make_unique<bench::RandomReads>(service_address_, testing::kStockProject, testing::kStockBranch, accounts_,
                                                       ++seed_);
        for (unsigned i = 0; i < kLoadedMax; ++i) {
            const std::string name = fmt::format("b{}", i);
            children_.push_back(
                loaded(testing::kStockProject, name,
                       must(project->create_branch(*BranchId::parse(name), *BranchId::parse(testing::kStockBranch), begin))));
        }
        for (unsigned i = 0; i < kLoadedMax; ++i)
            separate_.push_back(
                loaded(project_name(i), testing::kStockBranch,
                       must(projects_->branch(*ProjectId::parse(project_name(i)), *BranchId::parse(testing::kStockBranch)))));
    }

    struct Turn {
        std::vector<double> latencies_us;
        double cpu = 0;          // processors, of the whole program and the redo workers
        double load_reads = 0;   // a second
        double load_wal_mb = 0;  // a second
    };
    Turn beside_children(unsigned count) { return turn(children_, count); }
    Turn beside_projects() { return turn(separate_, kLoadedMax); }
    StoreResources::Counts counts() const { return resources_.counts(); }

private:
    static std::string project_name(unsigned i) { return fmt::format("p{}", i); }
    fs::path segments() const { return server_.data() / "pg_wal"; }
    std::unique_ptr<Loaded> loaded(const std::string& project, const std::string& name, std::shared_ptr<Branch> branch) {
        return std::unique_ptr<Loaded>(new Loaded{branch, testing::StockLog(*branch, *pages_, segments()),
                                                  bench::RandomReads(service_address_, project, name, accounts_, ++seed_)});
    }

    // Until `stop`: a read and a piece of WAL at each tick; the ticks of different branches are spread out.
    void load(Loaded& loaded, unsigned number, const std::atomic<bool>& stop, std::atomic<std::uint64_t>& reads,
              std::atomic<std::uint64_t>& wal_bytes) {
        const auto interval = std::chrono::nanoseconds(1'000'000'000 / options_.load_reads);
        const std::size_t piece = options_.load_wal / options_.load_reads;
        auto due = Clock::now() + interval * number / kLoadedMax;
        for (; !stop; due += interval) {
            std::this_thread::sleep_until(due);
            if (loaded.log.feed(piece)) wal_bytes += piece;
            loaded.reads.read(loaded.branch->ingest_lsn());
            ++reads;
        }
    }

    Turn turn(std::vector<std::unique_ptr<Loaded>>& all, unsigned count) {
        std::atomic<bool> stop{false};
        std::atomic<std::uint64_t> reads{0}, wal_bytes{0};
        std::vector<std::exception_ptr> failures(count);
        const auto processors = [&] { return bench::cpu_seconds() + pool_->worker_cpu_seconds(); };
        Turn turn;
        const auto begin = Clock::now();
        const double before = processors();
        {
            std::vector<std::jthread> threads;
            for (unsigned i = 0; i < count; ++i)
                threads.emplace_back([&, i] {
                    try {
                        load(*all[i], i, stop, reads, wal_bytes);
                    } catch (...) {
                        failures[i] = std::current_exception();
                    }
                });
            try {
                turn.latencies_us = parent_->paced(read_at_, options_.rate, options_.seconds);
            } catch (...) {
                stop = true;
                throw;
            }
            stop = true;
        }
        for (const auto& failure : failures)
            if (failure) std::rethrow_exception(failure);
        const double took = seconds(Clock::now() - begin);
        turn.cpu = (processors() - before) / took;
        turn.load_reads = static_cast<double>(reads) / took;
        turn.load_wal_mb = static_cast<double>(wal_bytes) / took / 1e6;
        return turn;
    }

    const Options options_;
    pg::testing::StockServer server_;
    StoreResources resources_{StoreResources::Options{}};
    bench::Pages accounts_;
    Lsn read_at_;
    std::unique_ptr<testing::PoolUnderTest> pool_;
    std::unique_ptr<PooledRedo> redo_;
    PageReaderMetrics metrics_;
    std::unique_ptr<PageReader> pages_;
    std::unique_ptr<Projects> projects_;
    net::Address service_address_;
    std::unique_ptr<PageService> service_;
    std::unique_ptr<bench::RandomReads> parent_;
    std::vector<std::unique_ptr<Loaded>> children_, separate_;
    unsigned seed_ = 0;
};

struct Row {
    std::string name;
    std::vector<double> p50, p99, cpu, reads, wal;

    void add(const Bench::Turn& turn) {
        p50.push_back(quantile(turn.latencies_us, 0.5));
        p99.push_back(quantile(turn.latencies_us, 0.99));
        cpu.push_back(turn.cpu);
        reads.push_back(turn.load_reads);
        wal.push_back(turn.load_wal_mb);
    }
};

void run(const Options& options) {
    Bench bench(options);
    constexpr unsigned kChildren[] = {0, 1, 4, 16, kLoadedMax};
    std::vector<Row> rows;
    for (const unsigned count : kChildren) rows.push_back({fmt::format("{} branches", count), {}, {}, {}, {}, {}});
    rows.push_back({fmt::format("{} projects", kLoadedMax), {}, {}, {}, {}, {}});
    bench.beside_children(kLoadedMax);
    bench.beside_projects();
    for (unsigned round = 0; round < options.rounds; ++round) {
        for (std::size_t i = 0; i < std::size(kChildren); ++i) rows[i].add(bench.beside_children(kChildren[i]));
        rows.back().add(bench.beside_projects());
    }
    fmt::print(
        "{} reads of the parent a second; each loaded branch reads {} pages and writes {} KB of WAL a second; medians of {} "
        "interleaved turns of {} s; "
        "{} layers sealed\n",
        options.rate, options.load_reads, options.load_wal / 1000, options.rounds, options.seconds, bench.counts().layers_sealed);
    fmt::print("{:>12} {:>8} {:>8} {:>8} {:>10} {:>12} {:>14}\n", "loaded", "p50 us", "p99 us", "", "CPUs used", "their reads",
               "their WAL MB/s");
    const double quiet = quantile(rows[0].p99, 0.5);
    for (const Row& row : rows)
        fmt::print("{:>12} {:>8.0f} {:>8.0f} {:>7.2f}x {:>10.2f} {:>12.0f} {:>14.2f}\n", row.name, quantile(row.p50, 0.5),
                   quantile(row.p99, 0.5), quantile(row.p99, 0.5) / quiet, quantile(row.cpu, 0.5), quantile(row.reads, 0.5),
                   quantile(row.wal, 0.5));
    fmt::print("p99 with {} branches, of that with none: must 4x at most, aim 1.5x; of that with {} projects: {:.2f}x, aim 1x\n",
               kLoadedMax, kLoadedMax, quantile(rows[rows.size() - 2].p99, 0.5) / quantile(rows.back().p99, 0.5));
}

}  // namespace
}  // namespace bough::pageserver

int main(int argc, char** argv) {
    bough::pageserver::Options options;
    CLI::App app{"reads of a branch while others are loaded", "interference_bench"};
    app.add_option("--scale", options.scale, "of pgbench")->capture_default_str();
    app.add_option("--transactions", options.transactions, "of pgbench")->capture_default_str();
    app.add_option("--rounds", options.rounds)->capture_default_str()->check(CLI::Range(1, 100));
    app.add_option("--seconds", options.seconds, "of each turn")->capture_default_str()->check(CLI::Range(1, 3600));
    app.add_option("--rate", options.rate, "reads of the parent a second")->capture_default_str()->check(CLI::Range(1, 100'000));
    app.add_option("--load-reads", options.load_reads, "pages a second of each loaded branch")
        ->capture_default_str()
        ->check(CLI::Range(1, 10'000));
    app.add_option("--load-wal", options.load_wal, "bytes of WAL a second of each loaded branch")->capture_default_str();
    return bough::bench::run_bench(app, argc, argv, [&] { bough::pageserver::run(options); });
}
