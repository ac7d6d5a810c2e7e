"""One safekeeper behind a stock server, with stock clients."""

import os
import random
import shutil
import subprocess
import threading
import time

import pytest

from support import (BINDIR, SEGMENT_BYTES, AdminError, Branch, committed_xids, elect, lsn, lsn_text, segment_name, wait_until, waldump,
                     write_ledger)


def begin(pg, safekeeper):
    branch = pg.branch()
    safekeeper.create(branch)
    elect([safekeeper], branch, pg.source)
    pg.start("ANY 1 (bough_sk1)")
    return branch


def test_a_server_that_does_not_know_of_sending_when_answered_is_followed_all_the_same(pg, safekeepers):
    one, = safekeepers(1, ("--send-when-answered",))
    branch = begin(pg, one)
    pg.run("pgbench", "-i", "-s", "1", "-q")
    pg.run("pgbench", "-c", "4", "-t", "50", "-n")
    end = caught_up(pg, one, branch)
    assert lsn(one.position(branch)["flush_lsn"]) >= end


def flush_position(pg):
    with pg.connect() as connection:
        return lsn(connection.execute("select pg_current_wal_flush_lsn()::text").fetchone()[0])


def caught_up(pg, safekeeper, branch):
    target = flush_position(pg)
    wait_until(lambda: lsn(safekeeper.position(branch)["commit_lsn"]) >= target, what="the safekeeper to catch up")
    return target


def test_pgbench_arrives_and_stock_tools_read_it(pg, one, workdir):
    branch = begin(pg, one)
    pg.run("pgbench", "-i", "-s", "2", "-q")
    pg.run("pgbench", "-c", "4", "-j", "2", "-t", "200", "-n")
    end = caught_up(pg, one, branch)
    position = one.position(branch)
    assert position["streaming"] and position["last_term"] == 1 and position["flush_lsn"] == position["commit_lsn"]
    assert one.wal(branch, branch.start, end) == b"".join(
        [(pg.data / "pg_wal" / segment_name(p)).read_bytes()[p % SEGMENT_BYTES:min(SEGMENT_BYTES, p % SEGMENT_BYTES + end - p)]
         for p in [branch.start, *range((branch.start // SEGMENT_BYTES + 1) * SEGMENT_BYTES, end, SEGMENT_BYTES)]])
    assert "COMMIT" in waldump(one.branch_dir(branch), branch.start, end)

    # pg_receivewal, from the segment's beginning, with the branch named in options.
    copy = workdir / "copy"
    copy.mkdir()
    # It begins with the newest segment that it finds there.
    (copy / (segment_name(branch.start) + ".partial")).touch()
    receiver = subprocess.run([BINDIR / "pg_receivewal", "-D", copy, "-d", one.conninfo(branch), "--no-loop", "--endpos", lsn_text(end),
                               "-v"], capture_output=True, text=True, timeout=60)
    assert receiver.returncode == 0, receiver.stderr
    for file in sorted(copy.iterdir()):
        original = (one.branch_dir(branch) / file.name.removesuffix(".partial")).read_bytes()
        assert len(original) == SEGMENT_BYTES
        copied = file.read_bytes()
        known = end % SEGMENT_BYTES if file.name.endswith(".partial") else SEGMENT_BYTES
        assert copied[:known] == original[:known], file.name
    assert len(list(copy.iterdir())) == end // SEGMENT_BYTES - branch.start // SEGMENT_BYTES + 1
    pg.stop()


def test_boundaries_and_raw_wal(pg, one):
    branch = begin(pg, one)
    pg.run("pgbench", "-i", "-s", "1", "-q")
    end = caught_up(pg, one, branch)
    path = one.branch(branch)
    starts = [lsn(line.split("lsn: ")[1].split(",")[0]) for line in waldump(one.branch_dir(branch), branch.start, end).splitlines()]
    for i in random.sample(range(1, len(starts) - 1), 20):
        # A position inside a record is after the end of the one before it.
        answer = one.call("GET", f"{path}/boundary?lsn={lsn_text(starts[i] + 8)}")
        assert lsn(answer["prev_lsn"]) == starts[i - 1]
        assert starts[i - 1] < lsn(answer["lsn"]) <= starts[i]
    assert one.call("GET", f"{path}/boundary?lsn={lsn_text(branch.start)}") == {
        "lsn": branch.origin["start_lsn"], "prev_lsn": branch.origin["prev_lsn"]}
    for bad, status in ((lsn_text(branch.start - 8), 422), (lsn_text(end + (1 << 30)), 422), ("x", 400)):
        with pytest.raises(AdminError) as error:
            one.call("GET", f"{path}/boundary?lsn={bad}")
        assert error.value.status == status
    status, content = one.request("GET", f"{path}/wal?from={lsn_text(branch.start)}&to={lsn_text(branch.start + 100000)}")
    assert status == 200 and content == one.wal(branch, branch.start, branch.start + 100000)
    assert one.request("GET", f"{path}/wal?from={lsn_text(end - 8)}&to={lsn_text(end + (15 << 20))}")[0] == 422


def test_kill_9_loses_no_acknowledged_commit(pg, one):
    branch = begin(pg, one)
    with pg.connect() as connection:
        connection.execute("create table ledger (id int)")
    acknowledged = []
    stop = threading.Event()

    writers = [threading.Thread(target=write_ledger, args=(pg, acknowledged, stop)) for _ in range(3)]
    for writer in writers:
        writer.start()
    rng = random.Random(7)
    for round in range(15):
        # However busy the machine: enough commits for the kill to hit some under way.
        wait_until(lambda: len(acknowledged) > 20 * (round + 1), what="commits to go on")
        time.sleep(rng.uniform(0.05, 0.4))
        one.kill()
        count = len(acknowledged)
        time.sleep(0.1)
        # At most what was acknowledged before the kill and not yet noted.
        assert len(acknowledged) <= count + 3
        one.start()
    before = len(acknowledged)
    wait_until(lambda: len(acknowledged) > before + 50, what="commits to go on")
    one.kill()
    stop.set()
    noted = set(acknowledged)
    pg.stop("immediate")
    for writer in writers:
        writer.join(timeout=1)
    one.start()
    position = one.position(branch)
    found = committed_xids(one.branch_dir(branch), branch.start, lsn(position["end_lsn"]))
    assert len(noted) > 300
    assert noted <= found


def test_a_vote_fences_the_old_compute(pg, one):
    branch = begin(pg, one)
    with pg.connect() as connection:
        connection.execute("create table t (i int)")
        vote = one.vote(branch, 2)
        assert vote["granted"] and not vote["streaming"] and vote["last_term"] == 1
        connection.execute("set statement_timeout = '1s'")
        started = time.monotonic()
        done = threading.Thread(target=lambda: connection.execute("insert into t values (1)"), daemon=True)
        done.start()
        done.join(timeout=1.5)
        assert done.is_alive(), "a commit was acknowledged by a safekeeper that had promised a new term"
        assert one.position(branch)["end_lsn"] == vote["end_lsn"]
        # The same compute takes part in the new term here: then it goes on.
        one.begin(branch, 2, vote["end_lsn"], vote["history"], pg.source)
        done.join(timeout=10)
        assert not done.is_alive()
    assert time.monotonic() - started > 1
    assert [h["term"] for h in one.position(branch)["history"]] == [1, 2]


def test_votes_survive_kill_9(pg, one):
    branch = begin(pg, one)
    assert one.vote(branch, 5)["granted"]
    one.kill()
    one.start()
    assert not one.vote(branch, 5)["granted"]
    assert not one.vote(branch, 3)["granted"]
    position = one.position(branch)
    assert position["term"] == 5 and position["last_term"] == 1 and not position["streaming"]
    for term, status in ((5, 200), (4, 409), (6, 409)):
        if status == 200:
            one.begin(branch, term, position["end_lsn"], position["history"], pg.source)
        else:
            with pytest.raises(AdminError) as error:
                one.begin(branch, term, position["end_lsn"], position["history"], pg.source)
            assert error.value.status == status
    wait_until(lambda: one.position(branch)["streaming"], what="the stream to go on")


def test_clean_stop_and_restart_goes_on(pg, one):
    branch = begin(pg, one)
    pg.run("pgbench", "-i", "-s", "1", "-q")
    pg.stop()
    end, last = pg.end_of_log()
    position = wait_until(lambda: (p := one.position(branch)) and lsn(p["end_lsn"]) == end and p, what="the shutdown checkpoint")
    assert lsn(position["last_record_lsn"]) == last
    one.stop()
    one.start()
    assert {k: v for k, v in one.position(branch).items() if k not in ("streaming", "state")} == {
        k: v for k, v in position.items() if k not in ("streaming", "state")}
    # A new term on the same data directory.
    elect([one], branch, pg.source)
    pg.start("ANY 1 (bough_sk1)")
    pg.run("pgbench", "-c", "2", "-t", "50", "-n")
    caught_up(pg, one, branch)
    assert one.position(branch)["last_term"] == 2


def test_a_compute_of_another_term_or_system_is_refused(pg, one):
    branch = pg.branch()
    one.create(branch)
    elect([one], branch, pg.source)
    pg.start("", "-c bough.term=7")
    wait_until(lambda: "the compute is of term 7, the log here is of term 1" in one.log(), what="the refusal")
    assert not one.position(branch)["streaming"]
    other = Branch("p1", "other", branch.start, branch.start - 100, 12345)
    one.create(other)
    elect([one], other, pg.source)
    wait_until(lambda: "the branch's is 12345" in one.log(), what="the refusal")


@pytest.mark.parametrize("said", ["-c bough.project=p1 -c bough.branch=later", "-c bough.project=p2 -c bough.branch=main"])
def test_the_compute_of_another_branch_gets_no_acknowledgement(pg, one, said):
    """A branch was deleted unnoticed here, and its port went to another one: of the same system, and in its first term, too."""
    branch = pg.branch()
    one.create(branch)
    elect([one], branch, pg.source)
    pg.start("ANY 1 (bough_sk1)", f"-c bough.term=1 {said}")
    with pg.connect() as connection:
        connection.execute("set synchronous_commit = local")
        connection.execute("create table other as select generate_series(1, 1000)")
        wait_until(lambda: "the compute is of" in one.log() or one.position(branch)["streaming"], what="the refusal")
        assert not one.position(branch)["streaming"]
        assert connection.execute("select count(*) from pg_stat_replication where state = 'streaming'").fetchone()[0] == 0
        assert lsn(one.position(branch)["end_lsn"]) == branch.start
    pg.stop("immediate")
    pg.start("ANY 1 (bough_sk1)", "-c bough.term=1 -c bough.project=p1 -c bough.branch=main")
    with pg.connect() as connection:
        connection.execute("create table ours (i int)")
    assert lsn(one.position(branch)["end_lsn"]) > branch.start


def test_who_asks_after_an_acknowledgement_is_told_of_it(pg, one):
    """A branch at the tip has every commit that was acknowledged before. All on one CPU, where whoever is woken runs first."""
    branch = begin(pg, one)
    cpu = min(os.sched_getaffinity(0))
    with pg.connect() as connection:
        backend, walsenders = connection.execute("select pg_backend_pid(), array(select pid from pg_stat_replication)").fetchone()
        threads = [int(thread) for thread in os.listdir(f"/proc/{one.process.pid}/task")]
        for task in [backend, *walsenders, *threads]:
            os.sched_setaffinity(task, {cpu})
        connection.execute("create table told (i int)")
        for i in range(1000):
            before = connection.execute(f"insert into told values ({i}) returning pg_current_wal_insert_lsn()::text").fetchone()[0]
            assert lsn(one.position(branch)["end_lsn"]) > lsn(before)


def test_a_stock_standby_follows(pg, one, workdir):
    cold = pg.copy_to(workdir / "standby")
    branch = begin(pg, one)
    with open(cold.data / "postgresql.auto.conf", "a") as conf:
        options = f"-c bough.project={branch.project} -c bough.branch={branch.name}"
        conf.write(f"primary_conninfo = 'host={one.run_dir} port={one.port} user=x options=''{options}'''\n")
    (cold.data / "standby.signal").touch()
    for path in (cold.data / "standby.signal", one.run_dir / f".s.PGSQL.{one.port}"):
        shutil.chown(path, "postgres", "postgres")
    cold.start("")
    try:
        pg.run("pgbench", "-i", "-s", "1", "-q")
        with cold.connect() as standby, pg.connect() as primary:
            count = primary.execute("select count(*) from pgbench_accounts").fetchone()[0]
            primary.execute("create table last_one as select 1 as x")
            wait_until(lambda: standby.execute("select to_regclass('last_one') is not null").fetchone()[0], what="the standby")
            assert standby.execute("select count(*) from pgbench_accounts").fetchone()[0] == count == 100000
    finally:
        cold.stop("immediate")


def test_a_branch_inherits_the_beginning_of_its_first_segment(pg, one, workdir):
    branch = begin(pg, one)
    pg.run("pgbench", "-i", "-s", "1", "-q")
    end = caught_up(pg, one, branch)
    point = one.call("GET", f"{one.branch(branch)}/boundary?lsn={lsn_text((branch.start + end) // 2)}")
    child = Branch("p1", "child", lsn(point["lsn"]), lsn(point["prev_lsn"]), branch.origin["system_identifier"], parent="main")
    one.create(child)
    grandchild = Branch("p1", "grandchild", child.start, lsn(point["prev_lsn"]), branch.origin["system_identifier"], parent="child")
    one.create(grandchild)
    assert one.create(child)["start_lsn"] == point["lsn"]  # idempotent
    with pytest.raises(AdminError) as error:
        one.create(Branch("p1", "child", child.start - 8, child.start - 100, branch.origin["system_identifier"]))
    assert error.value.status == 409
    # The parent may go: its child takes what it needs.
    pg.stop("immediate")
    content = (one.branch_dir(branch) / segment_name(child.start)).read_bytes()
    one.call("DELETE", one.branch(branch))
    one.call("DELETE", one.branch(branch))
    assert not one.branch_dir(branch).exists()
    offset = child.start % SEGMENT_BYTES
    first = (one.branch_dir(child) / segment_name(child.start)).read_bytes()
    assert first[:offset] == content[:offset] and not any(first[offset:])
    segment = child.start - offset
    assert one.request("GET", f"{one.branch(grandchild)}/wal?from={lsn_text(segment)}&to={lsn_text(child.start)}")[1] == content[:offset]
    assert {b["branch"] for b in one.call("GET", "/v1/branches")["branches"]} == {"child", "grandchild"}
