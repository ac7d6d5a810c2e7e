"""The reserve: the safekeeper of three that takes WAL in larger steps while the other two keep up, and stands in for one that does not."""

import re
import signal
import statistics
import threading
import time

from support import elect, wait_until
import pytest

QUORUM = "ANY 2 (bough_sk1, bough_sk2, bough_sk3)"
STEP_MS = 100


class Commits:
    """Small commits, one after another, and how long each took."""

    def __init__(self, pg):
        self.taken, self.stopping = [], threading.Event()
        self.thread = threading.Thread(target=self.run, args=(pg,))
        self.thread.start()

    def run(self, pg):
        with pg.connect() as connection:
            connection.execute("create table if not exists t (i int)")
            while not self.stopping.is_set():
                begin = time.monotonic()
                connection.execute("insert into t values (1)")
                self.taken.append(time.monotonic() - begin)

    def median_of(self, seconds):
        """Of those that end within the next seconds."""
        first = len(self.taken)
        time.sleep(seconds)
        assert len(self.taken) > first, "no commit at all"
        return statistics.median(self.taken[first:])

    def end(self):
        self.stopping.set()
        self.thread.join()


def syncs(member):
    status, text = member.request("GET", "/metrics")
    assert status == 200
    return int(re.search(rb"^bough_safekeeper_wal_sync_seconds_count (\d+)", text, re.M)[1])


def syncs_within(members, seconds):
    before = [syncs(member) for member in members]
    time.sleep(seconds)
    return [syncs(member) - count for member, count in zip(members, before)]


@pytest.fixture
def running(pg, safekeepers):
    members = safekeepers(3, ("--reserve-step", str(STEP_MS)))
    branch = pg.branch()
    for member in members:
        member.create(branch)
    elect(members, branch, pg.source)
    pg.start(QUORUM)
    commits = Commits(pg)
    yield members, commits
    commits.end()


def reserve_of(members):
    """The one that syncs seldom, once there is one."""
    def found():
        counts = syncs_within(members, 1)
        few = [member for member, count in zip(members, counts) if count <= 1000 / STEP_MS + 5]
        others = [count for member, count in zip(members, counts) if member not in few]
        return few[0] if len(few) == 1 and min(others) > 2 * 1000 / STEP_MS else None
    return wait_until(found, what="one member to take larger steps than the others")


def test_a_reserve_takes_larger_steps_and_delays_no_commit(running):
    members, commits = running
    reserve_of(members)
    assert commits.median_of(1) < STEP_MS / 2000


@pytest.mark.parametrize("how", (signal.SIGSTOP, signal.SIGKILL))
def test_a_reserve_stands_in_for_a_member_that_is_gone(running, how):
    members, commits = running
    reserve = reserve_of(members)
    lost = next(member for member in members if member is not reserve)
    lost.process.send_signal(how)
    try:
        # Commits go on at once, in steps at first; and soon as fast as before.
        assert commits.median_of(1) < 2 * STEP_MS / 1000
        wait_until(lambda: commits.median_of(0.5) < STEP_MS / 2000, what="the reserve to keep up commit by commit")
    finally:
        if how == signal.SIGSTOP:
            lost.process.send_signal(signal.SIGCONT)
    if how == signal.SIGSTOP:
        assert reserve_of(members) is reserve
