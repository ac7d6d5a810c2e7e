// What single pages cost, by their history: getpage_bench [--pages N] [--requests N] [--rounds N] [--only KIND]
//
// A stock server changes tables and indexes, with full_page_writes off, so that their pages get histories of a known kind; Bough imports
// what there was before and ingests the log. Then random pages of each kind are asked of the page service over its socket, one request in
// flight and sixteen, without a page cache; with pages made by native redo where there is any, and by stock Postgres's own redo only.
// Server time is that of all threads but the client's, and of the redo workers: kernel and socket included; compactions end before. Beside it,
// in the same rounds: copying a page in memory, RocksDB's Get of a page, and a message and a page back and forth between two threads with
// nothing in between.
#include <algorithm>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/perf_level.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/figures.hpp"
#include "bench/page_reads.hpp"
#include "files/files.hpp"
#include "pageserver/page_service/page_service.hpp"
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

constexpr std::size_t kInFlight = 16;
constexpr std::size_t kRequestBytes = sizeof(BoughFrameHeader) + sizeof(BoughGetPages);
constexpr std::size_t kReplyBytes = sizeof(BoughFrameHeader) + sizeof(BoughPages) + pg::kPageBytes;

struct Options {
    unsigned pages = 4000;     // of each kind
    unsigned requests = 4000;  // of each kind and round
    unsigned rounds = 5;
    std::string only;  // of the kinds' names; empty: all
};

// Pages of one kind.
struct Kind {
    const char* name;
    const char* relation;
    double aim;  // pages a second and core; 0: none
    std::uint32_t first_block = 0;
    bench::Pages pages = {};
};

// A row on each page is updated, `times` times, in statements of one transaction.
std::string updates(const std::string& table, unsigned times) {
    std::string sql;
    for (unsigned i = 0; i < times; ++i) sql += fmt::format("update {} set n = n + 1 where id % 20 = {};", table, i % 20);
    return sql;
}

// Tables as they are imported, then what is done to them after.
void make_tables(pg::testing::StockServer& server, unsigned pages) {
    // Some twenty rows to a page, which leaves room for its updates to stay on it.
    server.sql(
        fmt::format("create table images (id int, n int, pad char(200)) with (fillfactor = 60);"
                    "insert into images select i, 0, i::text from generate_series(1, {0} * 20) i;"
                    "create table heap10 (id int, n int, pad char(200)) with (fillfactor = 60);"
                    "insert into heap10 select i, 0, i::text from generate_series(1, {0} * 20) i;"
                    "alter table heap10 set (fillfactor = 100);"
                    "create table heap100 (id int, n int) with (fillfactor = 10);"
                    "insert into heap100 select i, 0 from generate_series(1, {0} * 20) i;"
                    "alter table heap100 set (fillfactor = 100);"
                    "create table keys (k double precision);"
                    "insert into keys select random() from generate_series(1, {0} * 250) i;"
                    "create index btree10 on keys (k) with (fillfactor = 70);"
                    "create table more_keys (k double precision);"
                    "insert into more_keys select random() from generate_series(1, {0} * 10) i;"
                    "create table keys_too (k double precision);"
                    "insert into keys_too select random() from generate_series(1, {0} * 130) i;"
                    "create index btree100 on keys_too (k) with (fillfactor = 35);",
                    pages));
}

void change_tables(pg::testing::StockServer& server, unsigned pages) {
    server.sql(updates("heap10", 10));
    server.sql(updates("heap100", 100));
    server.sql("insert into keys select k from more_keys");
    server.sql(fmt::format("insert into keys_too select random() from generate_series(1, {} * 100) i", pages));
}

struct Cost {
    std::vector<double> server_us, request_us, p99_us;  // a page; of each round
    double records = 0;                                 // applied to a page

    void print(const std::string& name, double aim) const {
        const double each = median(server_us);
        fmt::print("{:<44} {:>9.2f} {:>10.0f} {:>9.1f} {:>9.1f} {:>8.1f}", name, each, 1e6 / each, median(request_us),
                   median(p99_us), records);
        if (aim > 0) fmt::print("   {:.2f}x of {:.0f} k/s", 1e6 / each / aim, aim / 1000);
        fmt::print("\n");
    }
};

// Times `step(i)` for i in [0, count), each of which is so many pages; `others` is processor time that is not the caller's.
template <class Others, class Step>
void measure(Cost& cost, unsigned count, std::size_t pages_each, const Others& others, const Step& step) {
    std::vector<double> each(count);
    const double before = others();
    for (unsigned i = 0; i < count; ++i) {
        const auto begin = Clock::now();
        step(i);
        each[i] = seconds(Clock::now() - begin) * 1e6;
    }
    cost.server_us.push_back((others() - before) * 1e6 / count / static_cast<double>(pages_each));
    std::ranges::sort(each);
    cost.request_us.push_back(each[each.size() / 2]);
    cost.p99_us.push_back(each[each.size() * 99 / 100]);
}

double others_than_this_thread() { return cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_seconds(CLOCK_THREAD_CPUTIME_ID); }

class Service {
public:
    Service(const fs::path& data, const fs::path& socket, const std::vector<std::byte>& control, RedoEngine engine,
            std::size_t cache_bytes)
        : resources_(StoreResources::Options{}),
          projects_(must(Projects::open(data, resources_))),
          pool_(control, [&](RedoPoolOptions& o) { o.engine = engine; }),
          redo_(pool_.pool()),
          reader_(redo_, metrics_, cache_bytes) {
        address_.unix_path = socket;
        PageServiceOptions options;
        options.listen.push_back(address_);
        options.threads = 2;
        service_ = must(PageService::start(std::move(options), *projects_, reader_));
        client_ = std::make_unique<PageClient>(address_);
        if (!client_->hello(testing::kStockProject, testing::kStockBranch)) throw std::runtime_error("the page service refuses");
        lsn_ = testing::stock_branch(*projects_)->ingest_lsn();
    }

    // Until compactions that its opening, or what was written back, began have ended, and workers have started: what pages cost is asked.
    void settle() const {
        const auto used = [&] { return others_than_this_thread() + pool_.worker_cpu_seconds(); };
        double before = used();
        for (int looks = 0; looks < 3000; ++looks) {
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            const double now = used();
            if (now - before < 0.001) return;
            before = now;
        }
        throw std::runtime_error("the store was not at rest after a minute");
    }

    // Reads what the store has of the pages, and makes nothing of it.
    void warm(const Kind& kind) {
        const auto branch = testing::stock_branch(*projects_);
        Cursor cursor = branch->store().cursor();
        for (std::uint32_t block = kind.pages.first_block; block < kind.pages.blocks; ++block)
            for (bool found = must(cursor.seek(branch->number(), ObjectKey::page({kind.pages.fork, block}), lsn_)); found;)
                found = must(cursor.next_older());
    }

    void round(Cost& cost, const Kind& kind, unsigned requests, std::size_t in_flight, std::mt19937& random) {
        const auto applied = metrics_.records_applied.load();
        const unsigned count = requests / static_cast<unsigned>(in_flight);
        settle();
        measure(
            cost, count, in_flight, [&] { return others_than_this_thread() + pool_.worker_cpu_seconds(); },
            [&](unsigned) {
                std::string bytes;
                for (std::size_t i = 0; i < in_flight; ++i)
                    bytes += get_pages_frame(
                        ++id_, lsn_, true, 1,
                        {kind.pages.fork, kind.pages.random_block(random)});
                client_->send(bytes);
                for (std::size_t i = 0; i < in_flight; ++i) {
                    const auto answer = client_->receive();
                    if (!answer || answer->type != BOUGH_FRAME_PAGES)
                        throw std::runtime_error(answer ? parse_error(*answer).message : "closed");
                }
            });
        cost.records = static_cast<double>(metrics_.records_applied.load() - applied) / (count * static_cast<double>(in_flight));
    }

private:
    StoreResources resources_;
    std::unique_ptr<Projects> projects_;
    testing::PoolUnderTest pool_;
    PooledRedo redo_;
    PageReaderMetrics metrics_;
    PageReader reader_;
    net::Address address_;
    std::unique_ptr<PageService> service_;
    std::unique_ptr<PageClient> client_;
    Lsn lsn_;
    std::uint64_t id_ = 0;
};

// --- peers: what no page server could be faster than, or need not be

void read_exactly(int fd, char* to, std::size_t count) {
    for (std::size_t done = 0; done < count;) {
        const ssize_t got = receive_some(fd, to + done, count - done);
        if (got <= 0) throw std::runtime_error("the socket was closed");
        done += static_cast<std::size_t>(got);
    }
}

void raw_socket(Cost& cost, unsigned requests, std::size_t in_flight) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) throw std::runtime_error("no socket pair");
    std::thread server([&] {
        std::string request(kRequestBytes * in_flight, '\0'), reply(kReplyBytes, 'r');
        for (unsigned i = 0; i < requests / in_flight; ++i) {
            read_exactly(ends[1], request.data(), request.size());
            for (std::size_t j = 0; j < in_flight; ++j)
                if (::send(ends[1], reply.data(), reply.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(reply.size())) return;
        }
    });
    std::string request(kRequestBytes * in_flight, 'q'), reply(kReplyBytes, '\0');
    measure(cost, requests / static_cast<unsigned>(in_flight), in_flight, others_than_this_thread, [&](unsigned) {
        if (::send(ends[0], request.data(), request.size(), MSG_NOSIGNAL) < 0) throw std::runtime_error("send failed");
        for (std::size_t j = 0; j < in_flight; ++j) read_exactly(ends[0], reply.data(), reply.size());
    });
    server.join();
    ::close(ends[0]);
    ::close(ends[1]);
}

double this_thread() { return cpu_seconds(CLOCK_THREAD_CPUTIME_ID); }

class Copies {
public:
    explicit Copies(unsigned pages) : from_(std::size_t{pages} * pg::kPageBytes, 'p') {}
    void round(Cost& cost, unsigned requests, std::mt19937& random) {
        measure(cost, requests, 1, this_thread, [&](unsigned) {
            const std::size_t at = random() % (from_.size() / pg::kPageBytes) * pg::kPageBytes;
            std::copy_n(from_.data() + at, pg::kPageBytes, to_.data());
            asm volatile("" : : "r"(to_.data()) : "memory");  // as if somebody looked
        });
    }

private:
    std::string from_, to_ = std::string(pg::kPageBytes, '\0');
};

// RocksDB as it comes, with the pages of a relation's file.
class RocksPages {
public:
    RocksPages(const fs::path& directory, const std::string& pages) : count_(pages.size() / pg::kPageBytes) {
        rocksdb::Options options;
        options.create_if_missing = true;
        rocksdb::DB* db = nullptr;
        check(rocksdb::DB::Open(options, directory, &db));
        db_.reset(db);
        for (std::size_t i = 0; i < count_; ++i) check(db_->Put({}, key(i), {pages.data() + i * pg::kPageBytes, pg::kPageBytes}));
        check(db_->CompactRange({}, nullptr, nullptr));
    }
    void round(Cost& cost, unsigned requests, std::mt19937& random) {
        rocksdb::SetPerfLevel(rocksdb::PerfLevel::kEnableCount);  // as it comes: a cursor of ours has turned it off for this thread
        measure(cost, requests, 1, this_thread, [&](unsigned) {
            rocksdb::PinnableSlice page;
            check(db_->Get({}, db_->DefaultColumnFamily(), key(random() % count_), &page));
        });
    }

private:
    static std::string key(std::size_t i) { return fmt::format("{:024}", i); }
    static void check(const rocksdb::Status& status) {
        if (!status.ok()) throw std::runtime_error(status.ToString());
    }
    std::size_t count_;
    std::unique_ptr<rocksdb::DB> db_;
};

void run(const Options& options) {
    pg::testing::StockServer server(bench::kLoggingServer);
    const fs::path initial = server.root() / "initial", killed = server.root() / "killed", data = server.root() / "pageserver";
    server.start();
    make_tables(server, options.pages);
    server.stop();
    testing::keep_as_initial(server, initial);
    server.start();
    std::vector<Kind> kinds = {{"images", "images", 120'000},
                               {"heap, ten records", "heap10", 50'000},
                               {"btree, ten records", "btree10", 50'000, 1},
                               {"heap, a hundred records", "heap100", 15'000},
                               {"btree, a hundred records", "btree100", 15'000, 1}};
    if (!options.only.empty() && std::ranges::none_of(kinds, [&](const Kind& kind) { return options.only == kind.name; }))
        throw std::runtime_error("there is no kind \"" + options.only + "\"; the kinds are named in the rows that are printed");
    for (Kind& kind : kinds) kind.pages = bench::pages_of(server, kind.relation, kind.first_block);
    std::string path = server.sql("select pg_relation_filepath('images')");
    path.erase(path.find('\n'));
    const std::string images = must(files::read(initial / path));
    change_tables(server, options.pages);
    const Lsn end = testing::end_of_log(server);
    server.stop("immediate");
    fs::copy(server.data(), killed, fs::copy_options::recursive);
    {
        StoreResources resources(StoreResources::Options{});
        testing::make_stock_branch(initial, killed, end, data, resources);
    }

    const auto control = testing::control_file_of(initial);
    std::map<std::string, Cost> costs;
    std::vector<std::pair<std::string, double>> rows;
    const auto cost = [&](const std::string& name, double aim = 0) -> Cost& {
        if (!costs.contains(name)) rows.emplace_back(name, aim);
        return costs[name];
    };
    RocksPages rocks(server.root() / "rocksdb", images);
    Copies copies(options.pages * static_cast<unsigned>(kinds.size()));
    for (unsigned round = 0; round < options.rounds; ++round) {
        std::mt19937 random(round);
        copies.round(cost("copying a page in memory"), options.requests, random);
        rocks.round(cost("RocksDB Get of a page"), options.requests, random);
        raw_socket(cost("a bare socket, 1 in flight"), options.requests, 1);
        raw_socket(cost("a bare socket, 16 in flight"), options.requests, kInFlight);
        // Chains that are written back as images shorten; each service reads the store as ingest left it.
        const fs::path copy = server.root() / "copy";
        for (const auto& [engine, engine_name] : {std::pair{RedoEngine::both, ""}, {RedoEngine::stock, ", stock redo"}}) {
            fs::remove_all(copy);
            fs::copy(data, copy, fs::copy_options::recursive);
            Service service(copy, server.root() / "pages.sock", control, engine, 0);
            for (const Kind& kind : kinds) {
                const bool plain = kind.relation == std::string("images");
                if (engine == RedoEngine::stock && plain) continue;
                if (!options.only.empty() && options.only != kind.name) continue;
                if (plain)
                    service.round(cost("images, not read before, 16 in flight"), kind, options.requests / 2, kInFlight, random);
                service.warm(kind);
                for (const std::size_t in_flight : {std::size_t{1}, kInFlight})
                    service.round(cost(fmt::format("{}{}, {} in flight", kind.name, engine_name, in_flight),
                                       engine == RedoEngine::both ? kind.aim : 0),
                                  kind, options.requests, in_flight, random);
            }
        }
        Service caching(copy, server.root() / "pages.sock", control, RedoEngine::both,
                        std::size_t{2} * options.pages * pg::kPageBytes);
        Cost filling;
        caching.round(filling, kinds.front(), 16 * options.pages, kInFlight, random);
        for (const std::size_t in_flight : {std::size_t{1}, kInFlight})
            caching.round(cost(fmt::format("images in the page cache, {} in flight", in_flight), kinds.front().aim),
                          kinds.front(), options.requests, in_flight, random);
    }
    fmt::print("{} pages of each kind, {} random ones a round, medians of {} rounds; an aim is of pages a second and core\n",
               options.pages, options.requests, options.rounds);
    fmt::print("{:<44} {:>9} {:>10} {:>9} {:>9} {:>8}\n", "", "server us", "pages/s", "p50 us", "p99 us", "records");
    for (const auto& [name, aim] : rows) costs[name].print(name, aim);
}

}  // namespace
}  // namespace bough::pageserver

int main(int argc, char** argv) {
    bough::pageserver::Options options;
    CLI::App app{"what single pages cost, by their history", "getpage_bench"};
    app.add_option("--pages", options.pages, "of each kind")->capture_default_str()->check(CLI::Range(100, 1'000'000));
    app.add_option("--requests", options.requests, "of each kind and round")
        ->capture_default_str()
        ->check(CLI::Range(100, 10'000'000));
    app.add_option("--only", options.only, "one kind, by its name, and the page cache");
    app.add_option("--rounds", options.rounds)->capture_default_str()->check(CLI::Range(1, 100));
    return bough::bench::run_bench(app, argc, argv, [&] { bough::pageserver::run(options); });
}
