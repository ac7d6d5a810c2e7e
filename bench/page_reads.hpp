// What benches of the page service have in common: a stock server's log of pgbench, and reads of a relation's random pages.
#pragma once

#include <cstdint>
#include <filesystem>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "bench/figures.hpp"
#include "pageserver/testing/page_client.hpp"
#include "pageserver/testing/stock_branch.hpp"
#include "pg/testing/stock_server.hpp"

namespace bough::bench {

// Pages that can be asked for: a relation's main fork, of so many blocks, of which the first is left out when it is a metapage.
struct Pages {
    pg::RelationFork fork;
    std::uint32_t blocks = 0;
    std::uint32_t first_block = 0;

    std::uint32_t random_block(std::mt19937& random) const {
        return first_block + static_cast<std::uint32_t>(random() % (blocks - first_block));
    }
};

// Of a relation in the server's database "postgres".
inline Pages pages_of(pg::testing::StockServer& server, const std::string& relation, std::uint32_t first_block = 0) {
    const auto number = [&](const std::string& query) { return static_cast<std::uint32_t>(std::stoul(server.sql(query))); };
    return {{{number("select oid from pg_tablespace where spcname = 'pg_default'"),
              number("select oid from pg_database where datname = 'postgres'"),
              number(fmt::format("select pg_relation_filenode('{}')", relation))},
             pg::Fork::main},
            number(fmt::format("select pg_relation_size('{}') / 8192", relation)),
            first_block};
}

// pgbench_accounts as they are at the log's end.
struct PgbenchLog {
    Pages accounts;
    Lsn end;
};
// Leaves the server killed, with pgbench's tables in `initial` (testing::keep_as_initial()) and its transactions in the log after that.
inline PgbenchLog make_pgbench_log(pg::testing::StockServer& server, const std::filesystem::path& initial, unsigned scale,
                                   unsigned transactions) {
    const std::string at = fmt::format("-h {} -U postgres postgres", server.root().string());
    server.start();
    server.run("pgbench", fmt::format("-i -q -s {} {}", scale, at));
    server.stop();
    pageserver::testing::keep_as_initial(server, initial);
    server.start();
    PgbenchLog log{pages_of(server, "pgbench_accounts"), {}};
    server.run("pgbench", fmt::format("-n -c 4 -t {} {}", transactions / 4, at));
    log.end = pageserver::testing::end_of_log(server);
    server.stop("immediate");
    return log;
}

// A client of the page service that asks for random pages, one by one. Throws what goes wrong.
class RandomReads {
public:
    RandomReads(const net::Address& service, const std::string& project, const std::string& branch, const Pages& pages, unsigned seed)
        : client_(service), pages_(pages), random_(seed) {
        if (!client_.hello(project, branch)) throw std::runtime_error("the page service refuses " + project + "/" + branch);
    }

    void read(Lsn at) {
        client_.send(pageserver::get_pages_frame(++id_, at, true, 1, {pages_.fork, pages_.random_block(random_)}));
        const auto answer = client_.receive();
        if (!answer || answer->type != BOUGH_FRAME_PAGES)
            throw std::runtime_error(answer ? pageserver::parse_error(*answer).message : "closed");
    }

    // So many a second, for so many seconds. Latencies in microseconds, from when each was due, so that one that is late makes those
    // behind it late, too.
    std::vector<double> paced(Lsn at, unsigned rate, unsigned for_seconds) {
        std::vector<double> latencies;
        const auto begin = Clock::now();
        const auto interval = std::chrono::nanoseconds(1'000'000'000 / rate);
        for (unsigned i = 0; i < rate * for_seconds; ++i) {
            const auto due = begin + i * interval;
            std::this_thread::sleep_until(due);
            read(at);
            latencies.push_back(seconds(Clock::now() - due) * 1e6);
        }
        return latencies;
    }

private:
    pageserver::PageClient client_;
    Pages pages_;
    std::mt19937 random_;
    std::uint64_t id_ = 0;
};

}  // namespace bough::bench
