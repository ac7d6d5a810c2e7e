"""Requests that cannot be granted: each is a clear error, and nothing is half made."""
import os
import shutil
import socket

import psycopg
import pytest

from support import layout, processes
from support.account import run_as_server, server_user
from support.system import BoughSystem


def branches(system):
    return sorted(b["name"] for b in system.json("branch", "list")["branches"])


@pytest.fixture(autouse=True)
def nothing_else_changes(request):
    """Each test that uses the shared system leaves its branches, computes and daemons as they were."""
    if "system" not in request.fixturenames:
        yield
        return
    system = request.getfixturevalue("system")
    before = branches(system), system.daemons()
    yield
    assert (branches(system), system.daemons()) == before


@pytest.mark.parametrize("words", [("branch", "get", "nowhere"), ("branch", "delete", "nowhere"), ("url", "nowhere"),
                                   ("compute", "start", "nowhere"), ("compute", "stop", "nowhere"), ("psql", "nowhere", "--", "-c", "select 1"),
                                   ("branch", "create", "x", "--parent", "nowhere")])
def test_an_unknown_branch(system, words):
    error = system.refused(*words)
    assert "nowhere" in error and "branch" in error, error


@pytest.mark.parametrize("words", [("project", "get", "nowhere"), ("project", "delete", "nowhere"), ("branch", "list", "--project", "nowhere"),
                                   ("branch", "create", "x", "--project", "nowhere"), ("url", "--project", "nowhere")])
def test_an_unknown_project(system, words):
    error = system.refused(*words)
    assert "nowhere" in error and "project" in error, error


def test_a_name_that_is_taken(system):
    error = system.refused("branch", "create", "main")
    assert "main" in error and "exist" in error, error
    name = system.json("project", "list")["projects"][0]["name"]
    error = system.refused("project", "create", name)
    assert name in error and "exist" in error, error
    assert len(system.json("project", "list")["projects"]) == 1


@pytest.mark.parametrize("name", ["", " ", "x" * 300, "-rf", "a\nb", " a", "a ", "a\x7fb", "\x1b[2J"])
def test_a_name_that_is_none(system, name):
    done = system.run("branch", "create", "--", name) if name.startswith("-") else system.run("branch", "create", name)
    assert done.returncode in (1, 2), (done.stdout, done.stderr)
    assert done.stderr.strip(), "no message"
    assert not any((ord(c) < 32 and c != "\n") or ord(c) == 127 for c in done.stderr), "control characters go to the terminal"


@pytest.mark.parametrize("name", ["../../etc", "feature/x", "a b", "Ünïcode", "'; drop table x; --", "%2e%2e", "..", ".", "a?b=c#d", "\\", 'a"b'])
def test_a_name_is_only_a_name(system, name):
    """Names are shown and looked up; paths, keys and statements are made of ids."""
    before = {path for path in system.data_dir.rglob("*")}
    branch = system.json("branch", "create", name)["branch"]
    assert branch["name"] == name
    assert system.json("branch", "get", name)["branch"]["id"] == branch["id"]
    assert system.sql("select 1", name) == [(1,)]
    made = [path for path in system.data_dir.rglob("*") if path not in before]
    assert not [path for path in system.data_dir.parent.parent.rglob("*") if path.name == name]
    assert made and not [path for path in made if name in path.relative_to(system.data_dir).parts]
    system.cli("branch", "delete", branch["id"])
    assert name not in [row["name"] for row in system.json("branch", "list")["branches"]]


def test_a_name_that_is_another_branch_s_id(system):
    """Nobody takes another's place by being called like it: an id goes before a name, or such a name is refused."""
    main = system.branch_id("main")
    if system.run("branch", "create", main).returncode == 0:
        assert system.json("branch", "get", main)["branch"]["name"] == "main"
        for branch in system.json("branch", "list")["branches"]:
            if branch["name"] == main:
                system.cli("branch", "delete", branch["id"])
    assert system.json("branch", "get", main)["branch"]["name"] == "main"


@pytest.mark.parametrize("at", ["FFFFFFFF/0", "7FFFFFFF/FFFFFFFF"])
def test_an_lsn_in_the_future(system, at):
    error = system.refused("branch", "create", "future", "--at", at)
    assert at in error or "future" in error or "beyond" in error or "end" in error, error


def test_an_lsn_just_beyond_the_tip(system):
    system.sql("create table if not exists t (id int)")
    high, low = system.tip("main").split("/")
    error = system.refused("branch", "create", "future", "--at", f"{high}/{int(low, 16) + (64 << 20):X}")
    assert error


@pytest.mark.parametrize("at", ["0/0", "0/1", "0/28"])
def test_an_lsn_before_the_branch_began(system, at):
    error = system.refused("branch", "create", "past", "--at", at)
    assert at in error or "before" in error or "began" in error or "begin" in error, error


@pytest.mark.parametrize("at", ["2001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1900-01-01T00:00:00Z"])
def test_a_time_before_the_branch_began(system, at):
    error = system.refused("branch", "create", "past", "--at", at)
    assert "before" in error or "began" in error or "begin" in error or "earlier" in error, error


@pytest.mark.parametrize("at", ["yesterday", "2026-13-45T00:00:00Z", "2026-02-30T00:00:00Z", "12", "0/", "/0", "0/G", "0/123456789", "x/y", "", " ",
                                "2026-01-01T25:00:00Z", "0/0/0", "-1/-1", "2026-01-01T00:00:00+99:99", "NaN"])
def test_a_moment_that_cannot_be_parsed(system, at):
    done = system.run("branch", "create", "unparsed", f"--at={at}")
    assert done.returncode in (1, 2), (done.stdout, done.stderr)
    assert "at" in done.stderr or "time" in done.stderr or "LSN" in done.stderr, done.stderr


@pytest.mark.parametrize("words", [("up", "--safekeepers", "2"), ("up", "--safekeepers", "0"), ("up", "--api-port", "99999"), ("up", "--sql-port", "x"),
                                   ("nonsense",), ("branch",), ("branch", "create"), ("branch", "create", "a", "b"), ("url", "--nonsense"),
                                   ("project", "create")])
def test_a_command_line_that_makes_no_sense(system, words):
    done = system.run(*words)
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert done.stderr.strip()


def test_an_api_port_that_is_taken(make_system):
    system = make_system()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", system.api_port))
        taken.listen()
        error = system.refused("up", "--api-port", system.api_port, "--sql-port", system.sql_port)
        assert str(system.api_port) in error, error
        assert not system.processes(), [processes.command_line(pid) for pid in system.processes()]
    # With the port free, the same directory comes up.
    system.up()
    assert system.value("select 1") == 1


def test_an_sql_port_that_is_taken(make_system):
    """--sql-port is the first of the branches' ports: one that somebody has is passed over, not fought for."""
    system = make_system()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", system.sql_port))
        taken.listen()
        url = system.up()["url"]
        assert f":{system.sql_port}/" not in url, url
        assert system.value("select 1") == 1


def test_a_branch_s_port_taken_while_its_compute_was_stopped(make_system):
    """The connection string must not silently lead to somebody else: a clear error, and all is well once the port is free."""
    system = make_system()
    port = int(psycopg.conninfo.conninfo_to_dict(system.up()["url"])["port"])
    system.cli("compute", "stop")
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        error = system.refused("compute", "start")
        assert str(port) in error, error
    assert system.value("select 1") == 1


def test_a_data_directory_in_use_by_another_up(system):
    other = BoughSystem(system.data_dir.parent, name=system.data_dir.name)
    error = other.refused("up", "--api-port", other.api_port, "--sql-port", other.sql_port)
    assert str(system.data_dir) in error or "already" in error or "running" in error, error


def test_a_foreground_up_beside_a_running_one(system):
    error = system.refused("up", "--foreground", "--api-port", system.api_port, "--sql-port", system.sql_port)
    assert "running" in error or "in use" in error or "lock" in error, error


def test_a_data_directory_of_another_version(make_system):
    system = make_system()
    system.up()
    system.sql("create table t as select 1 as id")
    system.down()
    mark = layout.settings_file(system.data_dir)
    original = mark.read_bytes()
    assert b'"format":2' in original
    mark.write_bytes(original.replace(b'"format":2', b'"format":9999'))
    error = system.refused("up", "--api-port", system.api_port, "--sql-port", system.sql_port)
    assert "version" in error and "9999" in error, error
    assert not system.processes()
    mark.write_bytes(b"\xff\x00garbage")
    system.refused("up", "--api-port", system.api_port, "--sql-port", system.sql_port)
    mark.write_bytes(original)
    system.up()
    assert system.value("select id from t") == 1


def test_a_directory_that_is_something_else(make_system, scratch):
    system = make_system()
    system.data_dir.mkdir()
    shutil.chown(system.data_dir, server_user().pw_uid, server_user().pw_gid)
    (system.data_dir / "letters").write_text("mine")
    error = system.refused("up", "--api-port", system.api_port, "--sql-port", system.sql_port)
    assert str(system.data_dir) in error or "empty" in error, error
    assert [p.name for p in system.data_dir.iterdir()] == ["letters"] and (system.data_dir / "letters").read_text() == "mine"
    file_in_place = make_system()
    file_in_place.data_dir.write_text("a file")
    file_in_place.refused("up", "--api-port", file_in_place.api_port, "--sql-port", file_in_place.sql_port)
    assert file_in_place.data_dir.read_text() == "a file"


def test_missing_postgres_packages(make_system, scratch):
    system = make_system()
    empty = scratch.make("nobin")
    error = system.refused("up", "--api-port", system.api_port, "--sql-port", system.sql_port, environment={"BOUGH_PG_BINDIR": str(empty)})
    assert "postgres" in error.lower() and ("install" in error or str(empty) in error), error
    assert not system.processes()
    assert not system.data_dir.exists() or not any(system.data_dir.rglob("PG_VERSION")), "half a template was left"
    system.up()
    assert system.value("select 1") == 1


def test_a_postgres_of_another_major_version(make_system, scratch):
    """A directory with programs that say they are something else."""
    system = make_system()
    fake = scratch.make("fakebin")
    for name in ("postgres", "initdb", "pg_ctl", "pg_config"):
        (fake / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 9.6.24'\n")
        (fake / name).chmod(0o755)
    error = system.refused("up", "--api-port", system.api_port, "--sql-port", system.sql_port, environment={"BOUGH_PG_BINDIR": str(fake)})
    assert "15" in error or "version" in error, error
    assert not system.processes()


def test_verbs_on_a_system_that_does_not_run(make_system):
    system = make_system()
    for words in (("branch", "list"), ("url",), ("branch", "create", "x"), ("project", "list"), ("compute", "list")):
        error = system.refused(*words)
        assert "bough up" in error or "running" in error, error
    assert not system.data_dir.exists(), "a verb made the data directory"


def test_a_data_directory_that_cannot_be_written(scratch):
    system = BoughSystem("/proc", name="bough-data")
    error = system.refused("up", "--api-port", system.api_port, "--sql-port", system.sql_port)
    assert "/proc" in error, error


def test_a_data_directory_of_another_user(make_system):
    """One who may not read it is told so."""
    system = make_system()
    system.up()
    system.down()
    if os.geteuid() != 0:
        os.chmod(system.data_dir, 0)
        system.refused("up", "--api-port", system.api_port, "--sql-port", system.sql_port)
        os.chmod(system.data_dir, 0o700)
        return
    import pwd
    nobody = pwd.getpwnam("nobody")
    import subprocess
    done = subprocess.run([str(system.program), "up", "--data-dir", str(system.data_dir), "--api-port", str(system.api_port), "--sql-port",
                           str(system.sql_port)], user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, cwd="/", timeout=60)
    assert done.returncode == 1 and done.stderr.startswith("bough: "), (done.returncode, done.stderr)
    system.up()
    assert system.value("select 1") == 1
    assert run_as_server(["true"]).returncode == 0
