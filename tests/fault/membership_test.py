"""Safekeepers are added and replaced while clients write: no session notices, and nothing acknowledged is lost."""
import http.server
import os
import shutil
import signal
import socketserver
import threading

import pytest

from support import layout, wait
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


class Stranger(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Looks like a safekeeper that has just started, and can do nothing."""
    daemon_threads = True

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            body = b'{"boot_id":"1"}' if self.path == "/status" else b'{"message":"no space left on device"}'
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200 if self.path == "/status" else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        do_GET = do_PUT = do_POST = do_DELETE = answer

        def log_message(self, *_):
            pass

    def get_request(self):
        return super().get_request()[0], ("stranger", 0)


def test_a_change_that_cannot_be_made_waits_and_is_called_off(make_system):
    system = make_system()
    system.up()
    system.sql("create table t as select 1 as id")
    path = system.data_dir.parent / "stranger.sock"
    stranger = Stranger(str(path), Stranger.Handler)
    path.chmod(0o777)
    threading.Thread(target=stranger.serve_forever, daemon=True).start()
    try:
        change = {"add": {"name": "stranger", "admin": f"unix:{path}", "wal": "host=/nowhere port=1"}}
        assert system.api("POST", "/safekeepers", change)["change"]["to"] == ["sk1", "stranger"]
        waiting = wait.until(lambda: view(system)["change"]["waiting"], 30, "a reason")
        assert waiting[0]["branch"] == "main" and "no space left" in waiting[0]["for"], waiting
        assert "already being changed" in str(pytest.raises(Exception, system.api, "POST", "/safekeepers", change).value)
        assert "being changed" in system.refused("safekeeper", "add")
        # Nothing has changed for the compute, nor does it after all was killed.
        system.sql("insert into t values (2)")
        system.kill_everything()
        system.up()
        assert system.value("select count(*) from t") == 2
        check_quorum(system, ["sk1"])
        assert view(system)["change"] is not None
        assert system.json("safekeeper", "cancel")["change"] is None
        assert members(system) == {"sk1"}
    finally:
        stranger.shutdown()
        stranger.server_close()
    assert system.value("select count(*) from t") == 2
    # The next change is not hindered by it, and it is not taken for another one.
    assert "removed or replaced before" in system.refused("safekeeper", "add", "stranger")
    system.json("safekeeper", "add", "sk2")
    check_quorum(system, ["sk1", "sk2"])


def test_a_change_waits_for_a_compute_that_cannot_read_its_settings(make_system):
    """It says in which file, and commits go on meanwhile: nobody is kept away from the compute for what it would not take."""
    system = make_system()
    system.up()
    system.sql("create table t as select 1 as id")
    settings = layout.compute_directory(system.data_dir, system.project_id(), system.branch_id("main")) / "postgresql.auto.conf"
    good = settings.read_text()
    settings.write_text(good + "this is no setting\n")
    added = threading.Thread(target=system.run, args=("safekeeper", "add", "sk2"))
    added.start()
    waiting = wait.until(lambda: (view(system)["change"] or {}).get("waiting"), 60, "a reason")
    wait.until(lambda: "postgresql.auto.conf:" in view(system)["change"]["waiting"][0]["for"], 60, f"the file, after {waiting}")
    for number in range(2, 12):
        system.sql(f"insert into t values ({number})")
    settings.write_text(good)
    added.join()
    check_quorum(system, ["sk1", "sk2"])
    assert system.value("select count(*) from t") == 11


def test_a_safekeeper_that_was_away_is_told_of_deleted_branches(make_system):
    system = make_system(safekeepers=3)
    system.up()
    system.sql("create table t as select 1 as id")
    system.branch("doomed")
    system.sql("create table t2 as select 1 as id", "doomed")
    doomed = f"branches/{system.project_id()}/{system.branch_id('doomed')}"
    kept = system.data_dir / "safekeepers" / "sk3" / doomed
    wait.until(kept.exists, 30, "sk3 to keep the branch")
    # One disk under two names is one.
    twin = {"add": {"name": "twin", "admin": f"unix:{system.admin_socket('safekeeper-sk1')}", "wal": "host=/nowhere port=1"}}
    assert "lead to the same data" in str(pytest.raises(Exception, system.api, "POST", "/safekeepers", twin).value)
    assert members(system) == {"sk1", "sk2", "sk3"}

    pid = system.kill_daemon("safekeeper-sk3", signal.SIGSTOP)
    system.json("branch", "delete", "doomed")
    assert kept.exists()
    os.kill(pid, signal.SIGCONT)
    wait.until(lambda: not kept.exists(), 90, "sk3 to hear of the deletion")
