"""WAL that the safekeepers have dropped: its history is the pageserver's, and nothing that the pageserver lacks is ever dropped."""
import os
import signal
import threading
import time

import psycopg
import pytest

from support import wait
from support.wal import run_and_find_commit
from support.wal_histories import SEGMENT_BYTES, lsn, lsn_text


class Positions:
    """Of a branch, on its safekeeper and on the pageserver."""

    def __init__(self, system, branch="main"):
        self.project, self.branch = system.project_id(), system.branch_id(branch)
        self.safekeeper, self.pageserver = system.admin("safekeeper-sk1"), system.admin("pageserver")

    def log_begin(self):
        return lsn(self.safekeeper.get(f"/v1/branches/{self.project}/{self.branch}")["begin_lsn"])

    def durable(self):
        return lsn(self.pageserver.get(f"/v1/projects/{self.project}/branches/{self.branch}")["durable_lsn"])


def write_segments(superuser, count):
    for _ in range(count):
        superuser.execute("select pg_switch_wal()")
        superuser.execute("create table if not exists filler (n int)")
        superuser.execute("insert into filler select generate_series(1, 2000)")


@pytest.fixture(scope="module")
def history(system):
    """main with commits into `steps`, whose WAL has been dropped: their positions."""
    with system.connect("main") as owner, system.connect("main", superuser=True) as superuser:
        owner.execute("create table steps (id int primary key, words text)")
        commits = {n: run_and_find_commit(owner, superuser, f"insert into steps select g, repeat('step ', 500) from generate_series({10 * n}, {10 * n + 9}) g")
                   for n in range(1, 7)}
        write_segments(superuser, 4)
    # What a stopped compute wrote is durable; then it is announced.
    system.json("compute", "stop", "main")
    positions = Positions(system)
    wait.until(lambda: positions.log_begin() > lsn(commits[6].end), 60, "the WAL to be dropped")
    assert positions.log_begin() <= positions.durable()
    return commits


def steps(system, branch):
    with system.connect(branch) as connection:
        connection.execute("set enable_seqscan = off")
        rows = connection.execute("select id, words from steps order by id").fetchall()
        assert all(words == "step " * 500 for _, words in rows)
        return [id for id, _ in rows]


def up_to(n):
    return list(range(10, 10 * n + 10))


@pytest.mark.parametrize("n", [1, 4])
def test_a_branch_at_an_lsn_of_dropped_wal_is_exact(system, history, branch_name, n):
    system.branch(branch_name, at=history[n].end)
    assert steps(system, branch_name) == up_to(n)
    # It is a branch like others: it can be written, and a branch made of it in turn, at its tip and where it began.
    with system.connect(branch_name) as connection:
        connection.execute("insert into steps values (1000, repeat('step ', 500))")
    system.branch(f"{branch_name}-tip", parent=branch_name)
    assert steps(system, f"{branch_name}-tip") == up_to(n) + [1000]
    start = system.json("branch", "get", branch_name)["branch"]["lsn"]
    system.branch(f"{branch_name}-start", parent=branch_name, at=start)
    assert steps(system, f"{branch_name}-start") == up_to(n)
    # And its compute can be made afresh.
    system.restart_compute(branch_name)
    assert steps(system, branch_name) == up_to(n) + [1000]


def test_every_byte_of_a_commit_record_decides_as_it_did_with_wal(system, history, branch_name):
    begin, end = lsn(history[3].begin), lsn(history[3].end)
    for at in (begin, begin + 1, begin + 8, end - 9, end - 8, end - 1):
        name = f"{branch_name}-{at - begin}"
        system.branch(name, at=lsn_text(at))
        assert steps(system, name) == up_to(2), at - begin
    system.branch(f"{branch_name}-after", at=lsn_text(end + 1))
    assert steps(system, f"{branch_name}-after") == up_to(3)


def test_what_the_pageserver_has_not_flushed_is_never_dropped(system, branch_name):
    """It is killed again and again while WAL is written and dropped; what it forgets it reads again, so all of it is still there."""
    system.branch(branch_name)
    rows = 0
    with system.connect(branch_name, superuser=True) as superuser:
        superuser.execute("create table counted (n int)")
        positions = Positions(system, branch_name)
        begun = positions.log_begin()
        for round in range(3):
            for _ in range(3):
                superuser.execute("insert into counted select generate_series(1, 500)")
                superuser.execute("select pg_switch_wal()")
                rows += 500
                wait.until(lambda: positions.log_begin() <= positions.durable(), 20, "both to answer")
            if round == 1:
                # Something is flushed and dropped in between.
                path = f"/v1/projects/{positions.project}/branches/{positions.branch}/unfollow"
                system.wait_ingested(branch_name, superuser.execute("select pg_current_wal_flush_lsn()::text").fetchone()[0])
                positions.pageserver.request("POST", path)
                wait.until(lambda: positions.log_begin() > begun, 60, "WAL to be dropped")
            system.kill_daemon("pageserver")
            wait.until(lambda: positions.log_begin() <= positions.durable(), 60, "the pageserver to be back")
    assert positions.log_begin() > begun
    system.branch(f"{branch_name}-copy", parent=branch_name)
    assert system.value("select count(*) from counted", f"{branch_name}-copy", superuser=True) == rows


def test_a_compute_that_removed_wal_nobody_received_starts_anew_from_the_last_commit(system, branch_name):
    """While the only safekeeper does not answer, the compute writes more than it keeps. What was acknowledged is there; nobody waits for
    ever."""
    system.branch(branch_name)
    pid = system.daemons()["safekeeper-sk1"]
    with system.connect(branch_name, superuser=True) as superuser:
        superuser.execute("create table counted (n int)")
        for setting in ("wal_keep_size = 0", "min_wal_size = '32MB'", "max_wal_size = '64MB'"):
            superuser.execute(f"alter system set {setting}")
        superuser.execute("select pg_reload_conf()")
        superuser.execute("insert into counted values (1)")
        compute = superuser.execute("select pg_postmaster_start_time()").fetchone()
        os.kill(pid, signal.SIGSTOP)
        try:
            superuser.execute("set synchronous_commit = off")
            for _ in range(4):
                superuser.execute("insert into counted values (2)")
                superuser.execute("select pg_switch_wal()")
            superuser.execute("checkpoint")
            superuser.execute("checkpoint")
            time.sleep(1)
        finally:
            os.kill(pid, signal.SIGCONT)

    def anew():
        return system.sql("select pg_postmaster_start_time()", branch_name, superuser=True)[0] != compute
    wait.until(anew, 90, "a compute made afresh")
    with system.connect(branch_name, superuser=True) as superuser:
        superuser.execute("insert into counted values (3)")
        values = [n for n, in superuser.execute("select n from counted order by n")]
        assert values[0] == 1 and values[-1] == 3


def test_a_load_waits_for_a_safekeeper_that_is_behind(system, branch_name):
    """It writes far more than the compute keeps, while the only safekeeper takes nothing. It waits, and can be cancelled; nothing is lost."""
    system.branch(branch_name)
    rows = 200_000
    with system.connect(branch_name, superuser=True) as superuser:
        for setting in ("wal_keep_size = '64MB'", "min_wal_size = '32MB'", "max_wal_size = '64MB'"):
            superuser.execute(f"alter system set {setting}")
        superuser.execute("select pg_reload_conf()")
        superuser.execute("create table loaded (n int, filler text)")
        superuser.execute("alter table loaded alter filler set storage plain")
        started = superuser.execute("select pg_postmaster_start_time()").fetchone()
        load = f"insert into loaded select i, repeat('x', 1000) from generate_series(1, {rows}) i"
        done = []

        def run():
            with system.connect(branch_name, superuser=True) as loader:
                loader.execute(load)
                done.append(True)
        loader = threading.Thread(target=run)
        pid = system.daemons()["safekeeper-sk1"]
        os.kill(pid, signal.SIGSTOP)
        try:
            loader.start()
            wait.until(lambda: superuser.execute("select 1 from pg_stat_activity where wait_event_type = 'Extension'").fetchone(), 60,
                       "the load to wait")
            with system.connect(branch_name, superuser=True) as other:
                other.execute("set statement_timeout = '2s'")
                with pytest.raises(psycopg.errors.QueryCanceled):
                    other.execute(load)
            superuser.execute("set synchronous_commit = off")
            for _ in range(8):
                superuser.execute("checkpoint")
                time.sleep(0.5)
            assert not done
        finally:
            os.kill(pid, signal.SIGCONT)
        loader.join(timeout=120)
        assert done, "the load did not end well"
        assert superuser.execute("select count(*) from loaded").fetchone() == (rows,)
        assert superuser.execute("select pg_postmaster_start_time()").fetchone() == started


def test_wal_that_is_to_be_kept_is_kept_although_the_pageserver_has_it(make_system):
    kept_segments = 3
    system = make_system()
    system.up("--wal-keep-size", f"{kept_segments * SEGMENT_BYTES >> 20}MB")
    positions = Positions(system)
    with system.connect("main", superuser=True) as superuser:
        write_segments(superuser, kept_segments + 4)
        end = lsn(superuser.execute("select pg_current_wal_flush_lsn()::text").fetchone()[0])
    system.json("compute", "stop", "main")
    # What may go, goes: all segments that end `kept_segments` before the log's end.
    first_kept = (end - kept_segments * SEGMENT_BYTES) // SEGMENT_BYTES * SEGMENT_BYTES
    wait.until(lambda: positions.log_begin() >= first_kept, 60, "the WAL before to be dropped")
    time.sleep(3)
    assert positions.log_begin() <= end - kept_segments * SEGMENT_BYTES < positions.durable()
    assert "other settings" in system.refused("up", "--wal-keep-size", "1GB")
