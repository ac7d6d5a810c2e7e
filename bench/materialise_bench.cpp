// How long it takes to make every page of a branch as of the end of its log, on two threads, beside stock Postgres's crash recovery
// of the same log in the same run. materialise_bench [--scale N] [--transactions N] [--rounds N]
//
// A stock server takes pgbench, full_page_writes off, and is killed. Its log is ingested into a branch once (not timed: another
// bench's matter). Then, in turns: recovery of a copy of its directory, as its log says (redo done ... elapsed, and processor time);
// and every block of every relation through PageReader, with chains as ingest left them (what was written back is thrown away
// between rounds, by opening a copy of the store). The pages are compared between rounds: each must make the same.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "bench/figures.hpp"
#include "base/crc32c.hpp"
#include "pageserver/branching/state.hpp"
#include "pageserver/redo/testing/pool_under_test.hpp"
#include "pageserver/testing/stock_branch.hpp"
#include "pg/testing/stock_server.hpp"

namespace bough::pageserver {
namespace {

namespace fs = std::filesystem;
using bench::Clock;
using bench::cpu_seconds;
using bench::median;
using bench::seconds;
using testing::must;

constexpr std::size_t kPagesPerRead = 64;
constexpr unsigned kThreads = 2;

struct Options {
    unsigned scale = 20;
    unsigned transactions = 100'000;
    unsigned rounds = 5;
};

struct Pass {
    double wall = 0, cpu = 0;
};

// Recovery of a copy of the killed server's directory, by the server's own account.
Pass recover(pg::testing::StockServer& server, const fs::path& killed) {
    const fs::path copy = server.root() / "recovered";
    fs::remove_all(copy);
    fs::copy(killed, copy, fs::copy_options::recursive);
    fs::permissions(copy, fs::perms::owner_all);
    const fs::path log = server.root() / "recovered.log";
    fs::remove(log);
    server.run("pg_ctl", fmt::format("start -w -t 3600 -D {} -l {} -o '-p 5999'", copy.string(), log.string()));
    server.run("pg_ctl", fmt::format("stop -w -m immediate -D {}", copy.string()));
    const std::string text = pg::testing::StockServer::read_file(log);
    const auto line = text.find("redo done at ");
    double user = 0, system = 0, elapsed = 0;
    if (line == std::string::npos ||
        std::sscanf(text.c_str() + line, "redo done at %*s system usage: CPU: user: %lf s, system: %lf s, elapsed: %lf s", &user, &system, &elapsed) != 3)
        throw std::runtime_error("no word of recovery in the log:\n" + text);
    return {elapsed, user + system};
}

struct Materialised {
    Pass pass;
    std::uint64_t pages = 0;
    std::uint32_t digest = 0;  // of all pages, whatever the order they were made in
};

Materialised materialise(const Branch& branch, PageReader& reader, const testing::PoolUnderTest& pool) {
    struct Piece {
        pg::RelationFork fork;
        std::uint32_t first;
        std::size_t pages;
    };
    std::vector<Piece> pieces;
    const Lsn at = branch.ingest_lsn();
    for (const auto& [fork, blocks] : must(read_forks(branch, at)))
        for (std::uint32_t block = 0; block < blocks; block += kPagesPerRead)
            pieces.push_back({fork, block, std::min<std::size_t>(kPagesPerRead, blocks - block)});

    std::atomic<std::size_t> next{0};
    std::atomic<std::uint32_t> digest{0};
    std::atomic<bool> failed{false};
    const double cpu = cpu_seconds();
    const double workers = pool.worker_cpu_seconds();
    const auto begin = Clock::now();
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < kThreads; t++)
        threads.emplace_back([&] {
            std::vector<std::byte> out(kPagesPerRead * pg::kPageBytes);
            for (std::size_t i = next++; i < pieces.size() && !failed; i = next++) {
                const auto bytes = std::span(out).first(pieces[i].pages * pg::kPageBytes);
                if (const auto read = reader.read(branch, pieces[i].fork, pieces[i].first, bytes, at); !read) {
                    fmt::print(stderr, "{}\n", read.error().to_string());
                    failed = true;
                }
                digest += crc32c(bytes) * static_cast<std::uint32_t>(2 * i + 1);
            }
        });
    for (std::thread& thread : threads) thread.join();
    if (failed) throw std::runtime_error("a page could not be made");
    Materialised done;
    done.pass = {seconds(Clock::now() - begin), cpu_seconds() - cpu + pool.worker_cpu_seconds() - workers};
    for (const Piece& piece : pieces) done.pages += piece.pages;
    done.digest = digest;
    return done;
}

void run(const Options& options) {
    pg::testing::StockServer server(bench::kLoggingServer);
    const fs::path initial = server.root() / "initial", killed = server.root() / "killed", data = server.root() / "pageserver";
    testing::keep_as_initial(server, initial);
    server.start();
    const std::string at = fmt::format("-h {} -U postgres postgres", server.root().string());
    server.run("pgbench", fmt::format("-i -q -s {} {}", options.scale, at));
    server.run("pgbench", fmt::format("-n -c 4 -t {} {}", options.transactions / 4, at));
    const Lsn end = testing::end_of_log(server);
    server.stop("immediate");
    fs::copy(server.data(), killed, fs::copy_options::recursive);

    StoreResources resources(StoreResources::Options{});
    testing::make_stock_branch(initial, killed, end, data, resources);
    const auto control = testing::control_file_of(initial);

    std::vector<double> stock_wall, stock_cpu;
    struct Engine {
        const char* name;
        RedoEngine engine;
        std::vector<double> wall, cpu;
    };
    std::vector<Engine> engines = {{"stock", RedoEngine::stock, {}, {}}, {"both", RedoEngine::both, {}, {}}};
    std::uint32_t digest = 0;
    std::uint64_t pages = 0;
    for (unsigned round = 0; round < options.rounds; round++) {
        const Pass stock = recover(server, killed);
        stock_wall.push_back(stock.wall);
        stock_cpu.push_back(stock.cpu);
        for (Engine& engine : engines) {
            const fs::path copy = server.root() / "copy";
            fs::remove_all(copy);
            fs::copy(data, copy, fs::copy_options::recursive);
            const auto projects = must(Projects::open(copy, resources));
            const auto branch = testing::stock_branch(*projects);
            testing::PoolUnderTest pool(control, [&](RedoPoolOptions& o) { o.engine = engine.engine; });
            PooledRedo redo(pool.pool());
            PageReaderMetrics metrics;
            PageReader reader(redo, metrics);
            const Materialised made = materialise(*branch, reader, pool);
            engine.wall.push_back(made.pass.wall);
            engine.cpu.push_back(made.pass.cpu);
            if (digest != 0 && digest != made.digest) throw std::runtime_error("the engines make different pages");
            digest = made.digest;
            pages = made.pages;
        }
    }

    fmt::print("{} pages; medians of {} interleaved rounds\n", pages, options.rounds);
    fmt::print("stock crash recovery: {:.2f} s, {:.2f} s of processor time\n", median(stock_wall), median(stock_cpu));
    for (const Engine& engine : engines)
        fmt::print(
            "every page, {} threads, redo engine {}: {:.2f} s, {:.2f} s of processor time, {:.2f}x as fast (must 1x, aim 3x)\n",
            kThreads, engine.name, median(engine.wall), median(engine.cpu), median(stock_wall) / median(engine.wall));
}

}  // namespace
}  // namespace bough::pageserver

int main(int argc, char** argv) {
    bough::pageserver::Options options;
    CLI::App app{"every page at the end of a log, beside stock crash recovery", "materialise_bench"};
    app.add_option("--scale", options.scale, "of pgbench")->capture_default_str();
    app.add_option("--transactions", options.transactions, "of pgbench")->capture_default_str();
    app.add_option("--rounds", options.rounds)->capture_default_str()->check(CLI::Range(1, 100));
    return bough::bench::run_bench(app, argc, argv, [&] { bough::pageserver::run(options); });
}
