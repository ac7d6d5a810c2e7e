"""What Postgres keeps outside and inside relations must be on a compute that has nothing but storage: each test prepares on one
branch, and looks at it on a branch made from it and on the same branch's next compute.

All tests' preparations run first, then one child is made: a child per test would cost a compute start each.
"""
import psycopg
import pytest

SCENARIOS = {}


def scenario(name):
    def register(prepare):
        SCENARIOS[name] = prepare
        return prepare
    return register


@scenario("sequences")
def _(system, branch, owner, superuser):
    owner.execute("create sequence plain; create sequence cached cache 20; create table ident (id bigint generated always as identity, t text)")
    owner.execute("select nextval('plain') from generate_series(1, 45); select nextval('cached') from generate_series(1, 30)")
    owner.execute("insert into ident (t) select 'x' from generate_series(1, 100)")
    owner.execute("create sequence jumped; select setval('jumped', 5000)")


@scenario("unlogged")
def _(system, branch, owner, superuser):
    owner.execute("create unlogged table volatile (id int primary key, t text)")
    owner.execute("insert into volatile select i, repeat('u', 100) from generate_series(1, 2000) i")
    owner.execute("create index on volatile using gin (to_tsvector('simple', t)); create unlogged sequence volatile_numbers")
    owner.execute("select nextval('volatile_numbers') from generate_series(1, 10)")


@scenario("multixacts")
def _(system, branch, owner, superuser):
    owner.execute("create table shared_rows (id int primary key, v int)")
    owner.execute("insert into shared_rows select i, 0 from generate_series(1, 3000) i")
    # One multixact per row (the transaction and a subtransaction of it): more than one page of offsets and of members.
    owner.execute("begin")
    owner.execute("select count(*) from (select 1 from shared_rows for key share) s")
    owner.execute("do $$ begin for i in 1..3000 loop begin perform 1 from shared_rows where id = i for no key update; "
                  "exception when division_by_zero then null; end; end loop; end $$")
    owner.execute("commit")
    # Rows locked by several sessions at once, one of which updates.
    sessions = [psycopg.connect(system.url(branch)) for _ in range(4)]
    for session in sessions:
        session.execute("select * from shared_rows where id in (10, 20) for key share")
    sessions[0].execute("update shared_rows set v = 77 where id = 10")
    sessions[0].commit()
    for session in sessions[1:3]:
        session.rollback()
    sessions[3].commit()
    for session in sessions:
        session.close()
    assert owner.execute("select count(distinct xmax::text) from shared_rows").fetchone()[0] > 2048


@scenario("subtransactions")
def _(system, branch, owner, superuser):
    owner.execute("create table nested (id int primary key, outcome text)")
    # More than one page of commit status (32768 transactions), with aborted ones between.
    owner.execute("""do $$ begin for i in 1..40000 loop begin insert into nested values (i, 'in');
        if i % 3 = 0 then raise exception 'no' using errcode = 'P0001'; end if; exception when sqlstate 'P0001' then null; end; end loop; end $$""")


@scenario("toast")
def _(system, branch, owner, superuser):
    owner.execute("create table toasted (id int primary key, c text, e text)")
    owner.execute("alter table toasted alter column e set storage external")
    owner.execute("insert into toasted select i, (select string_agg(md5((i * j)::text), '') from generate_series(1, 3000) j), "
                  "repeat(md5(i::text), 2000) from generate_series(1, 30) i")
    owner.execute("update toasted set e = e || 'more' where id % 3 = 0; delete from toasted where id % 10 = 0")


@scenario("large_objects")
def _(system, branch, owner, superuser):
    owner.execute("create table objects (id oid)")
    owner.execute("insert into objects select lo_from_bytea(0, convert_to(repeat(md5(i::text), 3000), 'UTF8')) from generate_series(1, 10) i")
    owner.execute("select lo_put(id, 50000, 'written into the middle') from objects limit 1")


@scenario("tablespace_in_place")
def _(system, branch, owner, superuser):
    superuser.execute("set allow_in_place_tablespaces = on")
    superuser.execute("create tablespace in_place location ''")
    superuser.execute("create table in_tablespace (id int primary key using index tablespace in_place, t text) tablespace in_place")
    superuser.execute("insert into in_tablespace select i, repeat('t', 200) from generate_series(1, 3000) i")
    superuser.execute("create table moves (id int); insert into moves select generate_series(1, 3000); "
                      "alter table moves set tablespace in_place")
    superuser.execute("grant all on in_tablespace, moves to public; grant create on tablespace in_place to public")


@scenario("visibility_map")
def _(system, branch, owner, superuser):
    superuser.execute("create extension if not exists pg_visibility")
    # The map is compared later: no vacuum of the parent may change it meanwhile.
    owner.execute("create table all_visible (id int primary key, t text) with (autovacuum_enabled = off)")
    owner.execute("insert into all_visible select i, repeat('v', 80) from generate_series(1, 20000) i")
    owner.execute("vacuum (freeze, analyze) all_visible")
    owner.execute("update all_visible set t = 'changed' where id between 5000 and 5100; delete from all_visible where id = 100")


@scenario("truncation")
def _(system, branch, owner, superuser):
    owner.execute("create table emptied (id int primary key, t text); insert into emptied select i, repeat('e', 300) from generate_series(1, 5000) i")
    owner.execute("truncate emptied; insert into emptied select i, 'new' from generate_series(1, 10) i")
    owner.execute("create table tail_cut (id int primary key, t text) with (autovacuum_enabled = off)")
    owner.execute("insert into tail_cut select i, repeat('c', 300) from generate_series(1, 10000) i")
    owner.execute("delete from tail_cut where id > 2000")
    owner.execute("vacuum (truncate on) tail_cut")
    owner.execute("insert into tail_cut select i, repeat('again', 60) from generate_series(20001, 23000) i")
    owner.execute("begin; create table rolled_back as select generate_series(1, 1000); rollback")


@scenario("data_definition")
def _(system, branch, owner, superuser):
    owner.execute("create schema s; create type s.mood as enum ('sad', 'ok'); create domain s.small as int check (value < 100)")
    owner.execute("create table s.t (id serial primary key, m s.mood, n s.small, gone text, p point, a int[], w text)")
    owner.execute("insert into s.t (m, n, gone, p, a, w) select 'ok', i % 99, 'gone', point(i, i * 2), array[i, i + 1], md5(i::text) "
                  "from generate_series(1, 5000) i")
    owner.execute("alter type s.mood add value 'happy'")
    owner.execute("alter table s.t drop column gone, add column extra int default 7, alter column w type varchar(64)")
    owner.execute("create index t_gin on s.t using gin (a); create index t_gist on s.t using gist (p); "
                  "create index t_spgist on s.t using spgist (p); create index t_brin on s.t using brin (id); "
                  "create index t_hash on s.t using hash (w); create index t_expr on s.t (lower(w)) where id % 2 = 0")
    owner.execute("create materialized view s.mv as select n, count(*) from s.t group by n; create view s.v as select * from s.t")
    owner.execute("create table s.parted (id int, k int) partition by hash (id); create table s.p0 partition of s.parted for values with "
                  "(modulus 2, remainder 0); create table s.p1 partition of s.parted for values with (modulus 2, remainder 1); "
                  "insert into s.parted select i, i from generate_series(1, 1000) i")
    owner.execute("cluster s.t using t_pkey; reindex table s.t; refresh materialized view s.mv")
    owner.execute("create function s.f() returns int language sql as 'select 42'; comment on table s.t is 'words'")


@scenario("replication_origins")
def _(system, branch, owner, superuser):
    owner.execute("create table from_afar (id int)")
    superuser.execute("select pg_replication_origin_create('afar')")
    superuser.execute("select pg_replication_origin_create('dropped'); select pg_replication_origin_drop('dropped')")
    superuser.execute("select pg_replication_origin_session_setup('afar')")
    superuser.execute("begin; select pg_replication_origin_xact_setup('16/B374D848', '2020-01-01 00:00:00+00'); "
                      "insert into from_afar values (1); commit")
    superuser.execute("select pg_replication_origin_session_reset()")


@scenario("roles_and_grants")
def _(system, branch, owner, superuser):
    superuser.execute("create role reader nologin; create role writer login password 'secret words'")
    owner.execute("create table granted (id int); grant select on granted to reader; "
                  "alter default privileges grant select on tables to reader")
    superuser.execute("alter role writer set work_mem = '5MB'; grant reader to writer")


# Last: open transactions keep VACUUM from marking pages all-visible.
@scenario("two_phase")
def _(system, branch, owner, superuser):
    assert int(owner.execute("show max_prepared_transactions").fetchone()[0]) > 0, "prepared transactions are off in computes"
    owner.execute("create table prepared (id int primary key, t text)")
    for number, word in ((1, "commit"), (2, "rollback"), (3, "stay")):
        with psycopg.connect(system.url(branch), autocommit=True) as session:
            session.execute("begin")
            session.execute("insert into prepared values (%s, %s)", (number, word))
            session.execute(f"savepoint s; insert into prepared values ({number + 10}, '{word}'); release s")
            session.execute(f"create table made_by_{word} (id int)")
            session.execute(f"prepare transaction 'p-{word}'")
    superuser.execute("checkpoint")
    with psycopg.connect(system.url(branch), autocommit=True) as session:
        session.execute("begin; insert into prepared values (4, 'after'); prepare transaction 'p-after'")


@pytest.fixture(scope="module")
def family(system):
    """Parent `p` with all scenarios prepared, and child `c` made of it. The parent keeps its first compute."""
    system.branch("p")
    with system.connect("p") as owner, system.connect("p", superuser=True) as superuser:
        for prepare in SCENARIOS.values():
            prepare(system, "p", owner, superuser)
    system.branch("c", "p")
    return system


def ask(system, branch, query, superuser=False):
    return system.sql(query, branch, superuser=superuser)


def same_on_both(system, *queries, superuser=False):
    for query in queries:
        parent, child = ask(system, "p", query, superuser), ask(system, "c", query, superuser)
        assert parent == child, query
        assert parent, f"empty: {query}"


def test_sequences_never_give_a_number_twice(family):
    for name, given in (("plain", 45), ("cached", 30), ("jumped", 5000)):
        first_on_child = family.value(f"select nextval('{name}')", "c")
        assert given < first_on_child <= given + 64, (name, first_on_child)
        assert family.value(f"select nextval('{name}')", "p") > given
    inserted = family.value("insert into ident (t) values ('y') returning id", "c")
    assert inserted > 100
    assert family.value("select count(*) = count(distinct id) from ident", "c")


def test_unlogged_tables_are_empty_and_usable_on_a_fresh_compute(family):
    assert family.value("select count(*) from volatile", "p") == 2000
    assert family.value("select count(*) from volatile", "c") == 0
    family.sql("insert into volatile values (1, 'again'), (2, 'and again')", "c")
    with family.connect("c") as connection:
        connection.execute("set enable_seqscan = off")
        assert connection.execute("select t from volatile where id = 2").fetchone() == ("and again",)
        assert connection.execute("select id from volatile where to_tsvector('simple', t) @@ to_tsquery('simple', 'and') order by 1").fetchall() == [(2,)]
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("insert into volatile values (1, 'twice')")
        assert connection.execute("select nextval('volatile_numbers')").fetchone() == (1,)


def test_temporary_tables_work_and_do_not_travel(family):
    with family.connect("p") as connection:
        connection.execute("create temp table here (id int primary key); insert into here select generate_series(1, 5000)")
        family.branch("temp-check", "p")
        assert connection.execute("select count(*) from here").fetchone() == (5000,)
    with family.connect("temp-check") as connection:
        assert connection.execute("select to_regclass('here')").fetchone() == (None,)
        connection.execute("create temp table here (id int); insert into here values (1); create index on here (id)")
        assert connection.execute("select id from here").fetchone() == (1,)


def test_prepared_transactions_are_finished_on_either_branch(family):
    query = "select gid from pg_prepared_xacts order by gid"
    everything = [("p-after",), ("p-commit",), ("p-rollback",), ("p-stay",)]
    assert ask(family, "p", query) == ask(family, "c", query) == everything
    with family.connect("c") as child:
        # Their locks hold: the row is there and not visible.
        child.execute("set lock_timeout = '500ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            child.execute("insert into prepared values (1, 'in the way')")
        assert child.execute("select count(*) from prepared").fetchone() == (0,)
        child.execute("commit prepared 'p-commit'")
        child.execute("commit prepared 'p-after'")
        child.execute("rollback prepared 'p-rollback'")
        assert child.execute("select id from prepared order by id").fetchall() == [(1,), (4,), (11,)]
        assert child.execute("select count(*) from made_by_commit").fetchone() == (0,)
        assert child.execute("select to_regclass('made_by_rollback')").fetchone() == (None,)
    family.sql("rollback prepared 'p-commit'", "p")
    assert ask(family, "p", query) == [("p-after",), ("p-rollback",), ("p-stay",)]
    assert family.value("select count(*) from prepared", "p") == 0
    family.branch("two-phase-kid", "c")
    assert ask(family, "two-phase-kid", query) == [("p-stay",)]
    family.sql("commit prepared 'p-stay'", "two-phase-kid")
    assert ask(family, "two-phase-kid", "select id from prepared order by id") == [(1,), (3,), (4,), (11,), (13,)]


def test_multixacts_resolve_on_a_fresh_compute(family):
    same_on_both(family, "select id, v from shared_rows order by id", "select count(distinct xmax::text) from shared_rows")
    members = "select r.id, m.mode, count(*) from (select id, xmax from shared_rows where id in (1, 1500, 3000, 20)) r, " \
              "lateral pg_get_multixact_members(r.xmax) m group by 1, 2 order by 1, 2"
    same_on_both(family, members)
    with family.connect("c") as connection:
        assert connection.execute("select v from shared_rows where id = 10").fetchone() == (77,)
        # Every row can be locked and changed: every multixact in the table is looked up.
        assert connection.execute("with u as (update shared_rows set v = v + 1 returning v) select count(*), sum(v) from u").fetchone() == (3000, 3077)
        connection.execute("vacuum freeze shared_rows")
        assert connection.execute("select count(*) from shared_rows").fetchone() == (3000,)


def test_commit_status_over_many_pages(family):
    same_on_both(family, "select count(*), sum(id) from nested", "select count(*) filter (where id % 3 = 0) from nested")
    assert family.value("select count(*) from nested", "c") == 40000 - 13333


def test_toasted_values(family):
    same_on_both(family, "select id, md5(c), md5(e), length(c), length(e) from toasted order by id")
    assert family.value("select count(*) from toasted", "c") == 27


def test_large_objects(family):
    same_on_both(family, "select md5(lo_get(id)) from objects order by 1")
    assert family.value("select count(*) from pg_largeobject_metadata", "c") == 10


def test_tablespaces_in_place(family):
    same_on_both(family, "select count(*), sum(id), md5(string_agg(t, '' order by id)) from in_tablespace",
                 "select count(*), sum(id) from moves",
                 "select c.relname, t.spcname from pg_class c join pg_tablespace t on t.oid = c.reltablespace where spcname = 'in_place' order by 1")
    family.sql("insert into in_tablespace select i, 'more' from generate_series(4001, 5000) i", "c", superuser=True)
    family.branch("tablespace-kid", "c")
    assert family.value("select count(*) from in_tablespace", "tablespace-kid", superuser=True) == 4000
    with family.connect("tablespace-kid", superuser=True) as connection:
        connection.execute("drop table in_tablespace; drop table moves")
        connection.execute("drop tablespace in_place")
    assert family.value("select count(*) from in_tablespace", "c", superuser=True) == 4000


def test_the_visibility_map_serves_index_only_scans_on_a_fresh_compute(family):
    with family.connect("c") as connection:
        connection.execute("set enable_seqscan = off; set enable_bitmapscan = off; set max_parallel_workers_per_gather = 0")
        plan = connection.execute("explain (analyze, format json) select count(id) from all_visible where id between 1000 and 3000").fetchone()[0]
        text = str(plan)
        assert "Index Only Scan" in text and "'Heap Fetches': 0" in text, text
        changed = str(connection.execute("explain (analyze, format json) select count(id) from all_visible where id between 5000 and 5100").fetchone()[0])
        assert "'Heap Fetches': 0" not in changed, "the update did not clear the visibility map"
    same_on_both(family, "select count(*), count(*) filter (where t = 'changed') from all_visible",
                 "select blkno, all_visible, all_frozen from pg_visibility_map('all_visible') order by 1", superuser=True)
    for check in ("pg_check_visible", "pg_check_frozen"):
        for branch in ("p", "c"):
            assert ask(family, branch, f"select * from {check}('all_visible')", superuser=True) == [], (check, branch)
    with family.connect("c") as connection:
        connection.execute("delete from all_visible where id = 2000; delete from all_visible where id between 9000 and 9500")
        connection.execute("set enable_seqscan = off")
        assert connection.execute("select count(id) from all_visible where id between 1990 and 2010").fetchone() == (20,)
    assert ask(family, "c", "select * from pg_check_visible('all_visible')", superuser=True) == []


def test_truncated_tables_stay_truncated(family):
    same_on_both(family, "select count(*), sum(id), max(t) from emptied", "select count(*), sum(id), sum(length(t)) from tail_cut",
                 "select pg_relation_size('emptied'), pg_relation_size('tail_cut'), pg_relation_size('tail_cut', 'vm')")
    assert family.value("select count(*) from tail_cut", "c") == 5000
    assert family.value("select to_regclass('rolled_back') is null", "c")


def test_data_definition(family):
    same_on_both(family, "select * from s.t order by id", "select * from s.mv order by 1", "select enum_range(null::s.mood)::text",
                 "select tableoid::regclass::text, * from s.parted order by 2", "select s.f(), obj_description('s.t'::regclass)")
    with family.connect("c") as connection:
        connection.execute("set enable_seqscan = off")
        for query, index in (("select id from s.t where a @> array[77]", "t_gin"), ("select id from s.t where p <@ box '(10,10),(40,90)'", "t_"),
                             ("select id from s.t where w = md5('99')", "t_hash"), ("select id from s.t where lower(w) = md5('100') and id % 2 = 0", "t_expr")):
            plan = connection.execute("explain " + query).fetchall()
            assert index in str(plan), plan
            by_index = sorted(connection.execute(query).fetchall())
            connection.execute("set enable_seqscan = on; set enable_indexscan = off; set enable_bitmapscan = off")
            assert sorted(connection.execute(query).fetchall()) == by_index and by_index, query
            connection.execute("set enable_seqscan = off; set enable_indexscan = on; set enable_bitmapscan = on")
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("insert into s.t (n) values (100)")


def test_replication_origins_keep_their_progress(family):
    query = "select roname, remote_lsn::text from pg_replication_origin_status s join pg_replication_origin o on o.roident = s.local_id order by 1"
    same_on_both(family, "select roname from pg_replication_origin order by 1", superuser=True)
    assert ask(family, "c", query, superuser=True) == [("afar", "16/B374D848")]
    assert family.value("select pg_replication_origin_progress('afar', true)::text", "c", superuser=True) == "16/B374D848"


def test_roles_and_grants(family):
    same_on_both(family, "select rolname, rolcanlogin, rolconfig from pg_roles where rolname in ('reader', 'writer') order by 1",
                 "select relacl::text from pg_class where relname = 'granted'", "select defaclacl::text from pg_default_acl")
    parts = psycopg.conninfo.conninfo_to_dict(family.url("c"))
    with psycopg.connect(**{**parts, "user": "writer", "password": "secret words"}) as connection:
        assert connection.execute("show work_mem").fetchone() == ("5MB",)
        assert connection.execute("select count(*) from granted").fetchone() == (0,)


def test_size_functions_before_and_after_a_relation_is_touched(family):
    """A fresh compute has no file of most relations: their sizes must be right all the same. (The free space map is no part of what
    a log tells, in stock Postgres either.)"""
    query = """select c.relname, pg_relation_size(c.oid), pg_relation_size(c.oid, 'vm'),
                      pg_table_size(c.oid) = (select sum(pg_relation_size(c.oid, f)) from unnest(array['main', 'vm', 'fsm', 'init']) f)
                          + case when c.reltoastrelid = 0 then 0 else pg_total_relation_size(c.reltoastrelid) end,
                      pg_total_relation_size(c.oid) = pg_table_size(c.oid) + pg_indexes_size(c.oid)
               from pg_class c where c.relname in ('big', 'big_pkey', 'big_t_idx', 'never_filled', 'all_visible', 'all_visible_pkey') order by 1"""
    with family.connect("p") as connection:
        connection.execute("create table big (id int primary key, t text)")
        connection.execute("insert into big select i, repeat('s', 100) from generate_series(1, 30000) i; create index on big (t)")
        connection.execute("create table never_filled (id int)")
        expected = connection.execute(query).fetchall()
        database = connection.execute("select pg_database_size(current_database())").fetchone()[0]
    assert len(expected) == 6 and all(row[3:] == (True, True) for row in expected), expected
    assert {row[0]: row[2] for row in expected}["all_visible"] == 8192
    family.branch("sizes-kid", "p")
    with family.connect("sizes-kid") as connection:
        assert connection.execute(query).fetchall() == expected
        on_child = connection.execute("select pg_database_size(current_database())").fetchone()[0]
        # Unlogged contents and free space maps did not travel, and a few files are the server's own.
        assert 0.9 * database < on_child < 1.05 * database, (database, on_child)
        assert connection.execute("select count(*), sum(length(t)) from big").fetchone() == (30000, 3000000)
        assert connection.execute("select count(*) from all_visible").fetchone() == (19999,)
        assert connection.execute(query).fetchall() == expected


def test_the_next_compute_of_the_same_branch_has_it_all(family):
    """Last in this file: it ends the parent's first compute, with which unlogged contents go."""
    queries = ["select count(*), sum(id) from nested", "select id, md5(c), md5(e) from toasted order by id", "select * from s.t order by id",
               "select id, v from shared_rows order by id", "select gid from pg_prepared_xacts order by 1", "select md5(lo_get(id)) from objects order by 1",
               "select roname from pg_replication_origin order by 1", "select count(*) from moves"]
    before = [ask(family, "p", query, superuser=True) for query in queries]
    numbers = [family.value("select nextval('plain')", "p") for _ in range(3)]
    family.restart_compute("p")
    assert [ask(family, "p", query, superuser=True) for query in queries] == before
    assert family.value("select nextval('plain')", "p") > max(numbers)
