"""Whole databases: created by both strategies, moved, renamed, dropped, on computes that hold their blocks and on ones that do not."""
import pytest

from support.dumps import assert_same_dump
from support.postgres_tools import dump_all


@pytest.fixture(scope="module")
def source(system):
    """Branch `d` with a database `src` whose last changes are in no file yet."""
    system.branch("d")
    with system.connect("d") as connection:
        connection.execute("create database src")
    with system.connect("d", database="src") as connection:
        connection.execute("create table t (id int primary key, w text); insert into t select i, md5(i::text) from generate_series(1, 20000) i")
        connection.execute("create unlogged table u (id int); insert into u values (1)")
        connection.execute("create index on t using hash (w); create sequence q; select nextval('q')")
        connection.execute("update t set w = 'changed' where id % 100 = 0; delete from t where id > 19000")
    return system


CHECK = "select count(*), sum(id), count(*) filter (where w = 'changed'), md5(string_agg(w, '' order by id)) from t"


@pytest.mark.parametrize("strategy", ["wal_log", "file_copy"])
def test_a_database_made_from_another_is_there_on_a_fresh_compute(source, strategy):
    name = f"by_{strategy}"
    source.sql(f"create database {name} template src strategy {strategy}", "d")
    expected = source.sql(CHECK, "d", database="src")
    assert expected[0][0] == 19000
    assert source.sql(CHECK, "d", database=name) == expected
    source.sql("insert into t values (100001, 'only here')", "d", database=name)
    source.branch(f"d-{strategy.replace('_', '-')}", "d")
    child = f"d-{strategy.replace('_', '-')}"
    assert source.sql(CHECK, child, database="src") == expected
    assert source.value("select w from t where id = 100001", child, database=name) == "only here"
    assert source.value("select count(*) from t", child, database=name) == 19001
    assert source.value("select count(*) from u", child, database=name) == 0


@pytest.mark.parametrize("strategy", ["wal_log", "file_copy"])
def test_a_compute_that_never_read_the_source_copies_it_whole(source, strategy):
    """The blocks of the template are in no local file when the copy begins."""
    child = f"unread-{strategy.replace('_', '-')}"
    expected = source.sql(CHECK, "d", database="src")
    source.branch(child, "d")
    source.sql(f"create database copied template src strategy {strategy}", child)
    assert source.sql(CHECK, child, database="copied") == expected
    with source.connect(child, database="copied") as connection:
        connection.execute("set enable_seqscan = off")
        assert connection.execute("select count(*) from t where w = md5('77')").fetchone() == (1,)
        connection.execute("insert into u values (5)")
    source.branch(f"{child}-kid", child)
    assert source.sql(CHECK, f"{child}-kid", database="copied") == expected
    assert source.sql(CHECK, f"{child}-kid", database="src") == expected


def test_a_database_moves_to_another_tablespace(source):
    source.branch("moving", "d")
    expected = source.sql(CHECK, "d", database="src")
    with source.connect("moving", superuser=True) as connection:
        connection.execute("set allow_in_place_tablespaces = on")
        connection.execute("create tablespace elsewhere location ''")
        connection.execute("alter database src set tablespace elsewhere")
    assert source.sql(CHECK, "moving", database="src") == expected
    source.sql("update t set w = 'moved' where id = 1", "moving", database="src")
    source.branch("moved-kid", "moving")
    assert source.value("select w from t where id = 1", "moved-kid", database="src") == "moved"
    assert source.value("select spcname from pg_database d join pg_tablespace t on t.oid = dattablespace where datname = 'src'", "moved-kid") == "elsewhere"
    assert source.sql(CHECK, "d", database="src") == expected


def test_dropped_and_renamed_databases(source):
    source.branch("dropping", "d")
    source.sql("create database short_lived template src strategy file_copy", "dropping")
    source.sql("drop database short_lived", "dropping")
    source.sql("alter database src rename to renamed", "dropping")
    source.branch("dropped-kid", "dropping")
    names = source.sql("select datname from pg_database where not datistemplate order by 1", "dropped-kid")
    assert ("renamed",) in names and ("src",) not in names and ("short_lived",) not in names
    assert source.value("select count(*) from t", "dropped-kid", database="renamed") == 19000
    # The same name again stands for the new database only.
    source.sql("create database short_lived", "dropped-kid")
    assert source.value("select to_regclass('t') is null", "dropped-kid", database="short_lived")


def test_every_database_s_dump_is_the_same_on_a_fresh_compute(source):
    source.branch("dump-kid", "d")
    expected = dump_all(source.url("d", superuser=True))
    assert "CREATE DATABASE src" in expected
    # Unlogged contents do not travel, so they are left out of the comparison by emptying them first.
    for database in [row[0] for row in source.sql("select datname from pg_database where not datistemplate", "d")]:
        if source.value("select to_regclass('u') is not null", "d", database=database):
            source.sql("truncate u", "d", database=database)
    warm = dump_all(source.url("d", superuser=True))
    assert_same_dump("a branch", warm, dump_all(source.url("dump-kid", superuser=True)))
    assert warm.count("CREATE TABLE public.t ") >= 3
