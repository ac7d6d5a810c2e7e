"""What a new user sees: one command, a connection string that works, and commands that say what is there."""
import json
import os
import resource
import stat
import subprocess

import psycopg
import pytest

from support import layout, processes, wait
from support.account import is_root, run_as_server, server_user
from support.system import BoughSystem


def test_up_prints_a_connection_string_that_works(make_system):
    system = make_system()
    answer = system.up()
    assert set(answer) >= {"data_dir", "api", "project", "branch", "url"}, answer
    assert os.path.realpath(answer["data_dir"]) == os.path.realpath(system.data_dir)
    assert answer["api"].endswith(str(system.api_port))
    with psycopg.connect(answer["url"], autocommit=True, connect_timeout=30) as connection:
        assert connection.execute("select 40 + 2").fetchone() == (42,)
        version = connection.execute("show server_version").fetchone()[0]
        stock = run_as_server(["/usr/lib/postgresql/15/bin/postgres", "--version"]).stdout
        assert version in stock, "the compute is not the distribution's Postgres"
        # The owner role: may create databases, roles and tables, is no superuser.
        assert connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchone() == (False,)
        connection.execute("create table first (id int primary key, words text)")
        connection.execute("insert into first values (1, 'hello')")
        assert connection.execute("select words from first").fetchone() == ("hello",)


def test_up_in_text_names_the_url_and_the_next_step(make_system):
    system = make_system()
    text = system.cli("up", "--safekeepers", 1, "--api-port", system.api_port, "--sql-port", system.sql_port)
    assert "postgresql://" in text, text
    assert "bough branch create" in text, "does not say how to make a branch:\n" + text
    url = next(word for word in text.split() if word.startswith("postgresql://"))
    with psycopg.connect(url, connect_timeout=30) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_up_again_changes_nothing(system):
    first = system.up()
    system.sql("create table kept (id int)")
    pids = system.daemons()
    again = system.up()
    assert again == first
    assert system.daemons() == pids, "a daemon was started again"
    assert system.sql("select count(*) from kept") == [(0,)]
    assert len(system.json("project", "list")["projects"]) == 1


def test_status_names_every_daemon_and_they_run(system):
    status = system.status()
    names = {daemon["name"] for daemon in status["daemons"]}
    assert "pageserver" in names and "control" in names and any(name.startswith("safekeeper") for name in names), status
    for daemon in status["daemons"]:
        assert daemon["state"] == "running" and daemon["restarts"] == 0, daemon
        assert processes.alive(daemon["pid"]), daemon
        assert processes.program(daemon["pid"]).startswith("bough-"), daemon
    assert "pageserver" in system.cli("status")


def test_daemons_may_open_more_files_than_a_login_may(make_system):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    system = make_system()
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    try:
        system.up()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    allowed = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    for name, pid in system.daemons().items():
        assert processes.open_files_limit(pid) == allowed, name


def test_down_ends_every_process_and_up_brings_the_data_back(make_system):
    system = make_system()
    system.up()
    system.sql("create table survives as select generate_series(1, 1000) as id")
    url = system.url()
    assert system.processes()
    system.down()
    assert system.processes() == set(), [processes.command_line(pid) for pid in system.processes()]
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url, connect_timeout=5)
    system.up()
    assert system.url() == url, "the connection string changed"
    assert system.sql("select count(*), sum(id) from survives") == [(1000, 500500)]


def test_down_without_up_says_so(make_system):
    system = make_system()
    done = system.run("down")
    assert done.returncode in (0, 1)
    assert "not running" in (done.stdout + done.stderr) or "nothing" in (done.stdout + done.stderr) or \
        "no " in (done.stdout + done.stderr), (done.stdout, done.stderr)


def test_two_systems_live_side_by_side(system, make_system):
    other = make_system()
    other.up()
    system.sql("create table here (id int)")
    other.sql("create table there (id int)")
    assert system.value("select to_regclass('there') is null and to_regclass('here') is not null")
    assert other.value("select to_regclass('here') is null and to_regclass('there') is not null")
    assert system.value("select system_identifier from pg_control_system()", superuser=True) != \
        other.value("select system_identifier from pg_control_system()", superuser=True)
    other.down()
    assert system.value("select 1") == 1


def test_three_safekeepers_make_a_quorum_of_two(make_system):
    system = make_system(safekeepers=3)
    system.up()
    assert sum(name.startswith("safekeeper") for name in system.daemons()) == 3
    names = system.value("show synchronous_standby_names", superuser=True)
    assert names.upper().startswith("ANY 2"), names
    system.sql("create table t as select 1 as id")
    rows = wait.until(lambda: (lambda r: r if r == [(3,)] else None)(
        system.sql("select count(*) from pg_stat_replication where state = 'streaming'", superuser=True)), 20, "three standbys")
    assert rows == [(3,)]


def test_every_verb_speaks_json(system):
    project = system.json("project", "list")["projects"][0]
    assert set(project) >= {"id", "name", "created_at"}
    assert system.json("project", "get", project["id"])["project"]["id"] == project["id"]
    branch = system.branch("json-branch")
    assert set(branch) >= {"id", "name", "parent_id", "parent_name", "lsn", "created_at"}, branch
    assert branch["name"] == "json-branch" and branch["parent_name"] == "main"
    assert system.json("branch", "get", "json-branch")["branch"]["id"] == branch["id"]
    names = [b["name"] for b in system.json("branch", "list")["branches"]]
    assert sorted(names) == sorted(set(names)) and {"main", "json-branch"} <= set(names)
    compute = system.json("compute", "start", "json-branch")["compute"]
    assert set(compute) >= {"branch", "state", "port", "pid", "term", "start_lsn"}, compute
    assert processes.alive(compute["pid"])
    assert any(c["branch"] in ("json-branch", branch["id"]) for c in system.json("compute", "list")["computes"])
    system.json("compute", "stop", "json-branch")
    wait.until(lambda: not processes.alive(compute["pid"]), 20, "the compute's end")
    assert system.json("url", "json-branch")["url"].startswith("postgresql://")
    json.loads(system.cli("status", "--json"))
    system.json("branch", "delete", "json-branch")
    assert "json-branch" not in [b["name"] for b in system.json("branch", "list")["branches"]]


def test_projects_are_apart(system):
    made = system.json("project", "create", "second")["project"]
    assert {p["name"] for p in system.json("project", "list")["projects"]} >= {"second"}
    # With two projects a verb must be told which.
    error = system.refused("branch", "list")
    assert "--project" in error, error
    branches = system.json("branch", "list", "--project", "second")["branches"]
    assert [b["name"] for b in branches] == ["main"], branches
    url = system.json("url", "--project", "second")["url"]
    with psycopg.connect(url, autocommit=True, connect_timeout=30) as connection:
        connection.execute("create table only_in_second (id int)")
        second = connection.execute("select current_setting('port')").fetchone()
    first_url = system.json("url", "--project", system.project)["url"]
    assert first_url != url
    with psycopg.connect(first_url, autocommit=True, connect_timeout=30) as connection:
        assert connection.execute("select to_regclass('only_in_second')").fetchone() == (None,)
        assert connection.execute("select current_setting('port')").fetchone() != second
    system.json("project", "delete", made["id"])
    assert {p["name"] for p in system.json("project", "list")["projects"]}.isdisjoint({"second"})
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url, connect_timeout=5)
    assert system.value("select 1") == 1


def test_psql_runs_on_a_branch(system):
    out = system.cli("psql", "main", "--", "-Atc", "select 6 * 7")
    assert out.strip() == "42", out
    out = system.cli("psql", "--superuser", "--", "-Atc", "select rolsuper from pg_roles where rolname = current_user")
    assert out.strip() == "t", out
    done = system.run("psql", "main", "--", "-v", "ON_ERROR_STOP=1", "-c", "select nonsense")
    assert done.returncode != 0 and "nonsense" in done.stderr


def test_the_superuser_s_way_in_is_local_only(system):
    parts = psycopg.conninfo.conninfo_to_dict(system.url("main", superuser=True))
    assert parts["host"].startswith("/"), parts
    owner = psycopg.conninfo.conninfo_to_dict(system.url("main"))
    assert owner["host"] in ("127.0.0.1", "localhost"), owner
    # Over TCP the superuser is refused, whatever password is given.
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host=owner["host"], port=owner["port"], user=parts.get("user", "postgres"),
                        password=owner.get("password", "x"), dbname=owner["dbname"], connect_timeout=10)
    # And the owner needs its password.
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host=owner["host"], port=owner["port"], user=owner["user"], password="wrong", dbname=owner["dbname"],
                        connect_timeout=10)


def test_everything_listens_on_loopback_or_private_sockets_only(system):
    pids = system.processes()
    inodes = set()
    for pid in pids:
        try:
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
                if target.startswith("socket:["):
                    inodes.add(target[8:-1])
        except OSError:
            pass
    listening = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table, encoding="ascii") as file:
            for line in file.readlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and fields[9] in inodes:
                    listening.append(fields[1])
    assert listening, "nothing listens"
    loopback = ("0100007F:", "00000000000000000000000001000000:")
    assert all(address.startswith(loopback) for address in listening), listening
    for path in layout.sockets(system.data_dir):
        mode = stat.S_IMODE(path.stat().st_mode)
        reachable = mode & 0o077 and all(stat.S_IMODE(parent.stat().st_mode) & 0o011 for parent in path.parents
                                         if str(parent).startswith(str(system.data_dir)))
        assert not reachable, f"{path} has mode {mode:o} and others may reach it"


def test_secrets_are_in_no_command_line_and_no_log(system):
    password = psycopg.conninfo.conninfo_to_dict(system.url())["password"]
    assert len(password) >= 16
    for pid in system.processes():
        assert password not in processes.command_line(pid)
    log = layout.logs(system.data_dir)
    assert len(log) > 500 and password not in log
    # The catalog has it; nobody else may read what lies in the data directory.
    assert stat.S_IMODE(system.data_dir.stat().st_mode) & 0o077 == 0


def test_up_runs_as_an_unprivileged_user_too(scratch):
    """The other way of starting: not as root. Root's own case is what all other tests here do when root runs them."""
    if not is_root():
        assert server_user().pw_uid != 0  # every other test of this file already ran that way
        return
    directory = scratch.make("plain")
    system = BoughSystem(directory)
    try:
        done = run_as_server([system.program, "up", "--json", "--data-dir", system.data_dir, "--api-port", system.api_port,
                              "--sql-port", system.sql_port], timeout=120)
        url = json.loads(done.stdout)["url"]
        with psycopg.connect(url, connect_timeout=30) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        for pid in system.processes():
            assert processes.owner(pid) in (server_user().pw_uid, None), processes.command_line(pid)
        run_as_server([system.program, "down", "--data-dir", system.data_dir])
        assert not system.processes()
    finally:
        system.destroy()


def test_started_as_root_nothing_runs_as_root_for_long(system):
    if not is_root():
        assert all(processes.owner(pid) in (os.geteuid(), None) for pid in system.processes())
        return
    roots = [processes.command_line(pid) for pid in system.processes() if processes.owner(pid) == 0]
    assert roots == [], roots


def test_foreground_ends_with_a_signal(make_system):
    system = make_system()
    process = subprocess.Popen([str(system.program), "up", "--foreground", "--data-dir", str(system.data_dir), "--api-port",
                                str(system.api_port), "--sql-port", str(system.sql_port)], cwd="/",
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait.until(lambda: system.value("select 1") == 1, 60, "an answer")
        assert process.poll() is None
        process.terminate()
        assert process.wait(60) == 0
        wait.until(lambda: not system.processes(), 10, "the end of everything")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
