"""The restore window and snapshots, from the command down to the files: what is kept opens as it was, what is not is refused."""
import pytest

from support.wal import run_and_find_commit, stamp


@pytest.fixture(scope="module")
def history(system):
    """main with six commits into `steps`, a snapshot after the second and a branch at the third; then a restore window of nothing, so
    that all but the present is old, and a collection. The Commits by number."""
    commits = {}
    with system.connect("main") as owner, system.connect("main", superuser=True) as superuser:
        run_and_find_commit(owner, superuser, "create table steps (id int primary key, words text)")
        for number in range(1, 7):
            commits[number] = run_and_find_commit(
                owner, superuser, f"insert into steps select {number} * 1000 + i, repeat('step {number} ', 30) from generate_series(1, 200) i")
    system.json("snapshot", "create", "second", "--at", commits[2].end)
    system.branch("third", at=commits[3].end)
    system.wait_ingested("main", system.tip("main"))
    assert system.json("project", "get")["project"]["history_retention_seconds"] == 7 * 24 * 3600
    changed = system.json("project", "update", "--restore-window", "0s")["project"]
    assert changed["history_retention_seconds"] == 0
    system.admin("pageserver").request("POST", f"/v1/projects/{system.project_id()}/gc")
    return commits


def steps(system, branch):
    with system.connect(branch) as connection:
        rows = connection.execute("select id / 1000, count(*), min(words) from steps group by 1 order by 1").fetchall()
    assert all(count == 200 and words == f"step {number} " * 30 for number, count, words in rows)
    return [number for number, _, _ in rows]


def test_what_lies_before_the_restore_window_is_refused_with_the_oldest_place(system, history, branch_name):
    oldest = system.json("branch", "get", "main")["branch"]["oldest_lsn"]
    for at in (history[1].end, history[4].end, stamp(history[4].time)):
        message = system.refused("branch", "create", branch_name, "--at", at)
        assert "restore window" in message and oldest in message, message
        message = system.refused("snapshot", "create", branch_name, "--at", at)
        assert "restore window" in message and oldest in message, message
    assert branch_name not in [branch["name"] for branch in system.json("branch", "list")["branches"]]


def test_a_snapshot_opens_as_it_was_when_the_window_has_passed(system, history, branch_name):
    system.json("branch", "create", branch_name, "--snapshot", "second")
    assert steps(system, branch_name) == [1, 2]
    # By its LSN it can be named too.
    system.branch(f"{branch_name}-lsn", at=history[2].end)
    assert steps(system, f"{branch_name}-lsn") == [1, 2]


def test_where_a_branch_left_its_parent_history_stays(system, history, branch_name):
    assert steps(system, "third") == [1, 2, 3]
    system.branch(branch_name, parent="third")
    assert steps(system, branch_name) == [1, 2, 3]


def test_the_present_is_untouched(system, history, branch_name):
    system.fresh_copy(branch_name)
    assert steps(system, branch_name) == [1, 2, 3, 4, 5, 6]
    system.restart_compute("main")
    assert steps(system, "main") == [1, 2, 3, 4, 5, 6]


def test_sizes_are_told(system, history):
    main = system.json("branch", "get", "main")["branch"]
    database = int(system.value("select sum(pg_database_size(oid)) from pg_database", "main", superuser=True))
    assert 0.9 * database < main["logical_size"] < 1.2 * database
    assert 0 < main["stored_size"] < main["logical_size"]
    third = system.json("branch", "get", "third")["branch"]
    assert third["stored_size"] < main["stored_size"] / 4, "what it shares with its parent is not its own"


def test_snapshots_are_listed_named_once_and_deleted(system, history):
    assert [s["name"] for s in system.json("snapshot", "list")["snapshots"]] == ["second"]
    assert "already exists" in system.refused("snapshot", "create", "second")
    system.json("snapshot", "create", "now")
    system.branch("from-now")
    system.json("snapshot", "create", "of-from-now", "--branch", "from-now")
    assert "has snapshots" in system.refused("branch", "delete", "from-now")
    system.json("snapshot", "delete", "of-from-now")
    system.json("branch", "delete", "from-now")
    system.json("snapshot", "delete", "now")
    assert "does not exist" in system.refused("snapshot", "delete", "now")
    assert [s["name"] for s in system.json("snapshot", "list")["snapshots"]] == ["second"]


def test_all_of_it_survives_a_restart(system, history, branch_name):
    system.down()
    system.up()
    assert system.json("project", "get")["project"]["history_retention_seconds"] == 0
    assert [s["name"] for s in system.json("snapshot", "list")["snapshots"]] == ["second"]
    assert "restore window" in system.refused("branch", "create", branch_name, "--at", history[4].end)
    system.json("branch", "create", branch_name, "--snapshot", "second")
    assert steps(system, branch_name) == [1, 2]
