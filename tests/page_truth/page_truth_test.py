"""Every page the pageserver gives equals the one stock Postgres makes of the same log. The long form, over the log of Postgres's own
regression suite, is tests/slow/page_truth."""
import pytest

from page_truth.truth import Truth
from support.page_service import PAGE_BYTES
from support.postgres_tools import pgbench, pgbench_init

WORKLOAD = [
    "create table mixed (id serial primary key, a int[], p point, w text, n int, r int4range) with (fillfactor = 70)",
    "create index mixed_gin on mixed using gin (a); create index mixed_gist on mixed using gist (p); create index mixed_spgist on mixed "
    "using spgist (w); create index mixed_brin on mixed using brin (n) with (pages_per_range = 4); create index mixed_hash on mixed using hash (w); "
    "create index mixed_range on mixed using gist (r); create index mixed_quad on mixed using spgist (p)",
    "insert into mixed (a, p, w, n, r) select array[i % 50, i % 77, i], point(i % 300, i / 3), md5((i % 900)::text), i, int4range(i, i + 10) "
    "from generate_series(1, 6000) i",
    "update mixed set n = n + 1, w = md5(n::text) where id % 4 = 0",
    "delete from mixed where id % 9 = 0",
    "vacuum mixed",
    "insert into mixed (a, p, w) select array[i], point(i, i), repeat('long ', i % 900) from generate_series(1, 1500) i",
    "update mixed set a = a || 5, p = point(n, id) where id % 5 = 1",
    "vacuum (freeze, truncate on) mixed",
    "delete from mixed where id % 3 = 0",
    "create table moved (id int, t text); insert into moved select i, repeat('t', 50) from generate_series(1, 3000) i",
    "begin; truncate moved; insert into moved values (1, 'x'); rollback",
    "begin; savepoint a; insert into moved select i, 'aborted' from generate_series(1, 500) i; rollback to a; update moved set t = 'y' where id < 100; commit",
    "cluster mixed using mixed_pkey",
    "create unlogged table unl (id int primary key); insert into unl select generate_series(1, 100)",
    "alter table unl set logged",
    "create sequence numbers; select nextval('numbers') from generate_series(1, 100)",
    "truncate moved; insert into moved values (7, 'seven')",
    "create table big (id int, t text); insert into big select i, (select string_agg(md5((i * j)::text), '') from generate_series(1, 300) j) from generate_series(1, 60) i",
    "delete from big where id > 20", "vacuum (truncate on) big", "drop table moved",
    "create database extra strategy wal_log", "create database another strategy file_copy", "drop database extra",
    "vacuum full mixed", "reindex table mixed", "analyze",
]


@pytest.fixture(scope="module")
def worked(make_system):
    """main after pgbench and the workload, with two compute starts in its log; `kid`, begun in the middle, with more. Its log is kept."""
    system = make_system()
    system.up("--wal-keep-size", "1TB")
    pgbench_init(system.url(), 1)
    pgbench(system.url(), "-n", "-t", 300, "-c", 2)
    with system.connect("main") as connection:
        for statement in WORKLOAD[:12]:
            connection.execute(statement)
    system.branch("kid")
    system.restart_compute("main")
    for name in ("main", "kid"):
        with system.connect(name) as connection:
            for statement in WORKLOAD[12:]:
                connection.execute(statement)
        pgbench(system.url(name), "-n", "-t", 200, "-c", 2)
        system.sql("vacuum", name, superuser=True)
    return system


@pytest.mark.parametrize("branch", ["main", "kid"])
def test_every_page_equals_stock_replay(worked, scratch, branch):
    truth = Truth(worked, branch, scratch.make(f"truth-{branch}"))
    try:
        total = truth.run(positions=5)
    finally:
        truth.stop()
    # The comparison saw what it is for.
    for kind in ("Heap", "Btree", "Hash", "Gin", "Gist", "Sequence", "SPGist", "BRIN", "visibility map"):
        assert total.pages[kind] > 0, f"no {kind} page was compared\n{total.table()}"
    assert total.total() > 5000


def test_a_wrong_page_would_be_found(worked, scratch):
    """The comparison itself: one changed byte in one page is a difference."""
    from page_truth.pages import Comparison, Masker, find_library
    from support import branch_pages
    from support.stock import StockPostgres
    import shutil
    directory = scratch.make("planted")
    library = directory / "page_truth.so"
    shutil.copy(find_library(worked.build), library)
    library.chmod(0o755)
    lsn = worked.tip("kid")
    worked.wait_ingested("kid", lsn)
    seen = {}
    with StockPostgres(directory, "mask") as server:
        masker = Masker(server, library)
        from page_truth.pages import kind_of
        for tag, page in branch_pages.pages(worked, "kid", lsn, forks=(0, 2)):
            kind = kind_of(page, tag[3])
            if kind in ("zero", "other") or seen.get(kind, 0) >= 3:
                continue
            seen[kind] = seen.get(kind, 0) + 1
            clean = Comparison()
            clean.page(tag, page, page, masker)
            assert not clean.differences
            # The page size and version in its header; for a heap page also a byte of its first tuple's data.
            places = [18] if kind != "Heap" else [18, PAGE_BYTES - 20]
            for place in places:
                changed = bytearray(page)
                changed[place] ^= 0x40
                planted = Comparison()
                planted.page(tag, page, bytes(changed), masker)
                assert planted.differences, (tag, kind, place)
    assert len(seen) >= 8, seen


def test_every_page_equals_stock_replay_when_its_history_is_gone(worked, scratch):
    """Last, since it leaves none: images stand for the changes that are given up, and reads at the end are made of them."""
    truths = {}
    try:
        for branch in ("main", "kid"):
            truths[branch] = Truth(worked, branch, scratch.make(f"gone-{branch}"))
            worked.cli("snapshot", "create", f"end-of-{branch}", "--branch", branch, "--at", truths[branch].end)
        worked.cli("project", "update", "--restore-window", "0s")
        worked.admin("pageserver").request("POST", f"/v1/projects/{worked.project_id()}/gc")
        assert worked.pageserver_metric("gc_images_total") > 300
        for truth in truths.values():
            refused = worked.refused("snapshot", "create", "earlier", "--branch", truth.branch, "--at", truth.begin)
            assert "restore window" in refused, refused
            total = truth.run(positions=0)
            assert total.total() > 1000
    finally:
        for truth in truths.values():
            truth.stop()
