"""kill -9 of one process at a time under load: it is started again, the load goes on, nothing acknowledged is lost."""
import os
import signal
import threading
import time

import psycopg
import pytest

from support import layout, processes, shared_memory, wait
from support.crash import Survivor


@pytest.fixture(scope="module")
def survivor(make_system):
    return Survivor(make_system(), scale=1, clients=3)


@pytest.fixture(scope="module")
def quorum(make_system):
    return Survivor(make_system(safekeepers=3), scale=1, clients=3)


def restarts(system, name):
    return next(d["restarts"] for d in system.status()["daemons"] if d["name"] == name)


def listed(system):
    """The state of each branch that control lists."""
    return {b["name"]: b["current_state"] for b in system.json("branch", "list")["branches"]}


def kill_and_go_on(survivor, name, more=60):
    """Kills the daemon under load; it comes back and transactions go on."""
    system = survivor.system
    # Clients reconnect through the `bough url` they would ask for again.
    survivor.start_writing(reconnect=True, url=system.url())
    try:
        before = restarts(system, name)
        pid = system.kill_daemon(name)
        wait.until(lambda: not processes.alive(pid), 10, "its death")
        wait.until(lambda: system.daemons()[name] not in (pid, None, 0) and restarts(system, name) == before + 1, 30, f"{name}'s restart")
        count = survivor.ledger.count()
        wait.until(lambda: survivor.ledger.count() >= count + more, 60, f"{more} more transactions after {name} was killed")
    finally:
        survivor.stop_writing()
    survivor.check()


def test_the_pageserver(survivor):
    kill_and_go_on(survivor, "pageserver")
    # What it lost from memory it has read from the log again: a compute with nothing local agrees.
    system = survivor.system
    system.branch("after-pageserver")
    with system.connect("after-pageserver") as connection:
        survivor.check_connection(connection, survivor.must_have)


def test_the_only_safekeeper(survivor):
    name = next(n for n in survivor.system.daemons() if n.startswith("safekeeper"))
    kill_and_go_on(survivor, name)
    survivor.system.branch("after-safekeeper")
    with survivor.system.connect("after-safekeeper") as connection:
        survivor.check_connection(connection, survivor.must_have)


def test_control(survivor):
    kill_and_go_on(survivor, "control")
    assert survivor.ledger.broken() == 0 or survivor.system.value("select 1") == 1


def test_an_acknowledged_branch_is_there_as_soon_as_control_is_back(survivor):
    """Control dies with the last word on it in memory, and the pageserver, which knows, does not answer the next one yet."""
    system = survivor.system
    seen = set()
    for number in range(5):
        name = f"just-made-{number}"
        pids, before = system.daemons(), restarts(system, "control")
        system.branch(name)
        os.kill(pids["control"], signal.SIGKILL)
        os.kill(pids["pageserver"], signal.SIGSTOP)
        try:
            wait.until(lambda: restarts(system, "control") == before + 1, 30, "control's restart")
            branches = wait.until(lambda: listed(system), 30, "an answer of control")
            seen.add(branches[name])
            # Nor do others have to wait for the pageserver.
            system.url("main")
        finally:
            os.kill(pids["pageserver"], signal.SIGCONT)
        assert system.value("select 1", name) == 1
        assert listed(system)[name] == "ready"
        if "init" in seen:  # else the last word was written just before
            break
    assert "init" in seen


def test_a_first_start_that_control_s_death_left_unfinished_is_done_again(survivor):
    """The server runs and the owner's role is not made yet: the next control would otherwise take over a compute that nobody can log in to."""
    system = survivor.system
    project = system.json("project", "create", "second")["project"]
    safekeeper, before = system.daemons()["safekeeper-sk1"], restarts(system, "control")
    directory = layout.compute_directory(system.data_dir, project["id"], project["default_branch"])
    starting = threading.Thread(target=system.run, args=("compute", "start", "--project", "second"))

    def role_waits():  # control is busy with it, so not by its URL
        port, socket = (directory / "postmaster.pid").read_text().splitlines()[3:5]
        with psycopg.connect(host=socket, port=port, user="postgres", dbname="postgres", connect_timeout=10) as superuser:
            return superuser.execute("select 1 from pg_stat_activity where query like 'CREATE ROLE%' and wait_event = 'SyncRep'").fetchone()
    starting.start()
    try:
        wait.until((directory / "postmaster.pid").exists, 60, "the server", interval=0.001)
        os.kill(safekeeper, signal.SIGSTOP)  # what is written waits from here on
        wait.until(role_waits, 60, "the role to wait for the safekeeper")
        system.kill_daemon("control")
    finally:
        os.kill(safekeeper, signal.SIGCONT)
    starting.join(60)
    assert not starting.is_alive(), "whoever asked for the start never heard that control is gone"
    wait.until(lambda: restarts(system, "control") == before + 1, 30, "control's restart")

    def as_owner():
        with psycopg.connect(system.json("url", "--project", "second")["url"], connect_timeout=10) as owner:
            return owner.execute("select 1").fetchone()
    assert wait.until(as_owner, 60, "the owner's connection") == (1,)
    system.cli("project", "delete", "second")


def test_a_deletion_that_control_s_death_interrupted_ends_the_compute_too(survivor):
    """It dies between writing down that the branch goes and stopping the compute, which the next control finds running."""
    system = survivor.system
    system.branch("going")
    directory = layout.compute_directory(system.data_dir, system.project_id(), system.branch_id("going"))
    before = restarts(system, "control")
    clients = [threading.Thread(target=system.run, args=words) for words in (("compute", "start", "going"), ("branch", "delete", "going"))]
    clients[0].start()
    wait.until((directory / "postmaster.pid").exists, 60, "the server", interval=0.001)
    server = int(wait.until(lambda: (directory / "postmaster.pid").read_text().splitlines(), 10, "its pid")[0])
    os.kill(server, signal.SIGSTOP)
    try:
        clients[1].start()  # and waits for the start to end
        wait.until(lambda: listed(system).get("going") != "ready", 30, "the beginning of the deletion")
        system.kill_daemon("control")
        wait.until(lambda: restarts(system, "control") == before + 1, 30, "control's restart")
        wait.until(lambda: system.run("branch", "list").returncode == 0, 30, "control")
    finally:
        os.kill(server, signal.SIGCONT)
    wait.until(lambda: "going" not in listed(system), 60, "the end of the deletion")
    assert not processes.alive(server)
    for client in clients:
        client.join(60)


def test_one_of_three_safekeepers_and_then_another(quorum):
    names = sorted(n for n in quorum.system.daemons() if n.startswith("safekeeper"))
    assert len(names) == 3
    for name in names[:2]:
        kill_and_go_on(quorum, name)
    quorum.system.branch("after-two")
    with quorum.system.connect("after-two") as connection:
        quorum.check_connection(connection, quorum.must_have)


def test_commits_do_not_wait_for_a_stopped_minority(quorum):
    """SIGSTOP one of three: commits go on without it. SIGSTOP a second: they wait, and go on when it does."""
    names = sorted(n for n in quorum.system.daemons() if n.startswith("safekeeper"))
    pids = [quorum.system.daemons()[name] for name in names]
    quorum.start_writing()
    stopped = []
    try:
        os.kill(pids[0], signal.SIGSTOP)
        stopped.append(pids[0])
        count = quorum.ledger.count()
        wait.until(lambda: quorum.ledger.count() >= count + 50, 30, "commits with two of three")
        os.kill(pids[1], signal.SIGSTOP)
        stopped.append(pids[1])
        time.sleep(1)
        count = quorum.ledger.count()
        time.sleep(2)
        assert quorum.ledger.count() == count, "commits were acknowledged by one of three"
        os.kill(pids[1], signal.SIGCONT)
        wait.until(lambda: quorum.ledger.count() >= count + 50, 60, "commits after the second went on")
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        quorum.stop_writing()
    quorum.check()


def test_a_compute_s_postmaster(survivor):
    """The compute dies: the next request for it gets a fresh one, with all that was acknowledged."""
    system = survivor.system
    survivor.start_writing()
    pid = next(c["pid"] for c in system.json("compute", "list")["computes"] if c["branch"] in ("main", system.branch_id("main")))
    os.kill(pid, signal.SIGKILL)
    survivor.stop_writing()
    wait.until(lambda: not processes.alive(pid), 10, "its death")
    wait.until(lambda: system.value("select 1") == 1, 60, "a compute again")
    assert next(c["pid"] for c in system.json("compute", "list")["computes"] if c["branch"] in ("main", system.branch_id("main"))) != pid
    survivor.check()


def test_a_killed_compute_leaves_no_shared_memory(survivor):
    """The kernel has few segments to give. Its next start, its stop and the branch's deletion each take what the dead one has left."""
    system = survivor.system
    for number, (command, name) in enumerate([(("compute", "start"), "segment-0"), (("compute", "stop"), "segment-0"), (("branch", "delete"), "segment-1")]):
        if number != 1:  # which the first has started
            system.branch(name)
            system.value("select 1", name)
        directory = layout.compute_directory(system.data_dir, system.project_id(), system.branch_id(name))
        segment, maker = shared_memory.segment_of(directory), int((directory / "postmaster.pid").read_text().split()[0])
        assert shared_memory.present()[segment] == maker
        os.kill(maker, signal.SIGKILL)
        assert shared_memory.present()[segment] == maker
        wait.until(lambda pid=maker: not processes.alive(pid), 10, "its death")
        system.cli(*command, name)
        assert shared_memory.present().get(segment) != maker, command


def test_one_backend_of_a_compute(survivor):
    """Stock Postgres would recover from local files, which here are not enough: the compute has to be started afresh."""
    system = survivor.system
    with system.connect() as victim:
        victim.execute("insert into ledger values (-1, 1, 0)")
        pid = victim.execute("select pg_backend_pid()").fetchone()[0]
        os.kill(pid, signal.SIGKILL)
    wait.until(lambda: system.value("select count(*) from ledger where client = -1") == 1, 60, "a compute again")
    survivor.may_have.add((-1, 1))
    survivor.must_have.add((-1, 1))
    survivor.check()
    survivor.check_indexes()


def test_redo_workers(survivor):
    """They are disposable: pages are read on while they die again and again."""
    system = survivor.system
    expected = system.sql("select count(*), sum(abalance) from pgbench_accounts")
    killed = 0
    for number in range(3):
        system.branch(f"redo-{number}")
        with system.connect(f"redo-{number}") as connection:
            for pid in system.processes():
                if "--single" in processes.command_line(pid):
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
            assert connection.execute("select count(*), sum(abalance) from pgbench_accounts").fetchall() == expected
    assert killed > 0, "no redo worker was found"
    assert restarts(system, "pageserver") == restarts(system, "pageserver")


def test_the_supervisor(survivor):
    """`bough up` itself dies: what it started may go on or end, but a second `up` brings the system back."""
    system = survivor.system
    survivor.start_writing()
    supervisors = [pid for pid in system.processes() if processes.program(pid) == "bough"]
    assert supervisors, [processes.command_line(pid) for pid in system.processes()]
    for pid in supervisors:
        os.kill(pid, signal.SIGKILL)
    time.sleep(1)
    survivor.stop_writing()
    system.up()
    survivor.check()
    names = list(system.daemons())
    assert len(names) == len(set(names)), names
    running = [processes.program(pid) for pid in system.processes() if processes.program(pid).startswith("bough-pages")]
    assert len(running) == 1, running


def test_a_branch_that_was_acknowledged_is_there_whatever_then_dies(survivor):
    """That it is ready is written down later; whether it came about is asked of the pageserver again."""
    system = survivor.system
    supervisor = layout.supervisor_pid(system.data_dir)
    for number in range(4):
        name = f"just-acknowledged-{number}"
        os.kill(supervisor, signal.SIGSTOP)
        try:
            system.cli("branch", "create", name)
            system.kill_daemon("control")
            if number % 2:
                system.kill_daemon("pageserver")
        finally:
            os.kill(supervisor, signal.SIGCONT)
        wait.until(lambda: system.run("branch", "list").returncode == 0, 30, "control's restart")
        assert name in listed(system)
        # Settled when the pageserver is back.
        wait.until(lambda n=name: listed(system).get(n) == "ready", 20, "the branch")
        assert system.value("select 1", name) == 1


def test_what_was_deleted_before_it_was_made_is_not_made(survivor):
    """The request of a control that died may be read when its successor has asked whether the branch is there, and given it up."""
    system, pageserver = survivor.system, survivor.system.admin("pageserver")
    branches = f"/v1/projects/{system.project_id()}/branches"
    root = system.branch_id("main")
    described = pageserver.get(f"{branches}/{root}")
    point = {"parent": root, "lsn": described["ingest_lsn"], "prev_lsn": described["last_record_lsn"]}
    assert pageserver.raw("DELETE", f"{branches}/br-given-up")[0] == 404
    assert pageserver.raw("PUT", f"{branches}/br-given-up", point)[0] == 409
    assert pageserver.raw("PUT", f"{branches}/br-another", point)[0] == 201
    assert pageserver.raw("DELETE", f"{branches}/br-another")[0] == 200


def test_what_could_not_be_made_while_the_pageserver_was_away_leaves_no_name_taken(survivor):
    """Nor does what could not be deleted then stay half deleted."""
    system = survivor.system
    system.branch("doomed")
    supervisor = layout.supervisor_pid(system.data_dir)
    os.kill(supervisor, signal.SIGSTOP)  # which would start it again at once
    try:
        system.kill_daemon("pageserver")
        for words in (("project", "create", "unlucky"), ("branch", "create", "unlucky"), ("snapshot", "create", "unlucky")):
            assert "pageserver" in system.refused(*words)
        for _ in range(2):
            assert "it is tried again" in system.refused("branch", "delete", "doomed")
    finally:
        os.kill(supervisor, signal.SIGCONT)
    wait.until(lambda: "doomed" not in [row["name"] for row in system.json("branch", "list")["branches"]], 30, "the branch's deletion")
    for what in ("branch", "snapshot", "project"):  # a second project comes last, or the others would have to say which
        wait.until(lambda: system.run(what, "create", "unlucky").returncode == 0, 30, f"the name of a {what}")
    for words in (("project", "delete", "unlucky"), ("snapshot", "delete", "unlucky"), ("branch", "delete", "unlucky")):
        system.cli(*words)
