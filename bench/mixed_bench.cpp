// What ingest and compaction at full speed do to those who read: mixed_bench [--scale N] [--transactions N] [--rounds N] [--rate N]
//
// A stock server takes pgbench and is killed. A branch ingests its log, and random pages of its accounts are asked of the page service over
// its socket, so many a second, without a page cache. In turns: while nothing else goes on, and while the same log is ingested into one new
// branch after another as fast as it goes, which seals layers and compacts. The latency of a read counts from when it was due, so that
// one that is late makes those behind it late, too.
#include <atomic>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "bench/figures.hpp"
#include "pageserver/page_service/page_service.hpp"
#include "pageserver/redo/testing/pool_under_test.hpp"
#include "pageserver/testing/page_client.hpp"
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
        const std::string at = fmt::format("-h {} -U postgres postgres", server_.root().string());
        server_.start();
        server_.run("pgbench", fmt::format("-i -q -s {} {}", options.scale, at));
        server_.stop();
        testing::keep_as_initial(server_, initial);
        server_.start();
        const auto number = [&](const std::string& query) { return static_cast<std::uint32_t>(std::stoul(server_.sql(query))); };
        accounts_ = {{number("select oid from pg_tablespace where spcname = 'pg_default'"), number("select oid from pg_database where datname = 'postgres'"),
                      number("select pg_relation_filenode('pgbench_accounts')")},
                     pg::Fork::main};
        blocks_ = number("select pg_relation_size('pgbench_accounts') / 8192");
        server_.run("pgbench", fmt::format("-n -c 4 -t {} {}", options.transactions / 4, at));
        end_ = testing::end_of_log(server_);
        server_.stop("immediate");
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
        client_ = std::make_unique<PageClient>(address);
        if (!client_->hello(testing::kStockProject, "b1")) throw std::runtime_error("the page service refuses");
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

    std::vector<double> read() {
        std::vector<double> latencies;
        const auto begin = Clock::now();
        const auto interval = std::chrono::nanoseconds(1'000'000'000 / options_.rate);
        for (unsigned i = 0; i < options_.rate * options_.seconds; ++i) {
            const auto due = begin + i * interval;
            std::this_thread::sleep_until(due);
            client_->send(get_pages_frame(++id_, read_at_, true, 1, {accounts_, static_cast<std::uint32_t>(random_() % blocks_)}));
            const auto answer = client_->receive();
            if (!answer || answer->type != BOUGH_FRAME_PAGES) throw std::runtime_error(answer ? parse_error(*answer).message : "closed");
            latencies.push_back(seconds(Clock::now() - due) * 1e6);
        }
        return latencies;
    }

    const Options options_;
    pg::testing::StockServer server_;
    StoreResources resources_{StoreResources::Options{}};
    pg::RelationFork accounts_;
    std::uint32_t blocks_ = 0;
    Lsn end_, read_at_;
    LogPosition begin_;
    std::unique_ptr<Projects> projects_;
    std::shared_ptr<Project> project_;
    std::unique_ptr<testing::PoolUnderTest> pool_;
    std::unique_ptr<PooledRedo> redo_;
    PageReaderMetrics metrics_;
    std::unique_ptr<PageReader> reader_;
    std::unique_ptr<PageService> service_;
    std::unique_ptr<PageClient> client_;
    std::mt19937 random_{1};
    std::uint64_t id_ = 0, bytes_ingested_ = 0;
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
