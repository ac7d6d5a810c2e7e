"""Safekeepers are added and replaced while clients write: no session notices, and nothing acknowledged is lost."""
import os
import shutil
import signal

from support import wait
from support.crash import Survivor
from support.membership import check_logs, check_quorum, members, view


def lose_disk(system, name):
    """The daemon is killed and its directory is gone; what the supervisor starts in its place is empty."""
    directory = system.data_dir / "safekeepers" / name
    os.rename(directory, directory.with_suffix(".lost"))
    system.kill_daemon(f"safekeeper-{name}")
    shutil.rmtree(directory.with_suffix(".lost"))


def test_one_safekeeper_becomes_three_and_a_lost_one_is_replaced(make_system):
    survivor = Survivor(make_system(), clients=3)
    system = survivor.system
    # A branch without a compute that has WAL of its own, one that never had a compute, and a child of each.
    system.branch("idle")
    system.sql("create table idle as select 1 as id", "idle")
    system.json("compute", "stop", "idle")
    system.branch("untouched")
    system.branch("idle-child", "idle")
    survivor.start_writing()
    pid = system.json("compute", "list")["computes"]
    pid = next(c["pid"] for c in pid if c["branch"] == "main")

    said = system.cli("safekeeper", "add")
    assert "no better than one" in said, said
    assert members(system) == {"sk1", "sk2"}
    check_quorum(system, ["sk1", "sk2"])
    added = system.json("safekeeper", "add")
    assert added["change"] is None and members(system) == {"sk1", "sk2", "sk3"}
    check_quorum(system, ["sk1", "sk2", "sk3"])

    lose_disk(system, "sk1")
    before = survivor.ledger.count()
    wait.until(lambda: survivor.ledger.count() > before + 20, 30, "commits to go on with two of three")
    # The empty one in its place is not taken for it: it has forgotten its votes.
    shown = wait.until(lambda: next((s for s in view(system)["safekeepers"] if s["name"] == "sk1" and "lost its disk" in s.get("error", "")), None),
                       30, "the loss to be noticed")
    assert not shown["answers"], shown
    assert "sk4" in system.cli("safekeeper", "replace", "sk1")
    assert members(system) == {"sk2", "sk3", "sk4"}
    check_quorum(system, ["sk2", "sk3", "sk4"])
    assert "safekeeper-sk1" not in system.daemons()

    # All the while the same compute served the same sessions.
    computes = system.json("compute", "list")["computes"]
    assert next(c["pid"] for c in computes if c["branch"] == "main") == pid
    assert survivor.ledger.broken() == 0, survivor.ledger.errors()
    survivor.kill_everything()
    system.safekeepers = 3
    survivor.up()
    survivor.check()
    check_logs(system, ["sk2", "sk3", "sk4"])
    # Of the new three any one may be lost; the old one is in nobody's way.
    system.kill_daemon("safekeeper-sk2", signal.SIGSTOP)
    assert system.value("select id from idle", "idle") == 1
    assert system.value("select count(*) from idle", "idle-child") == 1
    system.sql("create table touched as select 1 as id", "untouched")
    check_quorum(system, ["sk2", "sk3", "sk4"], "untouched")
    os.kill(system.daemons()["safekeeper-sk2"], signal.SIGCONT)
