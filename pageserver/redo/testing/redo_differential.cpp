// redo_differential SUITE_DIRECTORY: Postgres's own regression suite on a stock server, then every step of every page of its log
// by both redo engines, and the same for pgbench. Fails if any page differs. tests/slow/redo_differential runs it.
#include <cstdio>
#include <exception>
#include <string>

#include <fmt/format.h>

#include "pageserver/redo/testing/differential.hpp"
#include "pageserver/redo/testing/pool_under_test.hpp"
#include "pageserver/redo/testing/stock_history.hpp"

namespace bough::pageserver::testing {
namespace {

// True if no page differs.
bool compare(const char* name, const StockHistory& history, bool hint_bits_logged) {
    PoolUnderTest under_test(history.control_file());
    Differential differential(under_test.pool());
    differential.compare(history.pages(), hint_bits_logged);
    differential.compare(history.visibility_pages(), hint_bits_logged);
    const Differential::Count total = differential.total();
    fmt::print("{}: {} pages, {} visibility map pages\n{}", name, history.pages().size(), history.visibility_pages().size(),
               differential.report());
    for (const std::string& complaint : differential.complaints()) fmt::print("{}\n", complaint);
    fmt::print("{}: {} steps, {:.2f} % native and equal, {} left to stock, {} different\n", name,
               total.same + total.declined + total.different,
               100.0 * static_cast<double>(total.same) / static_cast<double>(total.same + total.declined + total.different),
               total.declined, total.different);
    return total.different == 0 && total.same > 0 && differential.complaints().empty();
}

bool run(const std::string& suite) {
    const StockHistory regression(
        {"", "", "",
         [&](pg::testing::StockServer& server) {
             fmt::print("{}", server.run("../lib/pgxs/src/test/regress/pg_regress",
                                         fmt::format("--inputdir={0}/input --outputdir={0}/output --bindir={1} "
                                                     "--dlpath={0}/modules --host={2} --user=postgres "
                                                     "--max-concurrent-tests=20 --schedule={0}/input/parallel_schedule",
                                                     suite, BOUGH_PG_BINDIR, server.root().string()),
                                         true));
         },
         false});
    bool good = compare("regression suite", regression, false);
    for (const bool checksums : {false, true}) {
        const StockHistory history({checksums ? "-k" : "", "", "",
                                    [&](pg::testing::StockServer& server) {
                                        const std::string at = fmt::format("-h {} -U postgres postgres", server.root().string());
                                        server.run("pgbench", "-i -q -s 5 --foreign-keys " + at);
                                        server.run("pgbench", "-n -c 4 -t 4000 " + at);
                                        server.sql(
                                            "vacuum; update pgbench_accounts set abalance = 0 where aid % 3 = 0; vacuum freeze");
                                        server.run("pgbench", "-n -N -c 4 -t 4000 " + at);
                                    },
                                    false});
        good = compare(checksums ? "pgbench, with checksums" : "pgbench", history, checksums) && good;
    }
    return good;
}

}  // namespace
}  // namespace bough::pageserver::testing

int main(int argc, char** argv) {
    if (argc != 2) {
        fmt::print(stderr, "usage: redo_differential SUITE_DIRECTORY\n");
        return 2;
    }
    try {
        return bough::pageserver::testing::run(argv[1]) ? 0 : 1;
    } catch (const std::exception& e) {
        fmt::print(stderr, "redo_differential: {}\n", e.what());
        return 1;
    }
}
