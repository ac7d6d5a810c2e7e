"""What stock synchronous replication does not promise, shown to be just what docs/operating/commits-and-the-quorum.md says of it."""
import os
import signal
import threading
import time

import psycopg
import pytest

from support import wait
from support.wal_histories import logs_of, lsn


@pytest.fixture(scope="module")
def quorum(make_system):
    system = make_system(safekeepers=3)
    system.up()
    system.sql("create table t (id int primary key)")
    return system


class NoMajority:
    """Two of three safekeepers are stopped (SIGSTOP) inside: no commit can be acknowledged."""

    def __init__(self, system):
        self.pids = [system.daemons()[f"safekeeper-sk{i}"] for i in (1, 2)]

    def __enter__(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)
        return self

    def __exit__(self, *_):
        for pid in self.pids:
            os.kill(pid, signal.SIGCONT)


class Notices(list):
    """(SQLSTATE, text) of what the server said beside its answers."""

    def __init__(self, connection):
        super().__init__()
        connection.add_notice_handler(lambda d: self.append((d.sqlstate, d.message_primary)))


def ids(connection):
    return {row[0] for row in connection.execute("select id from t")}


def waiting_for_quorum(connection, pid):
    """Whether that backend waits for the quorum."""
    return connection.execute("select wait_event = 'SyncRep' from pg_stat_activity where pid = %s", (pid,)).fetchone()[0]


def commit_in_thread(connection, statement):
    result = {}

    def run():
        try:
            connection.execute(statement)
            result["answered"] = True
        except psycopg.Error as error:
            result["error"] = error
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, result


CANCELLED = ("01000", "canceling wait for synchronous replication due to user request")


def test_a_cancelled_wait_shows_a_commit_that_the_quorum_has_not(quorum):
    """Ctrl-C, pg_cancel_backend: COMMIT is answered, with a warning; others see the row; it becomes durable when a majority is back."""
    with quorum.connect() as writer, quorum.connect() as other, quorum.connect(superuser=True) as superuser:
        notices = Notices(writer)
        with NoMajority(quorum):
            thread, result = commit_in_thread(writer, "insert into t values (1)")
            wait.until(lambda: waiting_for_quorum(superuser, writer.info.backend_pid), 30, "the wait for the quorum")
            assert ids(other) == set(), "seen before the quorum had it, although nobody cancelled the wait"
            superuser.execute("select pg_cancel_backend(%s)", (writer.info.backend_pid,))
            thread.join(10)
            assert result == {"answered": True} and notices == [CANCELLED]
            assert ids(other) == {1}
            # A later commit waits for both.
            thread, result = commit_in_thread(writer, "insert into t values (2)")
            time.sleep(1)
            assert thread.is_alive() and ids(other) == {1}
        thread.join(60)
        assert result == {"answered": True} and ids(other) == {1, 2}


def test_statement_timeout_does_not_end_the_wait(quorum):
    """It is over when the statement is done; what waits is the commit after it."""
    with quorum.connect() as writer, quorum.connect(superuser=True) as superuser:
        writer.execute("set statement_timeout = '2s'")  # which the statement itself never takes, however busy the machine is
        with NoMajority(quorum):
            thread, result = commit_in_thread(writer, "insert into t values (3)")
            wait.until(lambda: not thread.is_alive() or waiting_for_quorum(superuser, writer.info.backend_pid), 30, "the wait for the quorum")
            time.sleep(3)
            assert thread.is_alive(), result
        thread.join(60)
        assert result == {"answered": True}


def test_a_cancelled_commit_may_be_lost_with_its_compute(quorum):
    """The warning means what it says: until a majority has it, only this compute does."""
    with quorum.connect() as writer, quorum.connect() as other, quorum.connect(superuser=True) as superuser:
        notices = Notices(writer)
        pids = [quorum.daemons()[f"safekeeper-sk{i}"] for i in (1, 2, 3)]
        compute = next(c["pid"] for c in quorum.json("compute", "list")["computes"] if c["pid"])
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            thread, result = commit_in_thread(writer, "insert into t values (4)")
            wait.until(lambda: waiting_for_quorum(superuser, writer.info.backend_pid), 30, "the wait for the quorum")
            superuser.execute("select pg_cancel_backend(%s)", (writer.info.backend_pid,))
            thread.join(10)
            assert result == {"answered": True} and notices == [CANCELLED]
            assert 4 in ids(other)
        finally:
            # With all that was sent to them and not received yet: as if their machines had failed. The compute
            # first, or a safekeeper that is started again at once could still get it from there.
            for pid in [compute, *pids]:
                os.kill(pid, signal.SIGKILL)
    wait.until(lambda: quorum.value("select count(*) from t where id = 1") == 1, 60, "a compute again")
    assert quorum.value("select count(*) from t where id = 4") == 0


def test_synchronous_commit_off_and_local_do_not_wait(quorum):
    for number, level in ((10, "off"), (11, "local")):
        with quorum.connect() as writer, NoMajority(quorum):
            notices = Notices(writer)
            writer.execute(f"set synchronous_commit = {level}")
            begin = time.monotonic()
            writer.execute(f"insert into t values ({number})")
            assert time.monotonic() - begin < 5 and not notices
            assert number in ids(writer)
    with quorum.connect() as writer:
        writer.execute("insert into t values (12)")  # waits for the quorum, and so for all before it
    quorum.restart_compute()
    assert {10, 11, 12} <= {row[0] for row in quorum.sql("select id from t")}


def test_reads_do_not_wait_for_the_quorum(quorum):
    with quorum.connect() as reader, NoMajority(quorum):
        begin = time.monotonic()
        assert 1 in ids(reader)
        assert time.monotonic() - begin < 5


def test_a_fenced_compute_answers_reads_but_acknowledges_nothing(quorum):
    """Another launcher has taken the branch: the old compute, while it runs, shows what it knows."""
    logs = logs_of(quorum)
    with quorum.connect() as writer, quorum.connect() as reader:
        known = ids(reader)
        term = max(p["term"] for p in logs.positions().values()) + 1
        votes = [admin.request("POST", logs.path + "/vote", {"term": term}) for admin, _ in logs.members.values()]
        assert sum(vote["granted"] for vote in votes) == 3
        thread, result = commit_in_thread(writer, "insert into t values (20)")
        time.sleep(2)
        assert result.get("answered") is None, "a fenced compute acknowledged a commit"
        if thread.is_alive():  # it may have been stopped by now, for it can do nothing useful any more
            assert ids(reader) == known
        assert max(lsn(p["end_lsn"]) for p in logs.positions().values()) == max(lsn(v["end_lsn"]) for v in votes)
        for compute in quorum.json("compute", "list")["computes"]:
            if compute["pid"]:
                try:
                    os.kill(compute["pid"], signal.SIGKILL)
                except ProcessLookupError:
                    pass
        thread.join(10)
        assert result.get("answered") is None
    wait.until(lambda: quorum.value("select count(*) from t where id = 1") == 1, 60, "a compute of a newer term")
    assert quorum.value("select count(*) from t where id = 20") == 0
