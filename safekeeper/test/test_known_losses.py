"""How others have lost acknowledged WAL, tried here. (A flush that failed while its position advanced is in test_storage.py; the longer log of
an older term in test_quorum.py.)"""

import contextlib
import os
import signal
import subprocess
import threading
import time

import pytest

from support import SEGMENT_BYTES, begin, committed_xids, elect, lsn, wait_until, waldump, write_ledger

QUORUM = "ANY 2 (bough_sk1, bough_sk2, bough_sk3)"
PAGE_BYTES = 8192
SHORT_HEADER_BYTES = 24
MESSAGE_OVERHEAD_BYTES = 24 + 5 + 24 + 2  # record header, length of the data, xl_logical_message, prefix "x"


def ends(members, branch):
    return [lsn(m.position(branch)["end_lsn"]) for m in members]


def emit_up_to(connection, boundary_bytes):
    """Writes one record that ends exactly on the next multiple of `boundary_bytes`; where that is."""
    for _ in range(20):
        at = lsn(connection.execute("select pg_current_wal_insert_lsn()::text").fetchone()[0])
        goal = (at // boundary_bytes + 1) * boundary_bytes
        if goal - at < 1000:  # too near for a record with a long length
            connection.execute("select pg_logical_emit_message(false, 'x', repeat('-', 2000))")
            continue
        further_pages = (goal - 1) // PAGE_BYTES - at // PAGE_BYTES
        length = goal - at - SHORT_HEADER_BYTES * further_pages - MESSAGE_OVERHEAD_BYTES
        end = lsn(connection.execute("select pg_logical_emit_message(false, 'x', repeat('-', %s))::text", (length,)).fetchone()[0])
        if end % boundary_bytes == 0:
            return end
    raise AssertionError("another record was always in the way")


@pytest.mark.parametrize("boundary", [PAGE_BYTES, SEGMENT_BYTES, "switch"], ids=["page", "segment", "switch"])
def test_a_log_that_ends_exactly_on_a_boundary_goes_on_in_the_next_term(pg, safekeepers, boundary):
    members = safekeepers(3)
    branch = begin(pg, members, QUORUM, "-c wal_writer_delay=10ms -c autovacuum=off")
    with pg.connect() as connection:
        xid = connection.execute("insert into ledger values (1) returning pg_current_xact_id()::text").fetchone()[0]
        for _ in range(10):
            if boundary == "switch":
                connection.execute("insert into ledger values (0)")
                connection.execute("select pg_switch_wal()")
                end = (lsn(connection.execute("select pg_current_wal_insert_lsn()::text").fetchone()[0]) // SEGMENT_BYTES) * SEGMENT_BYTES
            else:
                end = emit_up_to(connection, boundary)
            # The walwriter flushes whole pages by itself.
            wait_until(lambda: min(ends(members, branch)) >= end, what="the log")
            if ends(members, branch) == [end] * 3:
                break  # and no record of a checkpoint or the like came after it
    pg.stop("immediate")
    assert ends(members, branch) == [end] * 3
    for member in members:
        member.kill()
    for member in members:
        member.start()
    assert ends(members, branch) == [end] * 3
    members[2].kill()  # a stock server tells no term, so it would follow this one in its old term
    term, begin_lsn, _, _ = elect(members[:2], branch, pg.source, members)
    assert lsn(begin_lsn) == end
    pg.start(QUORUM)
    with pg.connect() as connection:
        xid2 = connection.execute("insert into ledger values (2) returning pg_current_xact_id()::text").fetchone()[0]
    for member in members[:2]:
        assert {int(xid), int(xid2)} <= committed_xids(member.branch_dir(branch), branch.start, lsn(member.position(branch)["end_lsn"]))
        assert member.position(branch)["last_term"] == term
    # The third joins, and has the same.
    members[2].start()
    assert members[2].vote(branch, term)["granted"]
    history = members[0].position(branch)["history"]
    members[2].begin(branch, term, begin_lsn, history, pg.source, peers=members[:2], donors=[members[0]])
    target = ends(members[:1], branch)[0]
    wait_until(lambda: ends(members[2:], branch)[0] >= target, what="the third to catch up")
    assert members[2].wal(branch, branch.start, target) == members[0].wal(branch, branch.start, target)
    waldump(members[2].branch_dir(branch), branch.start, target)


def test_a_safekeeper_that_joins_late_gets_the_whole_log_before_it_counts(pg, safekeepers):
    """It was never there, the compute has WAL of the last moment only, and one of the two that have all is away when it matters."""
    members = safekeepers(3)
    branch = pg.branch()
    for member in members[:2]:
        member.create(branch)
    term, begin_lsn, history, _ = elect(members[:2], branch, pg.source, members)
    pg.start(QUORUM)
    with pg.connect() as connection:
        connection.execute("create table ledger (id int)")
        xid = connection.execute("insert into ledger values (1) returning pg_current_xact_id()::text").fetchone()[0]
        connection.execute("create table t as select i, repeat(md5(i::text), 8) as w from generate_series(1, 60000) i")
        connection.execute("insert into ledger values (2)")
    end = max(ends(members[:2], branch))
    pg.stop()
    wait_until(lambda: len(set(ends(members[:2], branch))) == 1 and ends(members[:1], branch)[0] >= end, what="the shutdown checkpoint")
    members[2].create(branch)
    assert ends(members[2:], branch) == [branch.start]
    members[0].kill()
    voters = members[1:]
    term, begin_lsn, _, best = elect(voters, branch, pg.source, members)
    assert best is members[1] and ends(voters, branch) == [lsn(begin_lsn)] * 2
    pg.start(QUORUM)
    with pg.connect() as connection:
        xid2 = connection.execute("insert into ledger values (3) returning pg_current_xact_id()::text").fetchone()[0]
    # Now it is one of the two that have all: the other goes, the first comes back.
    pg.stop("immediate")
    members[1].kill()
    members[0].start()
    _, begin_lsn, _, best = elect([members[0], members[2]], branch, pg.source, members)
    assert best is members[2]
    found = committed_xids(members[0].branch_dir(branch), branch.start, lsn(begin_lsn))
    assert {int(xid), int(xid2)} <= found


def processes_of(pg):
    postmaster = int((pg.data / "postmaster.pid").read_text().split()[0])
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(postmaster)], capture_output=True, text=True).stdout.split()
    return [postmaster, *map(int, children)]


def test_an_old_compute_that_was_stopped_and_goes_on_never_acknowledges_again(pg, safekeepers, workdir):
    """SIGSTOP in the middle of commits; the branch is taken by another term; SIGCONT. (quorum_launchers has the new compute too.)"""
    members = safekeepers(3)
    branch = begin(pg, members, QUORUM, "-c wal_writer_delay=10ms -c autovacuum=off")
    acknowledged, stop = [], threading.Event()
    writers = [threading.Thread(target=write_ledger, args=(pg, acknowledged, stop), daemon=True) for _ in range(3)]
    for writer in writers:
        writer.start()
    wait_until(lambda: len(acknowledged) > 30, what="commits")
    stopped = processes_of(pg)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(0.3)
    noted = set(acknowledged)
    positions = ends(members, branch)
    term, begin_lsn, history, best = elect(members, branch, f"host={workdir / 'new'} port={pg.port} user=postgres")
    assert lsn(begin_lsn) == max(positions)
    assert noted <= committed_xids(best.branch_dir(branch), branch.start, lsn(begin_lsn))
    try:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):  # a walsender whose safekeeper is gone
                os.kill(pid, signal.SIGCONT)
        time.sleep(1)
        assert set(acknowledged) <= committed_xids(best.branch_dir(branch), branch.start, lsn(begin_lsn)), \
            "what was answered after SIGCONT is not what had been acknowledged before the election"
        before = len(acknowledged)
        # It goes on running, and waits for safekeepers that will not come.
        time.sleep(2)
        assert len(acknowledged) == before, "the old compute acknowledged a commit after the election"
        assert ends(members, branch) == [lsn(begin_lsn)] * 3, "bytes of the old compute were taken"
        assert not any(m.position(branch)["streaming"] for m in members)
    finally:
        stop.set()
        pg.stop("immediate")
