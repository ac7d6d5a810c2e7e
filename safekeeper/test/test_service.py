"""The listening sockets and the data directory: strangers, garbage, damage."""

import os
import pathlib
import random
import re
import socket
import struct
import subprocess
import time

import psycopg
import pytest

from support import BINDIR, PROGRAM, SANITIZED, SEGMENT_BYTES, AdminError, Branch, Safekeeper, lsn_text, segment_name, wait_until

BRANCH = Branch("p1", "main", 0x1000028 + 0x100, 0x1000028, 7000000000000000001)


def connect(safekeeper, path):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(path or f"{safekeeper.run_dir}/.s.PGSQL.{safekeeper.port}")
    return client


def startup(**parameters):
    body = struct.pack(">I", 3 << 16) + b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in parameters.items()) + b"\0"
    return struct.pack(">I", len(body) + 4) + body


def receive_all(client):
    content = b""
    try:
        while piece := client.recv(65536):
            content += piece
    except (ConnectionResetError, TimeoutError):
        pass
    return content


def error_of(content):
    at = content.index(b"E")
    fields = content[at + 5:].split(b"\0")
    return {f[:1].decode(): f[1:].decode() for f in fields if f}


OPTIONS = "-c bough.project=p1 -c bough.branch=main"


@pytest.mark.parametrize("sent, sqlstate", [
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "08P01"),
    (struct.pack(">II", 8, 2 << 16), "0A000"),
    (startup(user="x"), "0A000"),
    (startup(user="x", replication="database"), "0A000"),
    (startup(user="x", replication="true"), "22023"),
    (startup(user="x", replication="true", options="-c bough.project=p1"), "22023"),
    (startup(user="x", replication="true", options="-c bough.project=../.. -c bough.branch=main"), "22023"),
    (startup(user="x", replication="true", options="-c bough.project=p1 -c bough.branch=none"), "3D000"),
    (startup(user="x", replication="true", options=OPTIONS + " -c bough.term=x"), "22023"),
    (startup(user="x", replication="true", options=OPTIONS + " -c bough.term=9"), "55000"),
    (startup(user="x", replication="true", options=OPTIONS) + b"\0\0\0\0\0\0\0\0", "08P01"),
    (startup(user="x", replication="true", options=OPTIONS) + b"P\0\0\0\5x", "0A000"),
])
def test_strangers_get_an_error_and_are_dropped(one, sent, sqlstate):
    one.create(BRANCH)
    client = connect(one, None)
    client.sendall(sent)
    content = receive_all(client)
    assert error_of(content)["C"] == sqlstate, content
    assert one.answers()
    wait_until(lambda: "warning safekeeper WAL service" in one.log(), what="a line in the log")


def test_garbage_on_both_ports_harms_nobody(one):
    one.create(BRANCH)
    rng = random.Random(3)
    for _ in range(200):
        for path in (None, one.admin_path):
            client = connect(one, path)
            with client:
                try:
                    client.sendall(rng.choice((b"", startup(user="x", replication="1", options=OPTIONS))) + rng.randbytes(rng.randrange(200)))
                except (BrokenPipeError, ConnectionResetError):
                    pass
    assert one.answers()
    assert one.position(BRANCH)["end_lsn"] == BRANCH.origin["start_lsn"]
    # No session is left over.
    wait_until(lambda: re.search(rb"bough_safekeeper_wal_sessions 0\n", one.request("GET", "/metrics")[1]), what="sessions to end")


def test_requests_for_encryption_are_declined_and_cancels_ignored(one):
    one.create(BRANCH)
    client = connect(one, None)
    client.sendall(struct.pack(">II", 8, 80877103))
    assert client.recv(1) == b"N"
    client.sendall(struct.pack(">II", 8, 80877104))
    assert client.recv(1) == b"N"
    client.sendall(startup(user="x", replication="true", options=OPTIONS))
    assert client.recv(1) == b"R"
    cancel = connect(one, None)
    cancel.sendall(struct.pack(">IIII", 16, 80877102, 1, 2))
    assert receive_all(cancel) == b""


def command(safekeeper, text, extra=""):
    """By libpq, through psql's replication mode."""
    return subprocess.run([BINDIR / "psql", "-XAt", "-v", "VERBOSITY=sqlstate", "-d", safekeeper.conninfo(BRANCH, extra) + " replication=true dbname=x",
                           "-c", text], capture_output=True, text=True, timeout=20)


def test_commands(one):
    one.create(BRANCH)
    assert command(one, "IDENTIFY_SYSTEM").stdout.strip() == f"7000000000000000001|1|{BRANCH.origin['start_lsn']}|"
    for setting, value in (("wal_segment_size", "16MB"), ("data_directory_mode", "0700"), ("integer_datetimes", "on")):
        assert command(one, f"SHOW {setting}").stdout.strip() == value
    for text, sqlstate in (("SHOW nonsense", "42704"), ("nonsense", "42601"), ("TIMELINE_HISTORY 2", "0A000"), ("BASE_BACKUP", "0A000"),
                           ("READ_REPLICATION_SLOT x", "0A000"), ("CREATE_REPLICATION_SLOT x PHYSICAL", "0A000"), ("SELECT 1", "0A000"),
                           ("START_REPLICATION SLOT s LOGICAL 0/0", "0A000"), ("START_REPLICATION 0/0", "58P01"),
                           ("START_REPLICATION FFFFFFFF/0", "22023"), (f"START_REPLICATION {BRANCH.origin['start_lsn']} TIMELINE 2", "22023")):
        result = command(one, text)
        assert result.returncode != 0 and sqlstate in result.stderr, (text, result.stderr)


def test_tcp_asks_for_the_token(workdir):
    token = workdir / "token"
    token.write_text("open sesame\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    safekeeper = Safekeeper(workdir, "sk1", 1, ["--token-file", str(token)])
    safekeeper.wal_listen = f"127.0.0.1:{port}"
    safekeeper.start()
    try:
        safekeeper.create(BRANCH)
        conninfo = f"host=127.0.0.1 port={port} user=x replication=true dbname=x options='{OPTIONS}'"
        def run(environment):
            return subprocess.run([BINDIR / "psql", "-XAt", "-w", "-d", conninfo, "-c", "SHOW wal_segment_size"], capture_output=True, text=True,
                                  env={**os.environ, **environment})
        assert run({"PGPASSWORD": "open sesame"}).stdout.strip() == "16MB"
        for wrong in ("open sesam", "open sesame!", "x"):
            assert "wrong token" in run({"PGPASSWORD": wrong}).stderr
        assert run({}).returncode != 0
    finally:
        safekeeper.kill()


@pytest.mark.parametrize("arguments, message", [
    (["--wal-listen", "0.0.0.0:7777"], "not encrypted"),
    (["--wal-listen", "127.0.0.1:7777"], "without a token"),
    (["--admin", "127.0.0.1:7777"], "only Unix sockets"),
    (["--wal-listen", "nonsense"], ""),
    (["--name", "a b"], "invalid safekeeper name"),
    (["--token-file", "/nonexistent"], "cannot open"),
])
def test_bad_options_are_refused(workdir, arguments, message):
    base = {"--name": "sk1", "--data-dir": str(workdir / "d"), "--admin": f"unix:{workdir}/a.sock", "--wal-listen": f"unix:{workdir}/.s.PGSQL.1"}
    base.update(dict(zip(arguments[::2], arguments[1::2])))
    result = subprocess.run([PROGRAM, *[x for pair in base.items() for x in pair]], capture_output=True, text=True, timeout=10)
    assert result.returncode == 1 and message in result.stderr and "bough-safekeeper: " in result.stderr


def test_a_data_directory_has_one_process_and_one_version(one, workdir):
    second = Safekeeper(workdir, "sk2", 2)
    second.data_dir = one.data_dir
    with pytest.raises(AssertionError):
        second.start()
    assert "is in use" in second.log()
    one.stop()
    (one.data_dir / "FORMAT").write_text("bough-safekeeper 99\n")
    with pytest.raises(AssertionError):
        one.start()
    assert "bough-safekeeper 99" in one.log()
    one.process = None
    foreign = workdir / "foreign"
    foreign.mkdir()
    (foreign / "something").touch()
    third = Safekeeper(workdir, "sk3", 3)
    third.data_dir = foreign
    with pytest.raises(AssertionError):
        third.start()
    assert "is not empty" in third.log()


def test_a_damaged_branch_is_refused_and_the_others_work(one):
    names = ["good", "flipped", "newer", "empty", "half"]
    branches = {n: Branch("p1", n, BRANCH.start, BRANCH.start - 0x100, 7000000000000000001) for n in names}
    for branch in branches.values():
        one.create(branch)
    one.kill()

    def damage(name, change):
        path = one.branch_dir(branches[name]) / "control"
        path.write_bytes(change(path.read_bytes()))
    damage("flipped", lambda b: b[:40] + bytes([b[40] ^ 1]) + b[41:])
    damage("newer", lambda b: b[:8] + b"\x63" + b[9:])
    damage("empty", lambda b: b"")
    (one.branch_dir(branches["half"]) / "control").unlink()
    one.start()
    assert one.position(branches["good"])["end_lsn"] == BRANCH.origin["start_lsn"]
    for name, status, words in (("flipped", 500, "incorrect checksum"), ("newer", 501, "version 99"), ("empty", 500, "control file"), ("half", 404, "")):
        for act in (lambda b: one.position(b), lambda b: one.vote(b, 1)):
            with pytest.raises(AdminError) as error:
                act(branches[name])
            assert error.value.status == status and words in error.value.body["message"]
    assert len(one.call("GET", "/v1/branches")["branches"]) == 4
    # Nothing is made over it by accident; on purpose it can go.
    with pytest.raises(AdminError):
        one.create(branches["flipped"])
    one.call("DELETE", one.branch(branches["flipped"]))
    one.create(branches["flipped"])


def test_requests_that_come_while_it_starts_find_each_branch_where_it_was(one):
    """An order that is repeated, as control does for whoever was away."""
    branches = [Branch("p1", f"b{i}", BRANCH.start, BRANCH.start - 64, 7) for i in range(200)]
    order = {"term": 1, "begin_lsn": lsn_text(BRANCH.start), "prev_lsn": "0/0", "history": [{"term": 1, "begin_lsn": lsn_text(BRANCH.start)}],
             "source": f"host={one.run_dir} port=1", "peers": [], "donors": []}
    for branch in branches:
        one.create(branch)
        assert one.vote(branch, 1)["granted"]
        one.call("POST", one.branch(branch) + "/begin", order)
    for _ in range(5):
        one.kill()
        one.start(wait=False)
        while True:
            assert one.process.poll() is None, one.log()[-2000:]
            try:
                position = one.call("POST", one.branch(branches[-1]) + "/begin", order)
            except OSError:
                continue  # not there yet
            assert position["state"] == "streaming"
            break


def test_bad_requests(one):
    path = one.branch(BRANCH)
    for method, target, body, status in (
            ("PUT", path, {}, 400), ("PUT", path, {**BRANCH.origin, "start_lsn": 5}, 400), ("PUT", path, {**BRANCH.origin, "segment_bytes": 5}, 400),
            ("PUT", path, {**BRANCH.origin, "prev_lsn": BRANCH.origin["start_lsn"]}, 400), ("PUT", "/v1/branches/P/x", BRANCH.origin, 400),
            ("PUT", path, {**BRANCH.origin, "parent": {"branch": "../x"}}, 400),
            ("GET", path, None, 404), ("POST", path + "/vote", {"term": 1}, 404), ("GET", "/nonsense", None, 404), ("POST", "/status", None, 405)):
        assert one.request(method, target, body)[0] == status, (method, target, body)
    one.create(BRANCH)
    for verb, body, status in (("vote", {}, 400), ("vote", {"term": -1}, 400), ("vote", {"term": "1"}, 400), ("begin", {"term": 1}, 400),
                               ("begin", {"term": 1, "begin_lsn": "0/1", "source": "x", "history": [5]}, 400),
                               ("begin", {"term": 1, "begin_lsn": "0/1", "source": "x", "history": [{"term": 2, "begin_lsn": "0/1"}, {"term": 1, "begin_lsn": "0/1"}]}, 400),
                               ("begin", {"term": 1, "begin_lsn": BRANCH.origin["start_lsn"], "source": "x"}, 409),
                               ("begin", {"term": 1, "begin_lsn": "0/1", "source": "x", "peers": [{"wal": "x"}]}, 400),
                               ("commit", {"term": 1}, 400)):
        assert one.request("POST", f"{path}/{verb}", body)[0] == status, (verb, body)
    for body in ("", "[]", "{", '{"from":"x"}', '{"from":"x","positions":[1]}', '{"from":"x","positions":[{"project":"P"}]}'):
        status, _ = one.request("POST", "/v1/positions", None) if not body else raw_post(one, "/v1/positions", body)
        assert status == 400, body


def raw_post(safekeeper, path, body):
    client = connect(safekeeper, safekeeper.admin_path)
    client.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    content = receive_all(client)
    return int(content.split()[1]), content


def test_idle_branches_cost_no_thread_no_file_and_little_memory(one):
    def cost():
        process = pathlib.Path(f"/proc/{one.process.pid}")
        status = (process / "status").read_text()
        return len(list((process / "fd").iterdir())), int(re.search(r"Threads:\s+(\d+)", status).group(1)), int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def create(numbers):
        for i in numbers:
            branch = Branch("p1", f"b{i}", BRANCH.start, BRANCH.start - 0x100, 7000000000000000001)
            one.create(branch)
            vote = one.vote(branch, 1)
            one.begin(branch, 1, vote["end_lsn"], [], f"host={one.run_dir}/nobody port=1")
        one.stop()  # it looks for the computes in vain for a while first
        one.start()

    create(range(20))
    files, threads, memory = cost()
    create(range(20, 420))
    more_files, more_threads, more_memory = cost()
    assert more_files <= files + 4 and more_threads <= threads
    assert SANITIZED or (more_memory - memory) / 400 < 12
    started = time.monotonic()
    one.kill()
    one.start()
    assert time.monotonic() - started < 5
