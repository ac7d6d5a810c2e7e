"""Branches from the past: at an LSN and at a time, exact to the commit."""
import datetime
import time

import pytest

from support.wal import run_and_find_commit, stamp


@pytest.fixture(scope="module")
def history(system):
    """main, with five commits into `steps` and then DROP TABLE: the Commits by name."""
    with system.connect("main") as owner, system.connect("main", superuser=True) as superuser:
        commits = {"create": run_and_find_commit(owner, superuser, "create table steps (id int primary key, words text)")}
        for number in range(1, 6):
            commits[number] = run_and_find_commit(
                owner, superuser, f"insert into steps values ({number}, repeat('step {number} ', 300))")
            time.sleep(0.02)
        commits["drop"] = run_and_find_commit(owner, superuser, "drop table steps")
        commits["after"] = run_and_find_commit(owner, superuser, "create table after_drop (id int)")
    assert [c.time for c in commits.values()] == sorted({c.time for c in commits.values()}), "commit times are not apart"
    return commits


def steps(system, branch):
    """The ids in the branch's table, or None when it has no such table."""
    with system.connect(branch) as connection:
        if connection.execute("select to_regclass('steps') is null").fetchone()[0]:
            return None
        rows = connection.execute("select id, words from steps order by id").fetchall()
        assert all(words == f"step {number} " * 300 for number, words in rows)
        # The index agrees with the heap.
        connection.execute("set enable_seqscan = off")
        for number, _ in rows:
            assert connection.execute("select count(*) from steps where id = %s", (number,)).fetchone() == (1,)
        return [number for number, _ in rows]


@pytest.mark.parametrize("number", [1, 3, 5])
def test_at_the_end_of_a_commit_it_is_in(system, history, branch_name, number):
    branch = system.branch(branch_name, at=history[number].end)
    assert steps(system, branch_name) == list(range(1, number + 1))
    assert branch["lsn"] == history[number].end


def test_at_the_beginning_of_a_commit_record_it_is_not_in(system, history, branch_name):
    system.branch(branch_name, at=history[4].begin)
    assert steps(system, branch_name) == [1, 2, 3]


def test_inside_a_commit_record_it_is_not_in(system, history, branch_name):
    high, low = history[4].end.split("/")
    system.branch(branch_name, at=f"{high}/{int(low, 16) - 3:X}")
    assert steps(system, branch_name) == [1, 2, 3]


def test_lsns_on_both_sides_of_a_drop_table(system, history, branch_name):
    system.branch(f"{branch_name}-before", at=history["drop"].begin)
    system.branch(f"{branch_name}-after", at=history["drop"].end)
    assert steps(system, f"{branch_name}-before") == [1, 2, 3, 4, 5]
    assert steps(system, f"{branch_name}-after") is None
    assert system.value("select to_regclass('after_drop') is null", f"{branch_name}-after")


@pytest.mark.parametrize("number", [1, 4])
def test_at_the_time_of_a_commit_it_is_in(system, history, branch_name, number):
    system.branch(branch_name, at=stamp(history[number].time))
    assert steps(system, branch_name) == list(range(1, number + 1))


@pytest.mark.parametrize("number", [1, 4])
def test_a_microsecond_before_a_commit_it_is_not_in(system, history, branch_name, number):
    system.branch(branch_name, at=stamp(history[number].just_before()))
    assert steps(system, branch_name) == list(range(1, number))


def test_times_on_both_sides_of_a_drop_table(system, history, branch_name):
    system.branch(f"{branch_name}-before", at=stamp(history["drop"].just_before()))
    system.branch(f"{branch_name}-after", at=stamp(history["drop"].time))
    assert steps(system, f"{branch_name}-before") == [1, 2, 3, 4, 5]
    assert steps(system, f"{branch_name}-after") is None


def test_a_time_with_an_offset_is_the_same_moment(system, history, branch_name):
    system.branch(branch_name, at=stamp(history[3].just_before(), offset_hours=5))
    assert steps(system, branch_name) == [1, 2]


def test_a_time_between_commits_is_after_the_earlier(system, history, branch_name):
    middle = history[2].time + (history[3].time - history[2].time) / 2
    system.branch(branch_name, at=stamp(middle))
    assert steps(system, branch_name) == [1, 2]


def test_the_past_can_be_written_on_and_branched(system, history, branch_name):
    system.branch(branch_name, at=history[2].end)
    with system.connect(branch_name) as owner, system.connect(branch_name, superuser=True) as superuser:
        commit = run_and_find_commit(owner, superuser, "insert into steps values (10, repeat('step 10 ', 300))")
        owner.execute("delete from steps where id = 1")
    system.branch(f"{branch_name}-kid", branch_name, at=commit.end)
    assert steps(system, f"{branch_name}-kid") == [1, 2, 10]
    assert steps(system, branch_name) == [2, 10]
    # A moment before the branch began is not in its history, though its parent had it.
    system.refused("branch", "create", f"{branch_name}-early", "--parent", branch_name, "--at", history[1].end)
    system.refused("branch", "create", f"{branch_name}-early", "--parent", branch_name, "--at", stamp(history["create"].time))
    assert f"{branch_name}-early" not in [b["name"] for b in system.json("branch", "list")["branches"]]


def test_the_past_after_everything_was_restarted(system, history, branch_name):
    system.down()
    system.up()
    system.branch(branch_name, at=stamp(history[5].time))
    assert steps(system, branch_name) == [1, 2, 3, 4, 5]


def test_a_large_transaction_is_in_whole_or_not_at_all(system, branch_name):
    """Its rows span several WAL segments; what lies before its commit record must not show."""
    with system.connect("main") as owner, system.connect("main", superuser=True) as superuser:
        commit = run_and_find_commit(owner, superuser, [
            "create table large (id int, filler text)",
            "insert into large select i, repeat(md5(i::text), 20) from generate_series(1, 40000) i"])
    system.branch(f"{branch_name}-before", at=commit.begin)
    system.branch(f"{branch_name}-after", at=commit.end)
    assert system.value("select to_regclass('large') is null", f"{branch_name}-before")
    assert system.sql("select count(*), sum(id), sum(length(filler)) from large", f"{branch_name}-after") == [
        (40000, 40000 * 40001 // 2, 40000 * 640)]
    # A table of the same name in the other present.
    system.sql("create table large (other text); insert into large values ('x')", f"{branch_name}-before")
    assert system.sql("select * from large", f"{branch_name}-before") == [("x",)]


def test_every_commit_of_a_stretch_by_lsn_and_by_time(system, branch_name):
    """Twelve commits a moment apart; every second one's state by LSN, the others' by time."""
    with system.connect("main") as owner, system.connect("main", superuser=True) as superuser:
        run_and_find_commit(owner, superuser, "create table counter (n int); ")
        run_and_find_commit(owner, superuser, "insert into counter values (0)")
        commits = [run_and_find_commit(owner, superuser, "update counter set n = n + 1") for _ in range(12)]
    for number in range(0, 12, 4):
        system.branch(f"{branch_name[:30]}-l{number}", at=commits[number].end)
        assert system.value("select n from counter", f"{branch_name[:30]}-l{number}") == number + 1
        later = number + 2
        system.branch(f"{branch_name[:30]}-t{later}", at=stamp(commits[later].time))
        same_moment = [i for i, c in enumerate(commits) if c.time <= commits[later].time]
        assert system.value("select n from counter", f"{branch_name[:30]}-t{later}") == len(same_moment)
    assert isinstance(commits[0].time, datetime.datetime)
