"""Three safekeepers behind stock servers: losses, late joiners, divergent tails."""

import random
import threading
import time

from support import AdminError, committed_xids, elect, lsn, lsn_text, wait_until, waldump, write_ledger
import pytest

QUORUM = "ANY 2 (bough_sk1, bough_sk2, bough_sk3)"


def ends(safekeepers, branch):
    return [lsn(s.position(branch)["end_lsn"]) for s in safekeepers]


def commits(safekeepers, branch):
    return [lsn(s.position(branch)["commit_lsn"]) for s in safekeepers]


def settled(safekeepers, branch):
    """All have the same log, and know that it is committed."""
    def same():
        positions = {e for e in ends(safekeepers, branch)} | {c for c in commits(safekeepers, branch)}
        return len(positions) == 1 and positions.pop()
    return wait_until(same, what="the safekeepers to agree")


def start_branch(pg, safekeepers):
    branch = pg.branch()
    for safekeeper in safekeepers:
        safekeeper.create(branch)
    elect(safekeepers, branch, pg.source)
    pg.start(QUORUM)
    return branch


def same_wal(safekeepers, branch, begin, end):
    contents = {s.wal(branch, begin, end) for s in safekeepers}
    assert len(contents) == 1
    return contents.pop()


def test_acknowledged_commits_survive_random_kills(pg, safekeepers):
    members = safekeepers(3)
    branch = start_branch(pg, members)
    with pg.connect() as connection:
        connection.execute("create table ledger (id int)")
    acknowledged, stop = [], threading.Event()
    writers = [threading.Thread(target=write_ledger, args=(pg, acknowledged, stop)) for _ in range(4)]
    for writer in writers:
        writer.start()
    rng = random.Random(11)
    for _ in range(20):
        victims = rng.sample(members, rng.choice((1, 1, 2, 3)))
        for victim in victims:
            victim.kill()
        time.sleep(rng.uniform(0, 0.3))
        for victim in victims:
            victim.start()
        time.sleep(rng.uniform(0.05, 0.3))
    before = len(acknowledged)
    wait_until(lambda: len(acknowledged) > before + 50, what="commits to go on")
    # The last seconds of the compute and of all safekeepers at once.
    for member in members:
        member.kill()
    noted = set(acknowledged)
    stop.set()
    pg.stop("immediate")
    for writer in writers:
        writer.join()
    for member in members:
        member.start()
    assert len(noted) > 200
    # Whichever majority elects: all that was acknowledged is in the log it chooses.
    for pair in ((0, 1), (0, 2), (1, 2)):
        voters = [members[i] for i in pair]
        best = max(voters, key=lambda v: (v.position(branch)["last_term"], lsn(v.position(branch)["end_lsn"])))
        end = lsn(best.position(branch)["end_lsn"])
        assert noted <= committed_xids(best.branch_dir(branch), branch.start, end)
    # The same log on all up to what any knows as committed.
    committed = min(max(commits(members, branch)), min(ends(members, branch)))
    same_wal(members, branch, branch.start, committed)
    term, begin_lsn, _, _ = elect(members, branch, pg.source)
    assert len(set(ends(members, branch))) == 1
    for member in members:
        waldump(member.branch_dir(branch), branch.start, lsn(begin_lsn))


def test_commit_lsn_follows_the_majority(pg, safekeepers):
    members = safekeepers(3)
    branch = start_branch(pg, members)
    pg.run("pgbench", "-i", "-s", "1", "-q")
    with pg.connect() as connection:
        settled(members, branch)
        # With one away the other two go on; it learns what it missed.
        members[2].kill()
        connection.execute("create table t as select generate_series(1, 1000)")
        settled(members[:2], branch)
        members[2].start()
        settled(members, branch)
        # One alone commits nothing.
        members[0].kill()
        members[1].kill()
        alone = threading.Thread(target=lambda: connection.execute("create table u (i int)"), daemon=True)
        alone.start()
        alone.join(timeout=1.5)
        assert alone.is_alive()
        position = members[2].position(branch)
        assert lsn(position["commit_lsn"]) < lsn(position["end_lsn"])
        members[0].start()
        alone.join(timeout=20)
        assert not alone.is_alive()
    settled([members[0], members[2]], branch)
    pg.stop()
    # Idle, and after all were away, they still know.
    for member in members[:1] + members[2:]:
        member.stop()
    for member in members:
        if member.process is None:
            member.start()
    settled([members[0], members[2]], branch)


def test_a_safekeeper_that_was_away_catches_up_from_a_donor(pg, safekeepers):
    members = safekeepers(3)
    branch = start_branch(pg, members)
    pg.run("pgbench", "-i", "-s", "1", "-q")
    settled(members, branch)
    members[2].kill()
    pg.run("pgbench", "-i", "-s", "3", "-q")
    pg.stop()
    end, _ = pg.end_of_log()
    wait_until(lambda: ends(members[:2], branch) == [end, end], what="the shutdown checkpoint")
    members[2].start()
    # The compute is gone: only a donor has what is missing.
    voters = [members[1], members[2]]
    term, begin_lsn, history, best = elect(voters, branch, pg.source, members)
    assert best is members[1] and lsn(begin_lsn) == end
    assert ends(members, branch) == [end] * 3
    same_wal(members, branch, branch.start, end)
    # The third joins the term late.
    assert members[0].vote(branch, term)["granted"]
    members[0].begin(branch, term, begin_lsn, history, pg.source, peers=members[1:], donors=[members[1]])
    pg.start(QUORUM)
    pg.run("pgbench", "-c", "2", "-t", "20", "-n")
    settled(members, branch)
    assert {m.position(branch)["last_term"] for m in members} == {2}


def test_a_divergent_tail_is_cut(pg, safekeepers, workdir):
    members = safekeepers(3)
    branch = start_branch(pg, members)
    with pg.connect() as connection:
        connection.execute("create table shared (i int)")
    settled(members, branch)
    pg.stop()
    point, _ = pg.end_of_log()
    wait_until(lambda: ends(members, branch) == [point] * 3, what="the shutdown checkpoint")
    other = pg.copy_to(workdir / "other")

    # Term 2: its compute reaches one safekeeper only, which is cut off from the others.
    elect(members, branch, pg.source)
    members[1].kill()
    members[2].kill()
    pg.start(QUORUM, "-c synchronous_commit=local")
    with pg.connect() as connection:
        connection.execute("create table lost as select generate_series(1, 20000) as i")
    wait_until(lambda: ends(members[:1], branch)[0] > point + 100000, what="the lost writes")
    pg.stop("immediate")
    lost = ends(members[:1], branch)[0]
    members[0].kill()

    # Term 3 begins without it, where term 2 did.
    members[1].start()
    members[2].start()
    term, begin_lsn, history, best = elect(members[1:], branch, other.source, members)
    assert term == 3 and lsn(begin_lsn) == point
    other.start(QUORUM)
    with other.connect() as connection:
        connection.execute("create table kept as select generate_series(1, 100) as i")
    kept = settled(members[1:], branch)
    assert kept < lost

    # It comes back, with the longer log of an older term.
    members[0].start()
    position = members[0].position(branch)
    assert lsn(position["end_lsn"]) == lost and position["last_term"] == 2
    vote = members[0].vote(branch, term)
    assert vote["granted"]
    members[0].begin(branch, term, begin_lsn, history, other.source, peers=members[1:], donors=[best])
    settled(members, branch)
    with other.connect() as connection:
        connection.execute("insert into kept values (1)")
    end = settled(members, branch)
    same_wal(members, branch, branch.start, end)
    for member in members:
        waldump(member.branch_dir(branch), branch.start, end)
        assert [h["term"] for h in member.position(branch)["history"]] == [1, 2, 3]
    other.stop("immediate")
    # Nothing of the lost tail is found again after a crash.
    members[0].kill()
    members[0].start()
    assert ends(members[:1], branch)[0] == ends(members[1:2], branch)[0]


def test_the_longer_log_of_an_older_term_does_not_win(pg, safekeepers, workdir):
    """As the test before, but the election is among the one with the longer log and one with the newer term."""
    members = safekeepers(3)
    branch = start_branch(pg, members)
    wait_until(lambda: all(m.position(branch)["streaming"] for m in members), what="the streams")
    pg.stop()
    point, _ = pg.end_of_log()
    wait_until(lambda: ends(members, branch) == [point] * 3, what="the shutdown checkpoint")
    second = pg.copy_to(workdir / "second")
    elect(members, branch, pg.source)
    members[1].kill()
    members[2].kill()
    pg.start(QUORUM, "-c synchronous_commit=local")
    with pg.connect() as connection:
        connection.execute("create table lost as select generate_series(1, 20000) as i")
    wait_until(lambda: ends(members[:1], branch)[0] > point + 100000, what="the lost writes")
    pg.stop("immediate")
    members[0].kill()
    members[1].start()
    members[2].start()
    elect(members[1:], branch, second.source, members)
    second.start(QUORUM)
    with second.connect() as connection:
        connection.execute("create table kept as select generate_series(1, 100) as i")
    kept = settled(members[1:], branch)
    second.stop("immediate")
    members[0].start()
    members[2].kill()
    term, begin_lsn, _, best = elect(members[:2], branch, second.source, members)
    assert best is members[1] and lsn(begin_lsn) >= kept
    assert ends(members[:2], branch) == [lsn(begin_lsn)] * 2
    same_wal(members[:2], branch, branch.start, lsn(begin_lsn))


def test_a_begin_that_would_cut_committed_wal_is_refused(pg, safekeepers):
    members = safekeepers(3)
    branch = start_branch(pg, members)
    pg.run("pgbench", "-i", "-s", "1", "-q")
    end = settled(members, branch)
    pg.stop("immediate")
    vote = members[0].vote(branch, 2)
    with pytest.raises(AdminError) as error:
        members[0].begin(branch, 2, lsn_text(branch.start), vote["history"], pg.source, peers=members[1:])
    assert error.value.status == 409 and "committed" in error.value.body["message"]
    assert lsn(members[0].position(branch)["end_lsn"]) >= end
