"""A safekeeper whose disk is full: commits that need it wait, nothing is lost, and all goes on once there is room."""

import contextlib
import pathlib
import subprocess
import threading
import time

import pytest

from support import announce, begin, committed_xids, dropped_to, elect, log_begin, lsn, wait_until, write_ledger

DISK_BYTES = 256 << 20
QUORUM = "ANY 2 (bough_sk1, bough_sk2, bough_sk3)"


@pytest.fixture
def small_disk(workdir):
    """A file system with room for a few segments, at the data directory of sk1."""
    directory = workdir / "sk1"
    directory.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "bough-test", directory], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"may not mount a file system: {mounted.stderr.strip()}")
    yield directory
    subprocess.run(["umount", "-l", directory], check=True)


class Ballast:
    """Takes all room but some on the disk."""

    def __init__(self, directory):
        self.path = pathlib.Path(directory) / "ballast"

    def fill(self, leave):
        with open(self.path, "wb", buffering=0) as file:
            for piece in (1 << 20, 4096):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(piece))
            file.truncate(file.tell() - leave)

    def remove(self):
        self.path.unlink(missing_ok=True)


def end_of(pg):
    with pg.connect() as connection:
        return lsn(connection.execute("select pg_current_wal_flush_lsn()::text").fetchone()[0])


def write_without_waiting(pg, segments):
    with pg.connect() as connection:
        connection.execute("set synchronous_commit = off")
        for _ in range(segments):
            connection.execute("insert into ledger select generate_series(1, 1000)")
            connection.execute("select pg_switch_wal()")


def is_full(safekeeper):
    return safekeeper.call("GET", "/status")["disk_full"]


def metric(safekeeper, name):
    text = safekeeper.request("GET", "/metrics")[1].decode()
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))


class Writer:
    """Commits all the time; `acknowledged` is what was answered."""

    def __init__(self, pg):
        self.acknowledged, self.stopping = [], threading.Event()
        self.thread = threading.Thread(target=write_ledger, args=(pg, self.acknowledged, self.stopping))
        self.thread.start()

    def goes_on(self, meanwhile=lambda: None):
        before = len(self.acknowledged)
        wait_until(lambda: meanwhile() or len(self.acknowledged) > before + 20, what="commits to go on")

    def waits(self):
        before = len(self.acknowledged)
        time.sleep(1.5)
        assert len(self.acknowledged) <= before + 1

    def stop(self):
        self.stopping.set()
        self.thread.join()


def test_commits_wait_for_room_on_the_only_disk_and_none_is_lost(pg, small_disk, one):
    branch = begin(pg, [one], "ANY 1 (bough_sk1)")
    writer = Writer(pg)
    ballast = Ballast(small_disk)
    try:
        writer.goes_on()
        assert not is_full(one)
        ballast.fill(leave=3 << 20)
        write_without_waiting(pg, 4)
        wait_until(lambda: is_full(one), what="the disk to be full")
        writer.waits()
        assert metric(one, "bough_safekeeper_disk_full") == 1
        assert "is full: WAL is not taken" in one.log()
        # A restart neither helps nor harms.
        one.kill()
        one.start()
        wait_until(lambda: is_full(one), what="the disk to be full still")
        writer.waits()

        ballast.remove()
        writer.goes_on()
        end = end_of(pg)
        wait_until(lambda: lsn(one.position(branch)["commit_lsn"]) >= end, what="the safekeeper to catch up")
        wait_until(lambda: not is_full(one), what="the word to be taken back")
        wait_until(lambda: "there is room again" in one.log(), what="a line in the log")

        # Full once more; now WAL that the pageserver has makes room, without anybody's help.
        ballast.fill(leave=3 << 20)
        write_without_waiting(pg, 4)
        wait_until(lambda: is_full(one), what="the disk to be full again")
        dropped, told = log_begin(one, branch), []

        def pageserver_keeps_up():
            told.append(lsn(one.position(branch)["commit_lsn"]))
            announce(one, branch, told[-1])
        pageserver_keeps_up()
        wait_until(lambda: log_begin(one, branch) > dropped, what="WAL to be dropped on a full disk")
        writer.goes_on(meanwhile=pageserver_keeps_up)
    finally:
        ballast.remove()
        writer.stop()
    end = end_of(pg)
    wait_until(lambda: lsn(one.position(branch)["commit_lsn"]) >= end, what="the end")
    # What it has been told to drop may still be going; it is looked at where it stays.
    found = committed_xids(one.branch_dir(branch), dropped_to(one, branch, told[-1]), end)
    kept = [xid for xid in writer.acknowledged if xid >= min(found)]
    assert kept and set(kept) <= found


def test_a_vote_is_granted_on_a_full_disk(pg, small_disk, one):
    branch = begin(pg, [one], "ANY 1 (bough_sk1)")
    with pg.connect() as connection:
        connection.execute("insert into ledger values (1)")
    ballast = Ballast(small_disk)
    ballast.fill(leave=0)
    assert one.vote(branch, 2)["granted"]
    one.kill()
    one.start()
    assert one.position(branch)["term"] == 2
    ballast.remove()


def test_a_tail_is_cut_on_a_full_disk(pg, small_disk, safekeepers):
    """A begin that must shorten the log first writes down that it will be shorter."""
    members = safekeepers(3)
    branch = begin(pg, members, QUORUM)
    point = end_of(pg)
    for member in members:
        wait_until(lambda: lsn(member.position(branch)["end_lsn"]) >= point, what="the same log on all")
    pg.stop("immediate")
    point = max(lsn(member.position(branch)["end_lsn"]) for member in members)
    _, begin_lsn, history, _ = elect(members, branch, pg.source)
    for member in members[1:]:
        member.kill()
    pg.start("ANY 2 (bough_sk1, bough_sk2, bough_sk3)", "-c synchronous_commit=local")
    with pg.connect() as connection:
        connection.execute("create table lost as select generate_series(1, 20000)")
    wait_until(lambda: lsn(members[0].position(branch)["end_lsn"]) > point + 100000, what="a tail")
    pg.stop("immediate")
    assert members[0].vote(branch, 3)["granted"]  # the control file now says how long the log is
    ballast = Ballast(small_disk)
    ballast.fill(leave=0)
    try:
        history = history + [{"term": 3, "begin_lsn": begin_lsn}]
        begun = members[0].begin(branch, 3, begin_lsn, history, pg.source, peers=members[1:])
        assert begun["end_lsn"] == begin_lsn and begun["last_term"] == 3
        members[0].kill()
        members[0].start()
        position = members[0].position(branch)
        assert position["end_lsn"] == begin_lsn and position["last_term"] == 3
    finally:
        ballast.remove()


def test_two_others_go_on_and_the_full_one_catches_up(pg, small_disk, safekeepers):
    members = safekeepers(3)
    full = members[0]
    branch = begin(pg, members, QUORUM)
    writer = Writer(pg)
    ballast = Ballast(small_disk)
    try:
        writer.goes_on()
        ballast.fill(leave=1 << 20)
        write_without_waiting(pg, 4)
        wait_until(lambda: is_full(full), what="the disk to be full")
        assert not is_full(members[1])
        writer.goes_on()
        assert lsn(full.position(branch)["end_lsn"]) < lsn(members[1].position(branch)["end_lsn"])
        ballast.remove()
        wait_until(lambda: lsn(full.position(branch)["end_lsn"]) >= lsn(members[1].position(branch)["commit_lsn"]), what="it to catch up")
    finally:
        ballast.remove()
        writer.stop()
    end = end_of(pg)
    for member in members:
        wait_until(lambda: lsn(member.position(branch)["commit_lsn"]) >= end, what=f"{member.name} to have all")
        assert set(writer.acknowledged) <= committed_xids(member.branch_dir(branch), branch.start, end)
    assert full.wal(branch, branch.start, end) == members[1].wal(branch, branch.start, end)
