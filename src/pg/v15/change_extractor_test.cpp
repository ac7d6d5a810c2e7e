// Extraction against a stock server: what the WAL of a workload tells must be what the server left on disk.
#include "pg/v15/change_extractor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pg/bytes.hpp"
#include "pg/page_header.hpp"
#include "pg/testing/model_sink.hpp"
#include "pg/testing/stock_server.hpp"
#include "pg/v15/control_file.hpp"
#include "pg/visibility_map.hpp"
#include "pg/wal_segment.hpp"
#include "pg/wal_stream.hpp"

namespace bough::pg::v15 {
namespace {

namespace fs = std::filesystem;
using testing::ModelSink;
using testing::ModelState;
using testing::PageBytes;
using testing::StockServer;

ControlFile control_file(const StockServer& server) {
    return *ControlFile::parse(as_bytes(StockServer::read_file(server.data() / "global/pg_control")));
}

// A server, the state it was in before the workload, and what was extracted from the workload's WAL.
class Scenario {
public:
    Scenario(std::string_view settings, std::string_view initdb_options)
        : server(std::string("wal_level = logical\nmax_wal_size = 2GB\nautovacuum = off\nmax_prepared_transactions = 10\n"
                             "wal_keep_size = 4GB\nmax_replication_slots = 10\n") +
                     std::string(settings),
                 initdb_options) {
        server.make_directory(server.root() / "space");
        before = ModelState::load(server.data());
        begin = control_file(server);
    }

    // Stops the server and reads all it logged since it was made.
    void extract() {
        server.stop();
        const ControlFile control = control_file(server);
        const std::uint32_t segment_bytes = begin.wal_segment_bytes();
        sink = std::make_unique<ModelSink>(before);
        sink->last_counters = begin.counters();
        sink->last_parameters = begin.parameters();
        ChangeExtractor extractor(begin.counters(), begin.parameters());
        WalStream stream({segment_bytes, begin.system_id()}, begin.checkpoint_lsn());
        for (Lsn at = begin.checkpoint_lsn(); stream.last_record_start() != control.checkpoint_lsn();) {
            const SegmentNumber segment = segment_of(at, segment_bytes);
            const auto bytes = server.wal(wal_segment_name(segment, segment_bytes));
            ASSERT_EQ(bytes.size(), segment_bytes) << wal_segment_name(segment, segment_bytes);
            stream.feed(std::span(bytes).subspan(at - segment_begin(segment, segment_bytes)));
            at = segment_begin({segment.value + 1}, segment_bytes);
            while (stream.last_record_start() != control.checkpoint_lsn()) {
                const auto record = stream.next();
                ASSERT_TRUE(record) << record.error().to_string();
                if (!*record) break;
                records.push_back((*record)->start);
                const auto done = extractor.extract(**record, *sink);
                ASSERT_TRUE(done) << done.error().to_string();
            }
        }
        EXPECT_EQ(extractor.counters(), sink->last_counters);
        EXPECT_EQ(extractor.counters(), control.counters());
        EXPECT_EQ(extractor.parameters(), control.parameters());
        after = ModelState::load(server.data());
    }

    void expect_same_small_files() const {
        EXPECT_EQ(sink->state.relation_maps, after.relation_maps);
        EXPECT_EQ(sink->state.databases, after.databases);
        EXPECT_EQ(sink->state.tablespaces, after.tablespaces);
        EXPECT_EQ(sink->state.two_phase, after.two_phase);
    }

    void expect_same_slrus() const {
        for (const auto& [key, page] : after.slru) {
            const auto ours = sink->state.slru.find(key);
            const bool is_zero = page == PageBytes{};
            if (ours == sink->state.slru.end()) {
                EXPECT_TRUE(is_zero) << "slru " << static_cast<int>(key.first) << " lacks page " << key.second;
                continue;
            }
            EXPECT_TRUE(page == ours->second) << "slru " << static_cast<int>(key.first) << " page " << key.second
                                              << " differs at " << std::ranges::mismatch(page, ours->second).in1 - page.begin();
        }
        for (const auto& [key, page] : sink->state.slru)
            EXPECT_TRUE(after.slru.contains(key))
                << "slru " << static_cast<int>(key.first) << " has page " << key.second << " too much";
    }

    // Unlogged relations have all but their init forks outside the log.
    bool logged(const RelationFork& fork) const {
        return fork.fork == Fork::init || !after.lengths.contains({fork.relation, Fork::init});
    }

    void expect_same_relations() const {
        std::size_t compared = 0;
        for (const auto& [fork, length] : after.lengths) {
            if (fork.fork == Fork::free_space || fork.fork == Fork::visibility || !logged(fork)) continue;
            const auto ours = sink->state.lengths.find(fork);
            ASSERT_TRUE(ours != sink->state.lengths.end()) << describe(fork);
            // A server may extend a relation by empty pages without a word in the log.
            EXPECT_LE(ours->second, length) << describe(fork);
            EXPECT_LE(length - ours->second, 600u) << describe(fork);
            ++compared;
        }
        for (const auto& [fork, length] : sink->state.lengths)
            EXPECT_TRUE(fork.fork == Fork::visibility || fork.fork == Fork::free_space || after.lengths.contains(fork))
                << describe(fork);
        EXPECT_GT(compared, 600u);
    }

    // Returns how many map pages have bits set.
    std::size_t expect_same_visibility_maps() const {
        std::size_t with_bits = 0;
        for (const auto& [tag, page] : after.visibility) {
            if (!logged(tag.fork)) continue;
            const auto content = std::span(page).subspan(kPageContentsOffset);
            const bool empty = std::ranges::all_of(content, [](std::byte b) { return b == std::byte{0}; });
            if (!empty) ++with_bits;
            const auto ours = sink->state.visibility.find(tag);
            if (ours == sink->state.visibility.end()) {
                EXPECT_TRUE(empty) << describe(tag.fork);
                continue;
            }
            const auto our_content = std::span(ours->second).subspan(kPageContentsOffset);
            EXPECT_TRUE(std::ranges::equal(content, our_content)) << describe(tag.fork) << " map page " << tag.block;
            EXPECT_TRUE(empty || page_lsn(page) == page_lsn(ours->second)) << describe(tag.fork) << " map page " << tag.block;
        }
        for (const auto& [tag, page] : sink->state.visibility) EXPECT_TRUE(after.visibility.contains(tag)) << describe(tag.fork);
        return with_bits;
    }

    // A page that nothing changed after its image was logged is that image.
    std::size_t expect_same_images(std::string_view database, std::string_view relation) {
        server.start();
        const std::string path = server.sql("select pg_relation_filepath('" + std::string(relation) + "')", database);
        const std::string file = StockServer::read_file(server.data() / path.substr(0, path.size() - 1));
        server.stop();
        std::size_t same = 0;
        for (const auto& [tag, image] : sink->images) {
            if (!path.ends_with("/" + std::to_string(tag.fork.relation.number) + "\n")) continue;
            const auto* bytes = reinterpret_cast<const std::byte*>(file.data()) + std::size_t{tag.block} * kPageBytes;
            if (load<std::uint64_t>(bytes) != load<std::uint64_t>(image.data())) continue;
            // All but the checksum, which is computed when a page is written, and what an image leaves out.
            const auto header = load<PageHeader>(bytes);
            std::size_t at = 10;
            while (at < kPageBytes && (bytes[at] == image[at] || (at >= header.lower && at < header.upper))) ++at;
            EXPECT_EQ(at, kPageBytes) << relation << " block " << tag.block;
            ++same;
        }
        return same;
    }

    static std::string describe(const RelationFork& fork) {
        return std::to_string(fork.relation.tablespace) + "/" + std::to_string(fork.relation.database) + "/" +
               std::to_string(fork.relation.number) + " fork " + std::to_string(static_cast<int>(fork.fork));
    }

    StockServer server;
    ModelState before;
    ControlFile begin = *ControlFile::parse(as_bytes(StockServer::read_file(server.data() / "global/pg_control")));
    std::unique_ptr<ModelSink> sink;
    ModelState after;
    std::vector<Lsn> records;
};

constexpr std::string_view kHeapWorkload = R"(
create table t(id int primary key, v text, n int);
insert into t select g, 'row ' || g, g % 100 from generate_series(1, 20000) g;
create index on t using hash (n); create index on t using gin (to_tsvector('simple', v));
create index on t using brin (id); create index on t using spgist (v); create index on t using gist (int4range(id, id + n));
vacuum (freeze, analyze) t;
update t set n = n + 1 where id % 500 = 0;
delete from t where id between 3000 and 3100;
insert into t values (-1, 'again', 0);
select count(*) from (select * from t where id between 9000 and 9010 for update) x;
vacuum t;
create table big(a int) with (fillfactor = 10); insert into big select generate_series(1, 200000);
vacuum big; delete from big where a > 1000; vacuum big;
create sequence s; select nextval('s') from generate_series(1, 100);
create unlogged table u(a int primary key); insert into u values (1);
create temp table tmp(a int); insert into tmp values (1);
create materialized view mv as select * from t where id < 100; refresh materialized view mv;
create table dropped(a text); insert into dropped select repeat('x', 10000); drop table dropped;
create table truncated(a int); insert into truncated values (1); truncate truncated;
cluster t using t_pkey; vacuum full pg_class; reindex table t;
copy (select 1) to '/dev/null';
)";

constexpr std::string_view kTransactionWorkload = R"(
create table x(a int);
begin; insert into x values (1); savepoint a; insert into x values (2); savepoint b; insert into x values (3); rollback to b;
insert into x values (4); release a; commit;
do $$ begin for i in 1..3000 loop begin insert into x values (i); if i % 3 = 0 then raise exception 'no'; end if;
  exception when raise_exception then null; end; end loop; end $$;
begin; insert into x values (5); savepoint c; insert into x values (6); rollback;
begin; create table kept(a int); insert into kept values (1); prepare transaction 'kept';
begin; create table gone(a int); savepoint d; insert into gone values (1); prepare transaction 'gone';
begin; insert into x values (7); savepoint e; insert into x values (8); prepare transaction 'stays';
commit prepared 'kept'; rollback prepared 'gone';
select pg_replication_origin_create('o1'); select pg_replication_origin_create('o2');
select pg_replication_origin_advance('o2', '7/77');
select pg_replication_origin_session_setup('o1');
begin; select pg_replication_origin_xact_setup('1/234', '2020-01-01'); insert into x values (9); commit;
select pg_replication_origin_session_reset();
select pg_replication_origin_drop('o2');
select pg_logical_emit_message(false, 'p', 'hello');
select pg_create_restore_point('r'); select pg_switch_wal();
)";

// Lock rows by several transactions at once: multixacts.
void make_multixacts(StockServer& server) {
    server.sql("create table m(a int primary key, b int); insert into m select g, 0 from generate_series(1, 3000) g");
    server.sql(R"(
begin; select count(*) from (select * from m for share) q;
savepoint a; update m set b = 1 where a <= 2500;
commit;
vacuum (freeze) m;
begin; select count(*) from (select * from m for key share) q; savepoint a; update m set b = 2 where a > 500; rollback;
checkpoint;
)");
}

void change_databases(StockServer& server) {
    server.sql("create database by_log strategy wal_log");
    server.sql("create table here(a int); insert into here values (1)", "by_log");
    server.sql("create database by_copy template by_log strategy file_copy");
    server.sql("vacuum full pg_proc", "by_copy");
    server.sql("create tablespace sp location '" + (server.root() / "space").string() + "'");
    server.sql("create database elsewhere tablespace sp strategy file_copy");
    server.sql("alter database by_log set tablespace sp");
    server.sql("create table moved(a int); insert into moved values (1); alter table moved set tablespace pg_default", "by_log");
    server.sql("drop database elsewhere");
    server.sql("create tablespace sp2 location ''; ", "postgres");
}

TEST(ChangeExtractor, tells_what_a_server_left_on_disk) {
    Scenario scenario("full_page_writes = off\ntrack_commit_timestamp = on\nallow_in_place_tablespaces = on", "");
    scenario.server.start();
    scenario.server.sql(kHeapWorkload);
    scenario.server.sql(kTransactionWorkload);
    make_multixacts(scenario.server);
    scenario.server.stop("immediate");  // and crash recovery, which must fit in
    scenario.server.start();
    scenario.server.sql("insert into x select generate_series(1, 100)");
    scenario.extract();
    scenario.expect_same_small_files();
    scenario.expect_same_slrus();
    scenario.expect_same_relations();
    EXPECT_GT(scenario.expect_same_visibility_maps(), 5u);
    EXPECT_EQ(scenario.sink->state.two_phase.size(), 1u);
    EXPECT_EQ(scenario.sink->origins, (std::map<std::uint16_t, Lsn>{{1, *Lsn::parse("1/234")}}));
    EXPECT_GT(scenario.sink->commits.size(), 40u);
    EXPECT_GT(scenario.sink->page_records, 10000u);
}

TEST(ChangeExtractor, restores_page_images_of_every_compression) {
    Scenario scenario("full_page_writes = on\nwal_log_hints = on", "-k --wal-segsize=1");
    scenario.server.start();
    scenario.server.sql(
        "create table t(id int, v text); insert into t select g, md5(g::text) from generate_series(1, 20000) g; vacuum freeze t");
    for (const std::string method : {"off", "pglz", "lz4", "zstd"}) {
        scenario.server.sql("set wal_compression = " + method + "; create index by_" + method + " on t(id, v)");
        scenario.server.sql("set wal_compression = " + method + "; checkpoint; update t set v = 'x' where id % 10 = 0; vacuum t");
        scenario.server.sql("reindex index by_" + method);
    }
    scenario.server.sql(
        "set wal_compression = pglz; reindex index by_pglz; set wal_compression = lz4; reindex index by_lz4; "
        "set wal_compression = zstd; reindex index by_zstd; set wal_compression = off; reindex index by_off");
    scenario.extract();
    scenario.expect_same_slrus();
    scenario.expect_same_relations();
    EXPECT_GT(scenario.expect_same_visibility_maps(), 5u);
    EXPECT_GT(scenario.sink->page_images, 1000u);
    for (const std::string method : {"off", "pglz", "lz4", "zstd"})
        EXPECT_GT(scenario.expect_same_images("postgres", "by_" + method), 50u) << method;
}

TEST(ChangeExtractor, follows_databases_and_tablespaces) {
    // Images that are only for comparison must not count as the pages they show.
    Scenario scenario("allow_in_place_tablespaces = on\nwal_consistency_checking = all", "");
    scenario.server.start();
    change_databases(scenario.server);
    scenario.server.sql("drop tablespace sp2");
    scenario.extract();
    scenario.expect_same_small_files();
    scenario.expect_same_relations();
}

TEST(ChangeExtractor, follows_commit_timestamps_switched_on_and_off) {
    Scenario scenario("", "");
    for (const std::string setting : {"on", "off", "on"}) {
        scenario.server.write_file(scenario.server.data() / "postgresql.auto.conf", "track_commit_timestamp = " + setting + "\n");
        scenario.server.start();
        scenario.server.sql("create table if not exists c(a int)");
        scenario.server.sql(
            "do $$ begin for i in 1..1000 loop begin insert into c values (i); exception when others then null; end; end loop; "
            "end $$");
        scenario.server.stop();
    }
    scenario.server.start();
    scenario.extract();
    scenario.expect_same_slrus();
}

TEST(ChangeExtractor, reads_the_records_that_pg_waldump_reads) {
    Scenario scenario("", "--wal-segsize=1");
    scenario.server.start();
    scenario.server.sql(
        "create table t as select g, repeat('x', g % 3000) from generate_series(1, 5000) g; select pg_switch_wal(); "
        "select pg_logical_emit_message(false, 'p', repeat('y', 3000000)); create index on t(g)");
    scenario.extract();
    const std::string dump = scenario.server.run(
        "pg_waldump", "-p " + (scenario.server.data() / "pg_wal").string() + " -s " + scenario.begin.checkpoint_lsn().to_string(),
        true);
    std::vector<Lsn> theirs;
    for (std::size_t at = dump.find("lsn: "); at != std::string::npos; at = dump.find("lsn: ", at + 1)) {
        const std::string text = dump.substr(at + 5, dump.find(',', at) - at - 5);
        const auto slash = text.find('/');
        theirs.push_back(
            Lsn{std::stoull(text.substr(0, slash), nullptr, 16) << 32 | std::stoull(text.substr(slash + 1), nullptr, 16)});
    }
    EXPECT_EQ(scenario.records, theirs);
}

}  // namespace
}  // namespace bough::pg::v15
