// What ingest and compaction at full speed do to those who read: mixed_bench [--scale N] [--transactions N] [--rounds N] [--rate N]
//
// A stock server takes pgbench and is killed. A branch ingests its log, and random pages of its accounts are asked of the page service over
// its socket, so many a second, without a page cache. In turns: while nothing else goes on, and while the same log is ingested into one new
// branch after another as fast as it goes, which seals layers and compacts. The latency of a read counts from when it was due, so that
// one that is late makes those behind it late, too.
#include <atomic>
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

struct Options {
    unsigned scale = 10;
    unsigned transactions = 100'000;
    unsigned rounds = 5;
    unsigned seconds = 5;  // of each turn
    unsigned rate = 500;   // reads a second
};

class Bench {
public:
    explicit Bench(const Options& options) : options_(options), server_(bench::kLoggingServer) {
        const fs::path initial = server_.root() / "initial", data = server_.root() / "pageserver";
        const bench::PgbenchLog log = bench::make_pgbench_log(server_, initial, options.scale, options.transactions);
        end_ = log.end;
        testing::import_stock_cluster(initial, data, resources_);

        projects_ = must(Projects::open(data, resources_));
        project_ = must(projects_->project(*ProjectId::parse(testing::kStockProject)));
        pool_ = std::make_unique<testing::PoolUnderTest>(testing::control_file_of(initial), [](RedoPoolOptions& o) { o.engine = RedoEngine::both; });
        redo_ = std::make_unique<PooledRedo>(pool_->pool());
        reader_ = std::make_unique<PageReader>(*redo_, metrics_);
        begin_ = testing::stock_branch(*projects_)->ingested();
        read_at_ = ingest_another()->ingest_lsn();
        net::Address address;
        address.unix_path = (server_.root() / "pages.sock").string();
        PageServiceOptions service;
        service.listen.push_back(address);
        service.threads = 2;
        service_ = must(PageService::start(std::move(service), *projects_, *reader_));
        reads_ = std::make_unique<bench::RandomReads>(address, testing::kStockProject, "b1", log.accounts, 1);
    }

    // Latencies in microseconds.
    std::vector<double> quiet() { return read(); }

    std::vector<double> beside_ingest() {
        std::atomic<bool> stop{false};
        const auto begin = Clock::now();
        const auto before = bytes_ingested_;
        std::thread ingest([&] {
            while (!stop) ingest_another();
        });
        auto latencies = read();
        stop = true;
        ingest.join();
        ingest_seconds_ += seconds(Clock::now() - begin);
        megabytes_beside_ += static_cast<double>(bytes_ingested_ - before) / 1e6;
        return latencies;
    }

    double ingest_rate() const { return megabytes_beside_ / ingest_seconds_; }
    StoreResources::Counts counts() const { return resources_.counts(); }

private:
    std::shared_ptr<Branch> ingest_another() {
        const auto branch = must(project_->create_branch(*BranchId::parse("b" + std::to_string(++branches_)), *BranchId::parse(testing::kStockBranch), begin_));
        testing::ingest_stock_log(*branch, *reader_, server_.data() / "pg_wal", end_);
        bytes_ingested_ += branch->ingest_lsn().value - begin_.lsn.value;
        return branch;
    }

    std::vector<double> read() { return reads_->paced(read_at_, options_.rate, options_.seconds); }

    const Options options_;
    pg::testing::StockServer server_;
    StoreResources resources_{StoreResources::Options{}};
    Lsn end_, read_at_;
    LogPosition begin_;
    std::unique_ptr<Projects> projects_;
    std::shared_ptr<Project> project_;
    std::unique_ptr<testing::PoolUnderTest> pool_;
    std::unique_ptr<PooledRedo> redo_;
    PageReaderMetrics metrics_;
    std::unique_ptr<PageReader> reader_;
    std::unique_ptr<PageService> service_;
    std::unique_ptr<bench::RandomReads> reads_;
    std::uint64_t bytes_ingested_ = 0;
    unsigned branches_ = 0;
    double ingest_seconds_ = 0, megabytes_beside_ = 0;
};

void run(const Options& options) {
    Bench bench(options);
    constexpr double kQuantiles[] = {0.5, 0.99, 0.999};
    std::vector<double> quiet[3], beside[3];
    const auto add = [&](std::vector<double>* to, const std::vector<double>& latencies) {
        for (int i = 0; i < 3; ++i) to[i].push_back(quantile(latencies, kQuantiles[i]));
    };
    for (unsigned round = 0; round < options.rounds; ++round) {
        add(quiet, bench.quiet());
        add(beside, bench.beside_ingest());
    }
    fmt::print("{} reads a second; medians of {} interleaved turns of {} s; ingest took {:.0f} MB of WAL a second beside them and sealed {} layers\n",
               options.rate, options.rounds, options.seconds, bench.ingest_rate(), bench.counts().layers_sealed);
    fmt::print("{:>8} {:>12} {:>16}\n", "", "quiet us", "with ingest us");
    const char* const names[] = {"p50", "p99", "p99.9"};
    for (int i = 0; i < 3; ++i) {
        const double before = quantile(quiet[i], 0.5), during = quantile(beside[i], 0.5);
        fmt::print("{:>8} {:>12.0f} {:>16.0f} {:>8.2f}x{}\n", names[i], before, during, during / before, i == 2 ? " (aim: 3x at most)" : "");
    }
}

}  // namespace
}  // namespace bough::pageserver

int main(int argc, char** argv) {
    bough::pageserver::Options options;
    CLI::App app{"reads while ingest goes at full speed", "mixed_bench"};
    app.add_option("--scale", options.scale, "of pgbench")->capture_default_str();
    app.add_option("--transactions", options.transactions, "of pgbench")->capture_default_str();
    app.add_option("--rounds", options.rounds)->capture_default_str()->check(CLI::Range(1, 100));
    app.add_option("--seconds", options.seconds, "of each turn")->capture_default_str()->check(CLI::Range(1, 3600));
    app.add_option("--rate", options.rate, "reads a second")->capture_default_str()->check(CLI::Range(1, 100'000));
    return bough::bench::run_bench(app, argc, argv, [&] { bough::pageserver::run(options); });
}
