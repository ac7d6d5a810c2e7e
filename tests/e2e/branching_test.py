"""Branches: made at the tip, they hold what was acknowledged; both sides write on; neither sees the other."""
import os
import signal
import threading
import time

import pytest

from support import layout, wait
from support.branch_pages import page_digests
from support.dumps import assert_same_dump
from support.ledger import SCHEMA, Ledger, check_state
from support.postgres_tools import dump, dump_all, pgbench, pgbench_init, start_pgbench

SCALE = 2


@pytest.fixture(scope="module")
def bench(system):
    """The system with pgbench's tables on main."""
    pgbench_init(system.url(), SCALE)
    system.sql(SCHEMA)
    return system


def totals(connection):
    return connection.execute("select (select sum(abalance) from pgbench_accounts), (select sum(delta) from pgbench_history), "
                              "(select count(*) from pgbench_history)").fetchone()


def test_both_sides_write_on_and_neither_sees_the_other(bench, branch_name):
    pgbench(bench.url(), "-n", "-t", 200, "-c", 2)
    with bench.connect("main") as parent:
        before = totals(parent)
    bench.branch(branch_name)
    with bench.connect(branch_name) as child:
        assert totals(child) == before
        child.execute("create table only_child (id int); insert into only_child values (1)")
    pgbench(bench.url(branch_name), "-n", "-t", 150, "-c", 2)
    with bench.connect("main") as parent:
        assert totals(parent) == before, "the parent changed with its child"
        assert parent.execute("select to_regclass('only_child')").fetchone() == (None,)
        parent.execute("create table only_parent (id int)")
    pgbench(bench.url(), "-n", "-t", 100, "-c", 2)
    with bench.connect("main") as parent, bench.connect(branch_name) as child:
        abalance, delta, count = totals(parent)
        assert abalance == delta and count == before[2] + 200
        abalance, delta, count = totals(child)
        assert abalance == delta and count == before[2] + 300
        assert child.execute("select to_regclass('only_parent')").fetchone() == (None,)
        assert child.execute("select id from only_child").fetchone() == (1,)


def test_a_child_s_writes_change_no_page_of_the_parent(bench, branch_name):
    lsn = bench.tip("main")
    bench.wait_ingested("main", lsn)
    before = page_digests(bench, "main", lsn)
    assert len(before) > 100
    branch = bench.branch(branch_name, at=None)
    pgbench(bench.url(branch_name), "-n", "-t", 300, "-c", 2)
    bench.sql("update pgbench_accounts set filler = 'x' where aid % 7 = 0", branch_name)
    bench.sql("drop table pgbench_history", branch_name)
    bench.wait_ingested(branch_name, bench.tip(branch_name))
    assert page_digests(bench, "main", lsn) == before, "pages of the parent changed"
    # And the child at its beginning is the parent at that LSN.
    child_begin = page_digests(bench, branch_name, branch["lsn"])
    assert child_begin == page_digests(bench, "main", branch["lsn"])


def test_a_branch_made_while_clients_write_holds_all_that_was_acknowledged(bench, branch_name):
    load = start_pgbench(bench.url(), "-n", "-c", 2, "-T", 12)
    try:
        with Ledger(bench.url(), clients=3, scale=SCALE) as ledger:
            wait.until(lambda: ledger.count() > 50, 30, "50 acknowledged transactions")
            seen = []
            for number in range(4):
                must_have = ledger.acknowledged()
                bench.branch(f"{branch_name}-{number}")
                may_have = ledger.possible()
                seen.append((f"{branch_name}-{number}", must_have, may_have))
                time.sleep(0.3)
        assert not ledger.errors(), ledger.errors()
    finally:
        out = load.communicate(timeout=60)[0]
    assert load.returncode == 0, out
    counts = []
    for name, must_have, may_have in seen:
        with bench.connect(name) as connection:
            counts.append(check_state(connection, must_have, may_have)[0])
    assert counts == sorted(counts) and counts[0] < counts[-1], counts
    with bench.connect("main") as connection:
        check_state(connection, ledger.acknowledged())


def test_branches_five_levels_deep(bench, branch_name):
    parent, history = "main", []
    for level in range(1, 6):
        name = f"{branch_name}-{level}"
        bench.branch(name, parent)
        with bench.connect(name) as connection:
            connection.execute(f"create table level_{level} as select generate_series(1, {level} * 1000) as id")
            connection.execute(f"update pgbench_tellers set tbalance = tbalance + {level} where tid = {level}")
            history.append(connection.execute("select tbalance from pgbench_tellers order by tid limit 6").fetchall())
        parent = name
    for level in range(1, 6):
        with bench.connect(f"{branch_name}-{level}") as connection:
            for other in range(1, 6):
                there = connection.execute(f"select to_regclass('level_{other}') is not null").fetchone()[0]
                assert there == (other <= level), (level, other)
                if there:
                    assert connection.execute(f"select count(*), sum(id) from level_{other}").fetchone() == (
                        other * 1000, other * 1000 * (other * 1000 + 1) // 2)
            assert connection.execute("select tbalance from pgbench_tellers order by tid limit 6").fetchall() == history[level - 1]
    chain = {b["name"]: b["parent_name"] for b in bench.json("branch", "list")["branches"]}
    assert [chain[f"{branch_name}-{level}"] for level in range(1, 6)] == ["main"] + [f"{branch_name}-{l}" for l in range(1, 5)]


def test_a_compute_started_again_has_the_same_contents(bench, branch_name):
    bench.branch(branch_name)
    pgbench(bench.url(branch_name), "-n", "-t", 100, "-c", 2)
    bench.sql("create index on pgbench_accounts (abalance); analyze", branch_name)
    before = dump_all(bench.url(branch_name, superuser=True))
    first = bench.json("compute", "list")["computes"]
    started = bench.restart_compute(branch_name)
    assert started["pid"] not in [c["pid"] for c in first]
    assert_same_dump("the next compute", before, dump_all(bench.url(branch_name, superuser=True)))
    # A grandchild has only what storage gives.
    bench.branch(f"{branch_name}-copy", branch_name)
    assert_same_dump("a branch", before, dump_all(bench.url(f"{branch_name}-copy", superuser=True)))
    assert len(before) > 10000


def test_a_stopped_compute_takes_no_room(bench, branch_name):
    """What it read is a copy of the branch; only what ALTER SYSTEM has set is nowhere else."""
    bench.branch(branch_name)
    bench.sql("select sum(abalance) from pgbench_accounts", branch_name)
    bench.sql("alter system set work_mem = '7MB'", branch_name, superuser=True)
    directory = layout.compute_directory(bench.data_dir, bench.project_id(), bench.branch_id(branch_name))
    assert directory.is_dir()
    bench.cli("compute", "stop", branch_name)
    assert not directory.exists()
    assert bench.value("show work_mem", branch_name) == "7MB"
    pid = next(c["pid"] for c in bench.json("compute", "list")["computes"] if c["branch"] in (branch_name, bench.branch_id(branch_name)))
    os.kill(pid, signal.SIGKILL)
    bench.cli("compute", "stop", branch_name)
    assert not directory.exists(), "what one that died has left is there"


def test_a_branch_costs_no_copy(bench, branch_name):
    """Its creation writes a few kilobytes, whatever the parent's size."""
    import subprocess

    def used():
        return int(subprocess.run(["du", "-sk", "--apparent-size", str(bench.data_dir)], stdout=subprocess.PIPE, text=True,
                                  check=False).stdout.split()[0])
    bench.branch(f"{branch_name}-0")
    before = used()
    for number in range(1, 6):
        bench.branch(f"{branch_name}-{number}")
    grown = used() - before
    # A safekeeper may preallocate segments when a compute starts; creation alone must stay far below the parent's ~35 MB each.
    assert grown < 5 * 17000, f"five branches took {grown} kB"


def test_deleting_a_branch_needs_its_children_gone_first(bench, branch_name):
    bench.branch(branch_name)
    bench.branch(f"{branch_name}-kid", branch_name)
    error = bench.refused("branch", "delete", branch_name)
    assert f"{branch_name}-kid" in error or "child" in error, error
    assert bench.value("select count(*) from pgbench_branches", branch_name) == SCALE
    url = bench.url(f"{branch_name}-kid")
    pid = next(c["pid"] for c in bench.json("compute", "start", f"{branch_name}-kid").values())
    bench.cli("branch", "delete", f"{branch_name}-kid")
    from support.processes import alive
    wait.until(lambda: not alive(pid), 20, "the end of the deleted branch's compute")
    import psycopg
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url, connect_timeout=5)
    bench.cli("branch", "delete", branch_name)
    names = [b["name"] for b in bench.json("branch", "list")["branches"]]
    assert branch_name not in names and f"{branch_name}-kid" not in names
    # The name is free again, and stands for a new branch.
    bench.branch(branch_name)
    assert bench.value("select count(*) from pgbench_branches", branch_name) == SCALE


def test_the_root_branch_with_children_is_not_deleted(bench, branch_name):
    bench.branch(branch_name)
    bench.refused("branch", "delete", "main")
    assert bench.value("select count(*) from pgbench_branches") == SCALE


def test_branches_made_at_once_are_all_whole(bench, branch_name):
    failures = []

    def create(number):
        try:
            bench.branch(f"{branch_name}-{number}")
        except Exception as error:  # noqa: BLE001
            failures.append(error)
    threads = [threading.Thread(target=create, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    expected = dump(bench.url("main"))
    for number in (0, 5):
        assert dump(bench.url(f"{branch_name}-{number}")) == expected
