"""Garbage on every listening port and socket: the connection is dropped or answered with an error, and nothing else happens."""
import os
import random
import socket
import struct

import pytest

from support import layout, processes, wait
from support.page_service import frame, get_pages, hello

RANDOM = random.Random(20240229)


def listening_tcp(system):
    """host, port of every TCP socket that a process of the system listens on."""
    inodes = set()
    for pid in system.processes():
        try:
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
                if target.startswith("socket:["):
                    inodes.add(target[8:-1])
        except OSError:
            pass
    found = set()
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in table.readlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.add(int(fields[1].split(":")[1], 16))
    return sorted(found)


def startup_packet(**parameters):
    body = struct.pack(">I", 196608) + b"".join(f"{k}\0{v}\0".encode() for k, v in parameters.items()) + b"\0"
    return struct.pack(">I", len(body) + 4) + body


def starts():
    """Whole valid beginnings of each protocol."""
    return [
        startup_packet(user="postgres", replication="true", options="-c bough.project=p -c bough.branch=b"),
        startup_packet(user="postgres", database="postgres"),
        startup_packet(user="postgres", replication="true", options="-c bough.project=../../x -c bough.branch=\x01"),
        startup_packet(user="x" * 9000),
        struct.pack(">II", 8, 80877103),  # SSLRequest
        struct.pack(">IIII", 16, 80877102, 1, 2),  # CancelRequest
        struct.pack(">II", 0x7FFFFFFF, 196608),
        struct.pack(">II", 3, 0),
        hello("p", "b"), hello("p" * 3000, "b" * 3000), hello("../..", "\0\0"),
        hello("p", "b") + get_pages(1, 0, 7, 65535, (1, 2, 3, 200, 0xFFFFFFFF)),
        frame(2, b""), frame(0xFF, b"x" * 4096), frame(1, b"\xff" * 12), struct.pack("<IB", 0xFFFFFFFF, 1),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /v1/projects/%00/branches/..%2f.. HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PUT /v1/projects/p HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{\"a\":\xff\xfe}}",
        b"POST /v1/branches/p/b/vote HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n{",
        b"POST /api/v2/projects HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n",
        b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PUT /v1/projects/p/branches/b HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n" + b"[" * 40000,
    ]


def messages():
    for start in starts():
        yield start
        yield start[:len(start) // 2]
        yield start[:1]
        if len(start) > 8:
            broken = bytearray(start)
            for _ in range(3):
                broken[RANDOM.randrange(len(broken))] ^= 1 << RANDOM.randrange(8)
            yield bytes(broken)
    for size in (0, 1, 4, 5, 8, 100, 5000, 70000):
        yield RANDOM.randbytes(size)
        yield b"\0" * size
        yield b"\xff" * size


def send(family, address, message, half_close):
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(0.3)
        client.connect(address)
        try:
            client.sendall(message)
            if half_close:
                client.shutdown(socket.SHUT_WR)
            received = 0
            while received < 1 << 20:
                data = client.recv(65536)
                if not data:
                    return
                received += len(data)
        except OSError:  # a timeout, or the connection was reset: both are good answers to garbage
            pass


@pytest.fixture(scope="module")
def busy(make_system):
    system = make_system()
    system.up()
    system.sql("create table kept as select generate_series(1, 1000) as id")
    return system


def test_garbage_everywhere_changes_nothing(busy):
    targets = [(socket.AF_INET, ("127.0.0.1", port)) for port in listening_tcp(busy)]
    targets += [(socket.AF_UNIX, str(path)) for path in layout.sockets(busy.data_dir)]
    # The API, the SQL port or the compute's, control's and each storage daemon's sockets.
    assert len(targets) >= 5, targets
    daemons, projects = busy.daemons(), busy.json("project", "list")
    everything = list(messages())
    for family, address in targets:
        for number, message in enumerate(everything):
            # A peer that neither closes nor says more costs this test its timeout: one in six is enough.
            send(family, address, message, half_close=number % 6 != 0)
    assert busy.daemons() == daemons, "a daemon died"
    assert all(d["restarts"] == 0 for d in busy.status()["daemons"])
    assert busy.json("project", "list") == projects
    assert busy.value("select count(*) from kept") == 1000
    busy.branch("after-garbage")
    assert busy.value("select count(*) from kept", "after-garbage") == 1000


def test_connections_that_say_nothing_do_not_stop_others(busy):
    held = []
    try:
        for path in layout.sockets(busy.data_dir):
            for _ in range(50):
                client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                client.settimeout(1)
                try:
                    client.connect(str(path))
                    held.append(client)
                except OSError:
                    client.close()
        for port in listening_tcp(busy):
            for _ in range(20):
                held.append(socket.create_connection(("127.0.0.1", port), timeout=5))
        assert len(held) > 100
        busy.branch("beside-silence")
        assert wait.until(lambda: busy.value("select count(*) from kept", "beside-silence"), 90, "an answer") == 1000
    finally:
        for client in held:
            client.close()
    assert all(d["restarts"] == 0 for d in busy.status()["daemons"])


def test_a_reply_is_never_for_another_project(busy):
    """A page service connection is bound to what its hello named."""
    from support.page_service import PageService, PageServiceError
    path = layout.page_socket(busy.data_dir)
    for project, branch in (("nowhere", "nothing"), (busy.project_id(), "nothing"), ("", ""), ("../" + busy.project_id(), busy.branch_id("main"))):
        with pytest.raises((PageServiceError, ConnectionError, AssertionError)):
            PageService(path, project, branch, timeout=10)
    with PageService(path, busy.project_id(), busy.branch_id("main")) as service:
        with pytest.raises((PageServiceError, ConnectionError)):
            service.read((1663, 5, 1259, 9, 0), 1, 1 << 62)
    assert processes.alive(busy.daemons()["pageserver"])
