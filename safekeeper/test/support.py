"""Starts safekeepers and stock Postgres servers, and talks to both."""

import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

BINDIR = pathlib.Path(os.environ.get("BOUGH_PG_BINDIR", "/usr/lib/postgresql/15/bin"))
PROGRAM = os.environ.get("BOUGH_SAFEKEEPER", "build/debug/bin/bough-safekeeper")
SANITIZED = bool(os.environ.get("BOUGH_SANITIZE"))  # then memory is not what it is: sanitizers take and keep their own
SEGMENT_BYTES = 16 << 20


def as_postgres(*command):
    """Postgres refuses root."""
    if os.geteuid() != 0:
        return [str(c) for c in command]
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *[str(c) for c in command]]


def lsn(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def lsn_text(value):
    return f"{value >> 32:X}/{value & 0xFFFFFFFF:X}"


def segment_name(position):
    number = position // SEGMENT_BYTES
    return f"00000001{number >> 8:08X}{number & 0xFF:08X}"


def wait_until(condition, timeout=30, what="the condition"):
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        time.sleep(0.02)


class AdminError(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Safekeeper:
    def __init__(self, directory, name, port, extra=()):
        self.name = name
        self.port = port
        self.run_dir = pathlib.Path(directory)
        self.data_dir = self.run_dir / name
        self.admin_path = str(self.run_dir / f"{name}.sock")
        self.log_path = self.run_dir / f"{name}.log"
        self.extra = list(extra)
        self.process = None
        self.environment = {}
        self.wal_listen = f"unix:{self.run_dir}/.s.PGSQL.{port}"

    @property
    def address(self):
        return {"admin": "unix:" + self.admin_path, "wal": f"host={self.run_dir} port={self.port}"}

    def start(self, wait=True):
        assert self.process is None
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [PROGRAM, "--name", self.name, "--data-dir", str(self.data_dir), "--admin", "unix:" + self.admin_path,
             "--wal-listen", self.wal_listen, "--log-level", "debug", *self.extra],
            stderr=log, stdout=log, env={**os.environ, **self.environment})
        log.close()
        if wait:
            wait_until(self.answers, what=f"{self.name} to answer")
        return self

    def answers(self):
        assert self.process.poll() is None, f"{self.name} exited with {self.process.returncode}: {self.log()[-2000:]}"
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.call("GET", "/status")
        return None

    def kill(self):
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(timeout=20) == 0, self.log()[-2000:]
            self.process = None

    def log(self):
        return self.log_path.read_text(errors="replace")

    def request(self, method, path, body=None, timeout=60):
        connection = _UnixConnection(self.admin_path, timeout)
        try:
            connection.request(method, path, body=json.dumps(body) if body is not None else None)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def call(self, method, path, body=None, timeout=60):
        status, content = self.request(method, path, body, timeout)
        document = json.loads(content) if content else {}
        if status >= 400:
            raise AdminError(status, document)
        return document

    def branch(self, branch):
        return f"/v1/branches/{branch.project}/{branch.name}"

    def create(self, branch):
        return self.call("PUT", self.branch(branch), branch.origin)

    def position(self, branch):
        return self.call("GET", self.branch(branch))

    def vote(self, branch, term):
        return self.call("POST", self.branch(branch) + "/vote", {"term": term})

    def begin(self, branch, term, at, history, source, peers=(), donors=()):
        return self.call("POST", self.branch(branch) + "/begin", {
            "term": term, "begin_lsn": at, "prev_lsn": "0/0", "history": history, "source": source,
            "peers": [p.address for p in peers], "donors": [d.address for d in donors]})

    def branch_dir(self, branch):
        return self.data_dir / "branches" / branch.project / branch.name

    def wal(self, branch, begin, end):
        """What the segment files hold of [begin, end)."""
        content = b""
        while begin < end:
            offset = begin % SEGMENT_BYTES
            length = min(end - begin, SEGMENT_BYTES - offset)
            with open(self.branch_dir(branch) / segment_name(begin), "rb") as file:
                file.seek(offset)
                piece = file.read(length)
            assert len(piece) == length
            content += piece
            begin += length
        return content

    def conninfo(self, branch, extra=""):
        return (f"host={self.run_dir} port={self.port} user=x options='-c bough.project={branch.project} "
                f"-c bough.branch={branch.name} {extra}'")


class Branch:
    def __init__(self, project, name, start, prev, system_id, parent=None):
        self.project = project
        self.name = name
        self.origin = {"start_lsn": lsn_text(start), "prev_lsn": lsn_text(prev), "system_identifier": str(system_id),
                       "segment_bytes": SEGMENT_BYTES}
        if parent:
            self.origin["parent"] = {"branch": parent}
        self.start = start


def elect(voters, branch, source, members=None):
    """What a launcher does: a term by a majority, begun at the most advanced log. Gives (term, begin_lsn, donor)."""
    members = members or voters
    term = max(v.position(branch)["term"] for v in voters) + 1
    votes = {v: v.vote(branch, term) for v in voters}
    assert all(vote["granted"] for vote in votes.values()), votes
    best = max(votes, key=lambda v: (votes[v]["last_term"], lsn(votes[v]["end_lsn"])))
    begin_lsn = votes[best]["end_lsn"]
    history = votes[best]["history"] + [{"term": term, "begin_lsn": begin_lsn}]
    for voter in [best] + [v for v in voters if v is not best]:
        voter.begin(branch, term, begin_lsn, history, source, peers=[m for m in members if m is not voter],
                    donors=[] if voter is best else [best])
    return term, begin_lsn, history, best


class Postgres:
    """A stock server in a directory of its own."""

    def __init__(self, directory, port=65000):
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"
        self.port = port
        self.running = False

    @property
    def source(self):
        return f"host={self.directory} port={self.port} user=postgres"

    def init(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")
        subprocess.run(as_postgres(BINDIR / "initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "-N", "--no-instructions"),
                       check=True, stdout=subprocess.DEVNULL)
        with open(self.data / "postgresql.conf", "a") as conf:
            conf.write("fsync = off\nfull_page_writes = off\nlisten_addresses = ''\nmax_wal_senders = 10\n"
                       "wal_keep_size = 4GB\nmax_wal_size = 8GB\nshared_buffers = 64MB\nwal_sender_timeout = 10s\n"
                       "autovacuum_naptime = 1s\n")
        # So that the log ends with a shutdown checkpoint, as the template of a project does.
        self.start("")
        self.stop()
        return self

    def copy_to(self, directory):
        other = Postgres(directory, self.port)
        other.directory.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(other.directory, "postgres", "postgres")
        subprocess.run(["cp", "-a", self.data, other.data], check=True)
        return other

    def start(self, standbys, extra=""):
        options = f"-k {self.directory} -p {self.port} -c synchronous_standby_names='{standbys}' {extra}"
        subprocess.run(as_postgres(BINDIR / "pg_ctl", "-D", self.data, "-l", self.directory / "log", "-o", options, "-w",
                                   "start"), check=True, stdout=subprocess.DEVNULL)
        self.running = True
        return self

    def stop(self, mode="fast"):
        if self.running:
            subprocess.run(as_postgres(BINDIR / "pg_ctl", "-D", self.data, "-m", mode, "-w", "-t", "60", "stop"), check=True,
                           stdout=subprocess.DEVNULL)
            self.running = False

    def connect(self, **kwargs):
        import psycopg
        return psycopg.connect(host=str(self.directory), port=self.port, user="postgres", dbname="postgres", autocommit=True, **kwargs)

    def run(self, program, *arguments, **kwargs):
        return subprocess.run(as_postgres(BINDIR / program, "-h", self.directory, "-p", self.port, "-U", "postgres", *arguments,
                                          "postgres"), check=True, capture_output=True, text=True, **kwargs)

    def control(self):
        text = subprocess.run(as_postgres(BINDIR / "pg_controldata", self.data), check=True, capture_output=True, text=True,
                              env={**os.environ, "LC_ALL": "C"}).stdout
        return dict(re.split(r":\s+", line, maxsplit=1) for line in text.splitlines() if re.search(r":\s+\S", line))

    def end_of_log(self):
        """Of a server that was stopped: (end, start of the last record)."""
        last = self.control()["Latest checkpoint location"]
        dump = subprocess.run(as_postgres(BINDIR / "pg_waldump", "-p", self.data / "pg_wal", "-s", last), capture_output=True,
                              text=True, env={**os.environ, "LC_ALL": "C"})
        end = re.search(r"(?:invalid record length at|record length .* at) ([0-9A-F]+/[0-9A-F]+)", dump.stderr).group(1)
        return lsn(end), lsn(last)

    def branch(self, name="main", project="p1"):
        end, last = self.end_of_log()
        return Branch(project, name, end, last, self.control()["Database system identifier"])


def waldump(directory, start, end, *extra):
    """Reads [start, end) of WAL files with Postgres's own program; fails if it cannot."""
    result = subprocess.run([BINDIR / "pg_waldump", "-p", str(directory), "-s", lsn_text(start), "-e", lsn_text(end), *extra],
                            capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    assert result.returncode == 0, result.stderr
    return result.stdout


def committed_xids(directory, start, end):
    return {int(x) for x in re.findall(r"rmgr: Transaction .* tx:\s+(\d+), .* desc: COMMIT", waldump(directory, start, end, "-r", "Transaction"))}


def begin(pg, members, standbys="ANY 1 (bough_sk1)", options=""):
    """A branch kept by these safekeepers, in its first term, whose compute runs and has an empty table `ledger`."""
    branch = pg.branch()
    for member in members:
        member.create(branch)
    elect(members, branch, pg.source)
    pg.start(standbys, options)
    with pg.connect() as connection:
        connection.execute("create table ledger (id int)")
    return branch


def announce(safekeeper, branch, durable):
    """The pageserver has everything up to there."""
    return safekeeper.call("POST", safekeeper.branch(branch) + "/durable", {"durable_lsn": lsn_text(durable)})


def log_begin(safekeeper, branch):
    return lsn(safekeeper.position(branch)["begin_lsn"])


def dropped_to(safekeeper, branch, segment_of):
    """Waits until the log begins in the segment of that LSN, or later; where it does then."""
    wait_until(lambda: log_begin(safekeeper, branch) // SEGMENT_BYTES >= segment_of // SEGMENT_BYTES,
               what=f"{safekeeper.name} to drop what is below {lsn_text(segment_of)}")
    wait_until(lambda: segments(safekeeper, branch)[0] == segment_name(log_begin(safekeeper, branch)), what="the files to go")
    return log_begin(safekeeper, branch)


def segments(safekeeper, branch):
    return sorted(f.name for f in safekeeper.branch_dir(branch).iterdir() if len(f.name) == 24)


def write_ledger(pg, acknowledged, stop):
    """Commits one transaction after another and notes what was acknowledged, until the server goes or `stop` is set."""
    import psycopg
    with contextlib.suppress(psycopg.Error):
        with pg.connect() as connection:
            while not stop.is_set():
                xid = connection.execute("insert into ledger values (1) returning pg_current_xact_id()::text").fetchone()[0]
                acknowledged.append(int(xid))


def digest(content):
    return hashlib.sha256(content).hexdigest()
