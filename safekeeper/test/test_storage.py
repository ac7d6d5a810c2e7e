"""Storage that fails, lies, loses power or rots: the safekeeper stops or reports; what was acknowledged is there, or known to be missing."""

import os
import pathlib
import random
import threading
import time

import pytest

from power_cut import cut_power
from support import SEGMENT_BYTES, AdminError, Safekeeper, begin, committed_xids, elect, lsn, lsn_text, segment_name, wait_until, waldump, write_ledger

SHIM = os.environ.get("BOUGH_STORAGE_FAULTS_SHIM", "build/debug/tests/storage_faults.so")
QUORUM = "ANY 2 (bough_sk1, bough_sk2, bough_sk3)"


class FaultySafekeeper(Safekeeper):
    """Its storage does what `rules` says, from the next call on. With `logged`, power can be cut."""

    def __init__(self, directory, name, port, logged=False):
        super().__init__(directory, name, port)
        self.rules_path = self.run_dir / f"{name}.rules"
        self.storage_log = self.run_dir / f"{name}.storage" if logged else None
        self.environment = {"LD_PRELOAD": str(pathlib.Path(SHIM).resolve()), "BOUGH_STORAGE_FAULTS": str(self.rules_path),
                            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        if logged:
            self.environment["BOUGH_STORAGE_LOG"] = str(self.storage_log)

    def rules(self, *lines):
        temporary = self.rules_path.with_suffix(".new")
        temporary.write_text("".join(line + "\n" for line in lines))
        temporary.rename(self.rules_path)  # never half of them

    def wait_dead(self):
        """Until it has ended by itself: its status."""
        status = self.process.wait(30)
        self.process = None
        return status

    def cut_power(self, chance):
        """SIGKILL, and what was not synced is lost, or not."""
        self.kill()
        return cut_power(str(self.storage_log), str(self.data_dir), chance) if self.storage_log.exists() else (0, 0)


@pytest.fixture
def faulty(workdir):
    """faulty(n, logged) starts n of them."""
    started = []

    def start(n=1, logged=False):
        for i in range(len(started) + 1, len(started) + n + 1):
            started.append(FaultySafekeeper(workdir, f"sk{i}", i, logged).start())
        return started

    yield start
    for safekeeper in started:
        safekeeper.kill()


class Writers:
    """Commits whose xids are noted when they were acknowledged."""

    def __init__(self, pg, count=3):
        self.acknowledged, self.stop = [], threading.Event()
        self.threads = [threading.Thread(target=write_ledger, args=(pg, self.acknowledged, self.stop), daemon=True) for _ in range(count)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.progress(10)
        return self

    def progress(self, more):
        goal = len(self.acknowledged) + more
        wait_until(lambda: len(self.acknowledged) >= goal, what=f"{more} more commits")

    def __exit__(self, *_):
        self.stop.set()


def found_on(safekeeper, branch):
    return committed_xids(safekeeper.branch_dir(branch), branch.start, lsn(safekeeper.position(branch)["end_lsn"]))


# --- errors of the system calls ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_a_failed_sync_of_wal_ends_the_process_and_is_not_retried(pg, faulty, error):
    """What the kernel then holds is unknown: here it is lost, as it would be. Nothing below the position that was reported is."""
    [member] = faulty(logged=True)
    branch = begin(pg, [member], "ANY 1 (bough_sk1)")
    with Writers(pg) as writers:
        reported = lsn(member.position(branch)["flush_lsn"])
        member.rules(f"fdatasync {error} 0 /branches/")
        assert member.wait_dead() != 0
        assert "stopping, since what is on disk is unknown" in member.log()
        time.sleep(0.2)  # what was acknowledged before may still be on its way to the writers
        count = len(writers.acknowledged)
        time.sleep(0.5)
        assert len(writers.acknowledged) == count
        noted = set(writers.acknowledged)
        member.rules()
        member.cut_power(random.Random(0))
        member.start()
        assert lsn(member.position(branch)["flush_lsn"]) >= reported
        assert noted <= found_on(member, branch)
        writers.progress(20)


def test_a_failed_sync_of_the_control_file_ends_the_process_before_a_vote_is_answered(pg, faulty):
    [member] = faulty(logged=True)
    branch = begin(pg, [member], "ANY 1 (bough_sk1)")
    member.rules("fsync EIO 0 control.tmp")
    with pytest.raises(OSError):
        member.vote(branch, 7)
    assert member.wait_dead() != 0
    member.rules()
    member.cut_power(random.Random(0))
    member.start()
    assert member.position(branch)["term"] == 1
    assert member.vote(branch, 7)["granted"]
    member.rules("fsync EIO 0 /branches/p1/main")  # the directory, after the rename
    with pytest.raises(OSError):
        member.vote(branch, 8)
    assert member.wait_dead() != 0
    member.rules()
    member.start()
    assert member.position(branch)["term"] in (7, 8)


@pytest.mark.parametrize("rule", ["pwrite ENOSPC 3 /branches/", "pwrite EIO 0 /branches/"])
def test_a_failed_write_acknowledges_nothing_and_goes_on_when_it_can(pg, faulty, rule):
    [member] = faulty()
    branch = begin(pg, [member], "ANY 1 (bough_sk1)")
    with Writers(pg) as writers:
        member.rules(rule)
        wait_until(lambda: "could not write" in member.log(), what="the error in the log")
        time.sleep(0.2)
        count, end = len(writers.acknowledged), member.position(branch)["end_lsn"]
        time.sleep(0.7)
        assert len(writers.acknowledged) == count and member.position(branch)["end_lsn"] == end
        member.rules()
        writers.progress(30)
        assert member.process.poll() is None
        noted = set(writers.acknowledged)
    pg.stop("immediate")
    assert noted <= found_on(member, branch)


def test_short_writes_are_completed(pg, faulty):
    [member] = faulty()
    member.rules("pwrite short 0 /branches/")
    branch = begin(pg, [member], "ANY 1 (bough_sk1)")
    pg.run("pgbench", "-i", "-s", "1", "-q")
    target = pg.connect().execute("select pg_current_wal_flush_lsn()::text").fetchone()[0]
    wait_until(lambda: lsn(member.position(branch)["end_lsn"]) >= lsn(target), what="the log")
    waldump(member.branch_dir(branch), branch.start, lsn(target))


@pytest.mark.parametrize("rule", ["rename EIO 0 /control", "open ENOSPC 0 /control", "pwrite ENOSPC 0 /control"])
def test_a_vote_that_cannot_be_kept_is_refused(pg, faulty, rule):
    [member] = faulty()
    branch = begin(pg, [member], "ANY 1 (bough_sk1)")
    with Writers(pg) as writers:
        member.rules(rule)
        with pytest.raises(AdminError) as error:
            member.vote(branch, 9)
        assert error.value.status >= 500 and "control" in error.value.body["message"]
        writers.progress(10)  # the old term goes on
        member.rules()
        assert member.vote(branch, 9)["granted"]
    member.kill()
    member.start()
    assert member.position(branch)["term"] == 9


def test_one_failing_disk_of_three_holds_nobody_up(pg, faulty):
    members = faulty(3)
    branch = begin(pg, members, QUORUM)
    with Writers(pg) as writers:
        members[0].rules("fdatasync EIO 0 /branches/")
        assert members[0].wait_dead() != 0
        members[1].rules("pwrite EIO 0 /branches/")
        time.sleep(0.2)
        count = len(writers.acknowledged)
        time.sleep(0.5)
        assert len(writers.acknowledged) == count, "commits were acknowledged by one of three"
        members[1].rules()
        writers.progress(30)
        noted = set(writers.acknowledged)
    pg.stop("immediate")
    assert noted <= found_on(members[1], branch)


# --- power cuts -------------------------------------------------------------------------------------------------------------------

ANYWHERE = ["pwrite kill {} /branches/", "fdatasync kill {} /branches/", "fsync kill {} /branches/", "rename kill {} /branches/",
            "open kill {} /branches/", "ftruncate kill {} /branches/"]


def test_a_control_file_that_is_due_while_the_log_begins_anew_says_what_is_true_then(pg, faulty):
    """The housekeeper wants to write what it had read before, and waits; what it writes then is of one moment, and can be read again."""
    away = faulty()[0]
    members = [away]
    for i in (2, 3):
        members.append(Safekeeper(away.run_dir, f"sk{i}", i, ["--peer-wal-max", "16MB"]).start())
    try:
        branch = begin(pg, members, QUORUM, "-c wal_keep_size=0 -c max_wal_size=64MB -c min_wal_size=32MB")
        with pg.connect() as connection:
            end = lsn(connection.execute("select pg_current_wal_flush_lsn()::text").fetchone()[0])
            for member in members:
                wait_until(lambda: lsn(member.position(branch)["commit_lsn"]) >= end, what="the same log on all")
            away.kill()
            for _ in range(5):
                connection.execute("insert into ledger select generate_series(1, 1000)")
                connection.execute("select pg_switch_wal()")
            connection.execute("insert into ledger values (2)")
            end = lsn(connection.execute("select pg_current_wal_flush_lsn()::text").fetchone()[0])
            for member in members[1:]:
                wait_until(lambda: lsn(member.position(branch)["commit_lsn"]) >= end, what="the commits")
                member.call("POST", member.branch(branch) + "/durable", {"durable_lsn": lsn_text(end)})
                wait_until(lambda: lsn(member.position(branch)["begin_lsn"]) > end - 2 * SEGMENT_BYTES, what="WAL to be dropped")
            connection.execute("checkpoint")
            connection.execute("checkpoint")
        # Nobody tells it what is committed: it takes WAL from its peers, but they do not hear from one another.
        for member in members[1:]:
            os.rename(member.admin_path, member.admin_path + ".away")
        away.admin_path += ".new"
        away.rules("sync sleep:3000 0 .beginning")
        away.start()
        # A save falls due while the new beginning is on its way to the disk.
        wait_until(lambda: list(away.branch_dir(branch).glob("*.beginning")), what="the new beginning")
        away.call("POST", away.branch(branch) + "/durable", {"durable_lsn": lsn_text(branch.start)})
        time.sleep(1)
        away.rules()
        wait_until(lambda: "begins anew" in away.log(), what="the log to begin anew")
        time.sleep(0.5)  # what waited for it has been written
        away.kill()
        away.start()
        assert lsn(away.position(branch)["begin_lsn"]) > end - 3 * SEGMENT_BYTES
    finally:
        for member in members[1:]:
            member.kill()


def test_segments_that_could_not_be_removed_are_removed_later(pg, faulty):
    [member] = faulty()
    branch = begin(pg, [member], "ANY 1 (bough_sk1)")
    with pg.connect() as connection:
        for _ in range(4):
            connection.execute("insert into ledger select generate_series(1, 1000)")
            connection.execute("select pg_switch_wal()")
        connection.execute("insert into ledger values (2)")
        end = lsn(connection.execute("select pg_current_wal_flush_lsn()::text").fetchone()[0])
    wait_until(lambda: lsn(member.position(branch)["commit_lsn"]) >= end, what="the commits")
    member.rules(f"unlink EIO 1 {branch.name}/0000")  # the first goes
    member.call("POST", member.branch(branch) + "/durable", {"durable_lsn": lsn_text(end)})
    wait_until(lambda: "could not drop WAL" in member.log(), what="the error")
    member.rules()

    def kept():
        first = segment_name(lsn(member.position(branch)["begin_lsn"]))
        return min(f.name for f in member.branch_dir(branch).iterdir() if len(f.name) == 24) == first
    assert not kept()
    wait_until(kept, what="the rest to go, too")


def test_power_cuts_at_any_call_lose_nothing_acknowledged(pg, faulty):
    """One safekeeper, which is killed right before some write, sync, rename or open, and then loses what was not synced, or parts of it."""
    [member] = faulty(logged=True)
    branch = begin(pg, [member], "ANY 1 (bough_sk1)")
    chance = random.Random(5)
    lost = 0
    with Writers(pg) as writers:
        for number in range(14):
            call = ANYWHERE[number] if number < len(ANYWHERE) else chance.choice(ANYWHERE[:3])
            member.rules(call.format(chance.randint(0, 15)))
            deadline = time.monotonic() + (1.0 if "pwrite" in call or "fdatasync" in call else 0.2)
            while member.process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
                if "rename" in call or "fsync" in call or "open" in call:
                    try:
                        member.vote(branch, member.position(branch)["term"] + 1)  # writes the control file
                    except (OSError, AdminError):
                        pass
            member.kill()
            time.sleep(0.05)
            noted = set(writers.acknowledged)
            unsynced, stayed = member.cut_power(chance)
            lost += unsynced - stayed
            member.rules()
            member.start()
            assert noted <= found_on(member, branch), f"after {call}, of which {unsynced} changes were not synced and {stayed} stayed"
            term, _, _, _ = elect([member], branch, pg.source)
            writers.progress(5)
            assert member.position(branch)["last_term"] == term
    assert lost > 10, "nothing was ever lost: were the cuts where they should be?"
    pg.stop("immediate")


def test_a_new_segment_s_name_is_durable_before_anything_in_it_is_acknowledged(pg, faulty):
    """The preallocator has given the file its name and is slow to sync it; the writer goes on into it; power is cut."""
    [member] = faulty(logged=True)
    branch = begin(pg, [member], "ANY 1 (bough_sk1)")
    member.rules("fsync sleep:20000 0 /branches/p1/main")  # of the directory: fdatasync is used for WAL
    segment = lsn(member.position(branch)["end_lsn"]) // SEGMENT_BYTES
    next_one = member.branch_dir(branch) / segment_name((segment + 1) * SEGMENT_BYTES)
    with Writers(pg) as writers:
        with pg.connect() as connection:
            connection.execute("create table filler (t text)")
            for _ in range(40):
                connection.execute("set statement_timeout = '20s'")
                connection.execute("insert into filler select repeat(md5(i::text), 30) from generate_series(1, 500) i")
                if next_one.exists() and lsn(member.position(branch)["end_lsn"]) // SEGMENT_BYTES > segment:
                    break
                if not next_one.exists():
                    continue
                # Into the next segment at once.
                connection.execute("set statement_timeout = '2s'")
                connection.execute("select pg_switch_wal()")
                break
        time.sleep(0.5)
        noted = set(writers.acknowledged)
        member.kill()
        time.sleep(0.05)
        noted |= set(writers.acknowledged)
        # Everything that was not synced is lost.
        member.cut_power(type("Nothing", (), {"random": lambda self: 1.0})())
        member.rules()
        member.start()
        assert noted <= found_on(member, branch)
    pg.stop("immediate")


def test_a_granted_vote_survives_power_cuts(pg, faulty):
    [member] = faulty(logged=True)
    branch = begin(pg, [member], "ANY 1 (bough_sk1)")
    chance = random.Random(2)
    for term in range(2, 10):
        assert member.vote(branch, term)["granted"]
        member.cut_power(chance)
        member.start()
        assert member.position(branch)["term"] == term
        assert not member.vote(branch, term)["granted"]


# --- files that rot while the safekeeper is down ----------------------------------------------------------------------------------


def damage(path, at, what=b"zap"):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(what)


class LazyControlFile:
    """As it is now; put back after a kill, it is one that was not written since, however long that was."""

    def __init__(self, member, branch):
        self.path = member.branch_dir(branch) / "control"
        self.content = self.path.read_bytes()

    def put_back(self):
        self.path.write_bytes(self.content)


def refused(member, branch, words):
    """Every request for the branch is answered by an error that says why."""
    for act in (lambda: member.position(branch), lambda: member.vote(branch, 99),
                lambda: member.call("GET", member.branch(branch) + "/wal?from=0/0&to=0/0")):
        with pytest.raises(AdminError) as error:
            act()
        assert error.value.status == 500 and words in error.value.body["message"], error.value.body
    assert member.answers()  # the process serves its other branches


@pytest.fixture
def stopped(pg, one):
    """A safekeeper with most of a segment written since its control file was, where it is known from."""
    branch = pg.branch()
    one.create(branch)
    elect([one], branch, pg.source)
    one.lazy_control = LazyControlFile(one, branch)
    pg.start("ANY 1 (bough_sk1)")
    with pg.connect() as connection:
        connection.execute("create table t as select i, repeat(md5(i::text), 4) as w from generate_series(1, 40000) i")
        end = connection.execute("select pg_current_wal_flush_lsn()::text").fetchone()[0]
    wait_until(lambda: lsn(one.position(branch)["end_lsn"]) >= lsn(end), what="the log")
    pg.stop("immediate")
    wait_until(lambda: not one.position(branch)["streaming"], what="the stream's end")
    return one, branch, lsn(one.position(branch)["end_lsn"])


@pytest.mark.parametrize("what", ["flip", "zeros"])
def test_damage_inside_the_last_segment_is_no_end(pg, stopped, what):
    member, branch, end = stopped
    member.kill()
    member.lazy_control.put_back()
    at = max(end // SEGMENT_BYTES * SEGMENT_BYTES, branch.start) + 100_000
    assert at < end - (4 << 20), "the last segment has too little in it"
    damage(member.branch_dir(branch) / segment_name(end), at % SEGMENT_BYTES, b"zap" if what == "flip" else b"\0" * 70000)
    member.start()
    refused(member, branch, "WAL is damaged after")
    assert "has more of it" in member.log()


def test_after_an_orderly_stop_every_damaged_byte_of_the_last_segment_is_noticed_or_harmless(stopped):
    """The control file then names the log's end."""
    member, branch, end = stopped
    member.stop()
    path = member.branch_dir(branch) / segment_name(end)
    control = (member.branch_dir(branch) / "control").read_bytes()
    whole = path.read_bytes()
    damage(path, end % SEGMENT_BYTES - 30, bytes(30))
    member.start()
    refused(member, branch, "WAL ends before")
    member.kill()
    assert (member.branch_dir(branch) / "control").read_bytes() == control
    path.write_bytes(whole)
    os.truncate(path, end % SEGMENT_BYTES - 5)
    member.start()
    refused(member, branch, "WAL ends before")
    member.kill()
    path.write_bytes(whole)
    member.start()
    assert lsn(member.position(branch)["end_lsn"]) == end


def test_missing_files_are_damage_not_a_beginning(stopped):
    """Segments without a control file, a control file without segments: neither is taken for a new branch, nothing is removed."""
    member, branch, end = stopped
    member.stop()
    directory = member.branch_dir(branch)
    (directory / "control").rename(directory.parent / "control-elsewhere")
    member.start()
    refused(member, branch, "control file")
    with pytest.raises(AdminError):
        member.create(branch)
    member.kill()
    assert (directory / segment_name(end)).exists()
    (directory.parent / "control-elsewhere").rename(directory / "control")
    (directory / segment_name(end)).rename(directory.parent / "segment-elsewhere")
    member.start()
    refused(member, branch, "WAL ends before")
    member.kill()
    (directory / segment_name(end)).write_bytes(b"")
    member.start()
    refused(member, branch, "WAL ends before")
    member.kill()
    (directory.parent / "segment-elsewhere").rename(directory / segment_name(end))
    member.start()
    assert lsn(member.position(branch)["end_lsn"]) == end


def test_a_stale_control_file_only_makes_the_start_longer(pg, stopped):
    member, branch, end = stopped
    member.stop()
    assert (member.branch_dir(branch) / "control").read_bytes() != member.lazy_control.content
    member.lazy_control.put_back()
    member.start()
    position = member.position(branch)
    assert lsn(position["end_lsn"]) == end and position["last_term"] == 1
    wait_until(lambda: lsn(member.position(branch)["commit_lsn"]) == end, what="what is committed to be known again")


def test_an_election_is_not_won_by_a_log_that_was_cut_at_damage(pg, safekeepers):
    """Two of three have a commit; one of them is damaged below it, the other is away; the third never had it. No majority has an honest
    log then, so there is no election, instead of one that forgets the commit."""
    members = safekeepers(3)
    branch = begin(pg, members, QUORUM)
    wait_until(lambda: len({m.position(branch)["end_lsn"] for m in members}) == 1, what="the same log everywhere")
    members[2].kill()
    lazy_control = LazyControlFile(members[0], branch)
    with pg.connect() as connection:
        xid = connection.execute("insert into ledger values (1) returning pg_current_xact_id()::text").fetchone()[0]
        connection.execute("create table t as select i, repeat(md5(i::text), 4) as w from generate_series(1, 40000) i")
    pg.stop("immediate")
    end = lsn(members[0].position(branch)["end_lsn"])
    assert int(xid) in found_on(members[0], branch) and int(xid) in found_on(members[1], branch)
    for member in members[:2]:
        member.kill()
    lazy_control.put_back()
    damage(members[0].branch_dir(branch) / segment_name(end), branch.start % SEGMENT_BYTES + 1000)
    members[0].start()
    members[2].start()
    with pytest.raises(AdminError) as error:
        elect([members[0], members[2]], branch, pg.source, members)
    assert "damaged" in error.value.body["message"]
    # With the one that was away all is there.
    members[1].start()
    elect([members[1], members[2]], branch, pg.source, members)
    assert int(xid) in found_on(members[2], branch)


def test_a_damaged_donor_is_found_out_and_another_is_asked(pg, safekeepers):
    members = safekeepers(3)
    branch = begin(pg, members, QUORUM)
    wait_until(lambda: len({m.position(branch)["end_lsn"] for m in members}) == 1, what="the same log everywhere")
    behind = lsn(members[2].position(branch)["end_lsn"])
    members[2].kill()
    with pg.connect() as connection:
        connection.execute("create table t as select i, repeat(md5(i::text), 4) as w from generate_series(1, 20000) i")
    pg.stop()
    wait_until(lambda: len({m.position(branch)["commit_lsn"] for m in members[:2]} | {m.position(branch)["end_lsn"] for m in members[:2]}) == 1,
               what="the shutdown checkpoint")
    # Below what the control file says is durable, so that the start does not read it.
    members[0].stop()
    damage(members[0].branch_dir(branch) / segment_name(behind), (behind + 50_000) % SEGMENT_BYTES)
    members[0].start()
    members[2].start()
    voters = [members[1], members[2]]
    term = max(m.position(branch)["term"] for m in voters) + 1
    votes = [m.vote(branch, term) for m in voters]
    at, history = votes[0]["end_lsn"], votes[0]["history"] + [{"term": term, "begin_lsn": votes[0]["end_lsn"]}]
    members[1].begin(branch, term, at, history, pg.source, peers=[members[0], members[2]])
    assert members[0].vote(branch, term)["granted"]
    members[0].begin(branch, term, at, history, pg.source, peers=members[1:], donors=[members[1]])
    members[2].begin(branch, term, at, history, pg.source, peers=members[:2], donors=[members[0], members[1]])
    assert members[2].position(branch)["end_lsn"] == at
    waldump(members[2].branch_dir(branch), branch.start, lsn(at))
