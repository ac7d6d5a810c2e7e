"""WAL that is no longer needed goes; what is needed stays; who was away for long begins anew."""

import subprocess
import threading
import time

import pytest

from support import (BINDIR, SEGMENT_BYTES, AdminError, announce, begin, committed_xids, dropped_to, elect, log_begin, lsn, lsn_text,
                     segment_name, segments, wait_until, waldump, write_ledger)

QUORUM = "ANY 2 (bough_sk1, bough_sk2, bough_sk3)"
SETTLING = 1.0  # several rounds of the housekeeper


def write_segments(pg, count):
    """Records in each of `count` segments; gives the end of the log."""
    with pg.connect() as connection:
        for _ in range(count):
            connection.execute("insert into ledger select generate_series(1, 1000)")
            connection.execute("select pg_switch_wal()")
        connection.execute("insert into ledger values (2)")
        return lsn(connection.execute("select pg_current_wal_flush_lsn()::text").fetchone()[0])


def committed(safekeeper, branch, end):
    wait_until(lambda: lsn(safekeeper.position(branch)["commit_lsn"]) >= end, what=f"{safekeeper.name} to reach {lsn_text(end)}")


def leave_behind(pg, members, branch, segments_on=5):
    """Kills the third, lets the others go on by so many segments and tells them that the pageserver has all. The log's end then."""
    end = write_segments(pg, 1)
    for member in members:
        committed(member, branch, end)
    members[2].kill()
    end = write_segments(pg, segments_on)
    for member in members[:2]:
        committed(member, branch, end)
        announce(member, branch, end)
    return end


def test_wal_goes_only_once_the_pageserver_has_it_and_never_beyond(pg, one):
    branch = begin(pg, [one])
    end = write_segments(pg, 5)
    committed(one, branch, end)
    time.sleep(SETTLING)
    assert log_begin(one, branch) == branch.start and segments(one, branch)[0] == segment_name(branch.start)

    # In the middle of a segment: that one stays whole.
    durable = branch.start // SEGMENT_BYTES * SEGMENT_BYTES + 2 * SEGMENT_BYTES + SEGMENT_BYTES // 2
    boundary = one.call("GET", f"{one.branch(branch)}/boundary?lsn={lsn_text(durable)}")
    announce(one, branch, durable)
    at = dropped_to(one, branch, durable)
    assert at <= durable and at // SEGMENT_BYTES == durable // SEGMENT_BYTES
    assert one.call("GET", f"{one.branch(branch)}/boundary?lsn={lsn_text(durable)}") == boundary
    # An older announcement changes nothing.
    assert lsn(announce(one, branch, branch.start)["durable_lsn"]) == durable

    # What begins is read from there on, and what is gone is gone, with a word.
    assert waldump(one.branch_dir(branch), at, end)
    with pytest.raises(AdminError) as error:
        one.call("GET", f"{one.branch(branch)}/boundary?lsn={lsn_text(branch.start)}")
    assert error.value.status == 422
    with pytest.raises(AdminError) as error:
        one.call("GET", f"{one.branch(branch)}/wal?from={lsn_text(branch.start)}&to={lsn_text(branch.start + 8)}")
    assert error.value.status == 422

    # Whatever is announced, the commit LSN is the limit, and the newest segment stays.
    announce(one, branch, end + 100 * SEGMENT_BYTES)
    at = dropped_to(one, branch, end)
    assert at <= end
    one.kill()
    one.start()
    position = one.position(branch)
    assert lsn(position["begin_lsn"]) == at and lsn(position["end_lsn"]) >= end
    assert lsn(position["durable_lsn"]) == end + 100 * SEGMENT_BYTES
    more = write_segments(pg, 2)
    committed(one, branch, more)
    assert "COMMIT" in waldump(one.branch_dir(branch), dropped_to(one, branch, more), more)


def test_a_client_that_asks_for_dropped_wal_gets_postgres_s_own_error(pg, one, workdir):
    branch = begin(pg, [one])
    end = write_segments(pg, 3)
    committed(one, branch, end)
    announce(one, branch, end)
    at = dropped_to(one, branch, end)
    copy = workdir / "copy"
    copy.mkdir()
    (copy / (segment_name(branch.start) + ".partial")).touch()
    receiver = subprocess.run([BINDIR / "pg_receivewal", "-D", copy, "-d", one.conninfo(branch), "--no-loop", "--endpos", lsn_text(end)],
                              capture_output=True, text=True, timeout=60)
    assert receiver.returncode != 0
    assert f"requested WAL segment {segment_name(branch.start)} has already been removed" in receiver.stderr
    # From where the log begins it gets all.
    (copy / (segment_name(branch.start) + ".partial")).unlink()
    (copy / (segment_name(at) + ".partial")).touch()
    receiver = subprocess.run([BINDIR / "pg_receivewal", "-D", copy, "-d", one.conninfo(branch), "--no-loop", "--endpos", lsn_text(end)],
                              capture_output=True, text=True, timeout=60)
    assert receiver.returncode == 0, receiver.stderr


def test_kills_while_wal_goes_leave_a_whole_log(pg, one):
    branch = begin(pg, [one])
    acknowledged, stop = [], threading.Event()
    writer = threading.Thread(target=write_ledger, args=(pg, acknowledged, stop))
    writer.start()
    try:
        for _ in range(6):
            with pg.connect() as connection:
                connection.execute("set synchronous_commit = off; select pg_switch_wal()")
            end = lsn(one.position(branch)["commit_lsn"])
            announce(one, branch, end)
            time.sleep(0.3)
            one.kill()
            one.start()
            assert lsn(one.position(branch)["begin_lsn"]) <= end
    finally:
        stop.set()
        writer.join()
    durable = lsn(one.position(branch)["commit_lsn"])
    assert durable >= branch.start + 4 * SEGMENT_BYTES
    announce(one, branch, durable)
    at = dropped_to(one, branch, durable)
    with pg.connect() as connection:
        end = lsn(connection.execute("select pg_current_wal_flush_lsn()::text").fetchone()[0])
    committed(one, branch, end)
    found = committed_xids(one.branch_dir(branch), at, end)
    # Those before `at` went; of those that are there none is missing in between.
    kept = [xid for xid in acknowledged if xid >= min(found)]
    assert kept and set(kept) <= found


def test_a_peer_that_is_behind_finds_its_wal_within_the_bound(pg, safekeepers):
    members = safekeepers(3)
    branch = begin(pg, members, QUORUM)
    behind = members[2]
    end = leave_behind(pg, members, branch, 3)
    time.sleep(SETTLING)
    # It is known how far the third had come.
    for member in members[:2]:
        assert lsn(member.position(branch)["end_lsn"]) >= end
        assert log_begin(member, branch) // SEGMENT_BYTES <= branch.start // SEGMENT_BYTES + 1
    behind.start()
    committed(behind, branch, end)
    # Now nobody needs it any more.
    for member in members[:2]:
        dropped_to(member, branch, end)


@pytest.mark.parametrize("compute_keeps", [True, False])
def test_a_peer_beyond_the_bound_begins_its_log_anew(pg, safekeepers, compute_keeps):
    """The compute has dropped the WAL within the term, or a new term begins that must be caught up with from a donor."""
    members = safekeepers(3, ["--peer-wal-max", "16MB"])
    branch = begin(pg, members, QUORUM, "" if compute_keeps else "-c wal_keep_size=0 -c max_wal_size=64MB -c min_wal_size=32MB")
    away = members[2]
    end = leave_behind(pg, members, branch)
    for member in members[:2]:
        assert dropped_to(member, branch, end - 2 * SEGMENT_BYTES) <= end
    if compute_keeps:
        pg.stop()
        away.start()
        elect(members, branch, pg.source)
        pg.start(QUORUM)
        assert away.position(branch)["term"] == 2
    else:
        with pg.connect() as connection:
            connection.execute("checkpoint")
            connection.execute("checkpoint")
        away.start()
    committed(away, branch, end)
    at = log_begin(away, branch)
    assert at > branch.start + SEGMENT_BYTES and at <= end
    assert segments(away, branch)[0] == segment_name(at)
    assert "begins anew" in away.log()

    # It is a full member: the same WAL, also after a crash, and commits go on with it and one other.
    away.kill()
    away.start()
    assert log_begin(away, branch) == at
    members[0].kill()
    acknowledged, stop = [], threading.Event()
    writer = threading.Thread(target=write_ledger, args=(pg, acknowledged, stop))
    writer.start()
    wait_until(lambda: len(acknowledged) > 50, what="commits with the one that began anew")
    stop.set()
    writer.join()
    with pg.connect() as connection:
        end = lsn(connection.execute("select pg_current_wal_flush_lsn()::text").fetchone()[0])
    for member in members[1:]:
        committed(member, branch, end)

    # From the beginning of the first segment that both have: also what precedes the beginning of the log was fetched.
    def same_wal():
        both = max(log_begin(away, branch), log_begin(members[1], branch)) // SEGMENT_BYTES * SEGMENT_BYTES
        try:
            return away.wal(branch, both, end) == members[1].wal(branch, both, end)
        except FileNotFoundError:
            return False  # it was dropped meanwhile
    wait_until(same_wal, what="both to hold the same WAL")
    assert set(acknowledged) <= committed_xids(away.branch_dir(branch), at, end)
    # And its vote counts: it may be the one that a new term begins with.
    pg.stop("immediate")
    term, begin_lsn, _, _ = elect([away, members[1]], branch, pg.source, members)
    assert lsn(begin_lsn) >= end
    assert set(acknowledged) <= committed_xids(away.branch_dir(branch), at, lsn(begin_lsn))


def test_a_reader_gets_nothing_of_a_log_that_has_ended(pg, safekeepers, workdir):
    """It waits at the end of a log that then begins anew: behind that end there are zeros in the file that it has open."""
    members = safekeepers(3, ["--peer-wal-max", "16MB"])
    branch = begin(pg, members, QUORUM)
    away = members[2]
    end = leave_behind(pg, members, branch)
    for member in members[:2]:
        dropped_to(member, branch, end - 2 * SEGMENT_BYTES)
    pg.stop()
    away.start()
    behind = lsn(away.position(branch)["end_lsn"])
    committed(away, branch, behind)
    copy = workdir / "copy"
    copy.mkdir()
    partial = copy / (segment_name(behind) + ".partial")
    partial.touch()
    receiver = subprocess.Popen([BINDIR / "pg_receivewal", "-D", copy, "-d", away.conninfo(branch), "--no-loop"], stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: receiver.poll() is not None or partial.read_bytes()[:behind % SEGMENT_BYTES].rstrip(b"\0"), what="the receiver to be at the log's end")
        assert receiver.poll() is None, receiver.stderr.read()
        time.sleep(SETTLING)
        elect(members, branch, pg.source)
        wait_until(lambda: log_begin(away, branch) > behind, what="the log to begin anew")
        _, said = receiver.communicate(timeout=30)
    finally:
        receiver.kill()
    assert f"requested WAL segment {segment_name(behind)} has already been removed" in said
    assert sorted(f.name for f in copy.iterdir()) == [partial.name]


def test_wal_that_nobody_could_commit_is_taken_from_a_peer(pg, safekeepers):
    """One is dead, one was away while the compute wrote and dropped more than it keeps: only the third has that, and cannot know that it
    is committed. Commits go on when the one that was away is back."""
    members = safekeepers(3)
    branch = begin(pg, members, QUORUM, "-c wal_keep_size=0 -c max_wal_size=1GB -c min_wal_size=32MB")
    end = write_segments(pg, 1)
    for member in members:
        committed(member, branch, end)
    members[2].kill()
    members[1].kill()
    with pg.connect() as connection:
        connection.execute("set synchronous_commit = local")
        for _ in range(6):
            connection.execute("insert into ledger select generate_series(1, 1000)")
            connection.execute("select pg_switch_wal()")
        def one_has_all():
            written = lsn(connection.execute("select pg_current_wal_flush_lsn()::text").fetchone()[0])
            wait_until(lambda: lsn(members[0].position(branch)["flush_lsn"]) >= written, what="one to have it all")
            return written
        one_has_all()
        connection.execute("checkpoint")
        connection.execute("checkpoint")
        written = one_has_all()
        oldest = connection.execute("select min(name) from pg_ls_waldir() where name ~ '^[0-9A-F]{24}$'").fetchone()[0]
        assert oldest > segment_name(lsn(members[0].position(branch)["commit_lsn"]))
    members[1].start()
    wait_until(lambda: lsn(members[1].position(branch)["flush_lsn"]) >= written, what="two to have it all")
    with pg.connect() as connection:
        connection.execute("insert into ledger values (3)")
    same = end // SEGMENT_BYTES * SEGMENT_BYTES
    assert members[0].wal(branch, same, written) == members[1].wal(branch, same, written)


def test_a_child_of_dropped_wal_keeps_its_own(pg, one):
    branch = begin(pg, [one])
    end = write_segments(pg, 2)
    committed(one, branch, end)
    early = one.call("GET", f"{one.branch(branch)}/boundary?lsn={lsn_text(branch.start + SEGMENT_BYTES + 20000)}")
    announce(one, branch, end)
    dropped_to(one, branch, end)
    child = "/v1/branches/p1/child"
    one.call("PUT", child, {"start_lsn": early["lsn"], "prev_lsn": early["prev_lsn"],
                            "system_identifier": branch.origin["system_identifier"], "segment_bytes": SEGMENT_BYTES,
                            "parent": {"branch": branch.name}})
    start = lsn(early["lsn"])
    status, prefix = one.request("GET", f"{child}/wal?from={lsn_text(start // SEGMENT_BYTES * SEGMENT_BYTES)}&to={lsn_text(start)}")
    # Page headers, which a reader of what follows needs, and nothing else.
    assert status == 200 and len(prefix) == start % SEGMENT_BYTES and prefix[:2] == b"\x10\xd1"
    assert prefix.count(0) > len(prefix) - 100
