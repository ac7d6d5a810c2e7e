"""A Bough system of its own: a data directory, ports, and the `bough` command that drives it."""
import http.client
import json
import os
import pathlib
import signal
import subprocess

import psycopg

from . import processes, wait
from .admin import AdminClient
from .ports import free_port, free_ports

ROOT = pathlib.Path(__file__).resolve().parents[2]


def build_directory():
    """BOUGH_BUILD_DIR, else build/release, else build/debug: the first that has a `bough` program."""
    asked = os.environ.get("BOUGH_BUILD_DIR")
    candidates = [pathlib.Path(asked)] if asked else [ROOT / "build" / "release", ROOT / "build" / "debug"]
    for candidate in candidates:
        if (candidate / "bin" / "bough").exists():
            return candidate.resolve()
    raise AssertionError(f"no bin/bough in {', '.join(map(str, candidates))}; build first (./dev build) or set BOUGH_BUILD_DIR")


class CommandFailed(AssertionError):
    """A `bough` command that ended with a status other than 0."""

    def __init__(self, arguments, done):
        self.status, self.output, self.error = done.returncode, done.stdout, done.stderr
        super().__init__(f"bough {' '.join(arguments)} exited with {done.returncode}\n{done.stdout}\n{done.stderr}")


class BoughSystem:
    """Does nothing until up(). `directory` is a ScratchDirectory's path; the data directory is made by `bough up` inside it."""

    def __init__(self, directory, safekeepers=1, name="d", build=None, environment=None):
        self.build = build or build_directory()
        self.program = self.build / "bin" / "bough"
        self.data_dir = pathlib.Path(directory) / name
        self.safekeepers = safekeepers
        self.api_port = free_port()
        self.sql_port = free_ports(100)  # every branch gets one of the ports from here on
        self.environment = environment or {}
        self.project = None
        self._owner_database = None

    # --- the command

    def run(self, *arguments, timeout=120, input=None, environment=None):
        """One `bough` command on this system; the CompletedProcess, whatever its status."""
        env = {**os.environ, "LC_ALL": "C.UTF-8", "BOUGH_TEST_SYSTEM": os.path.realpath(self.data_dir), **self.environment,
               **(environment or {})}
        for name in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "BOUGH_DATA_DIR"):
            env.pop(name, None)
        command = [str(self.program), *map(str, arguments)]
        separator = command.index("--") if "--" in command else len(command)
        command[separator:separator] = ["--data-dir", str(self.data_dir)]
        # Output goes through files: a daemon that inherited a pipe would keep it open.
        import tempfile
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            done = subprocess.run(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL if input is None else None,
                                  input=input, timeout=timeout, env=env, cwd="/")
            out.seek(0), err.seek(0)
            done.stdout, done.stderr = out.read().decode(errors="replace"), err.read().decode(errors="replace")
        return done

    def cli(self, *arguments, **options):
        """Its standard output; CommandFailed unless it succeeded."""
        done = self.run(*arguments, **options)
        if done.returncode != 0:
            raise CommandFailed([str(a) for a in arguments], done)
        return done.stdout

    def json(self, *arguments, **options):
        """The document it prints with --json."""
        words = [str(a) for a in arguments]
        at = words.index("--") if "--" in words else len(words)
        return json.loads(self.cli(*words[:at], "--json", *words[at:], **options))

    def refused(self, *arguments, status=1, **options):
        """Runs a command that must fail with `status`: its message. The message is one line that begins "bough: " and ends with
        no full stop; what follows, if anything, is a hint."""
        done = self.run(*arguments, **options)
        shown = f"bough {' '.join(map(str, arguments))}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == status, shown
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        assert lines and lines[0].startswith("bough: "), shown
        assert not lines[0].endswith("."), shown
        assert all(line.startswith(("hint: ", " ")) for line in lines[1:]), shown
        return done.stderr

    # --- life

    def up(self, *arguments, **options):
        """Starts the system (again); what `bough up --json` says."""
        answer = self.json("up", "--safekeepers", self.safekeepers, "--api-port", self.api_port, "--sql-port", self.sql_port,
                           *arguments, **options)
        self.project = answer["project"]
        return answer

    def down(self):
        return self.cli("down")

    def status(self):
        return self.json("status")

    def daemons(self):
        """name -> pid of the daemons that run."""
        return {daemon["name"]: daemon["pid"] for daemon in self.status()["daemons"]}

    def processes(self):
        return processes.processes_of(self.data_dir)

    def kill_everything(self):
        """SIGKILL to every process of the system: daemons, computes, redo workers."""
        count = processes.kill_all(self.data_dir)
        assert count > 0, "nothing ran"
        return count

    def kill_daemon(self, name, how=signal.SIGKILL):
        pid = self.daemons()[name]
        os.kill(pid, how)
        return pid

    def destroy(self):
        """For the end of a test: whatever state it is in, nothing of it stays running."""
        processes.kill_all(self.data_dir, timeout=60)

    # --- branches and SQL

    def pageserver_metric(self, name):
        """One of the pageserver's metrics, summed over its labels."""
        lines = self.admin("pageserver").bytes("/metrics").decode().splitlines()
        values = [int(line.split()[-1]) for line in lines if line.startswith((f"bough_pageserver_{name} ", f"bough_pageserver_{name}{{"))]
        assert values, f"the pageserver has no metric {name}"
        return sum(values)

    def branch(self, name, parent=None, at=None, **options):
        """Creates a branch; its description."""
        words = ["branch", "create", name]
        if parent:
            words += ["--parent", parent]
        if at:
            words += ["--at", str(at)]
        return self.json(*words, **options)["branch"]

    def url(self, branch=None, superuser=False):
        words = ["url"] + ([branch] if branch else []) + (["--superuser"] if superuser else [])
        return self.json(*words)["url"]

    def connect(self, branch=None, superuser=False, autocommit=True, database=None, **options):
        """A psycopg connection to the branch's compute, which is started if it does not run."""
        if database or superuser:
            # The superuser's own string leads to another database than the owner's.
            options["dbname"] = database or self.owner_database()
        return psycopg.connect(self.url(branch, superuser), autocommit=autocommit, connect_timeout=30, **options)

    def owner_database(self):
        if self._owner_database is None:
            self._owner_database = self.json("project", "list")["projects"][0]["database_name"]
        return self._owner_database

    def sql(self, query, branch=None, superuser=False, database=None):
        """The rows of one query."""
        with self.connect(branch, superuser, database=database) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    def value(self, query, branch=None, superuser=False, database=None):
        return self.sql(query, branch, superuser, database)[0][0]

    def restart_compute(self, branch=None):
        """Stops the branch's compute and starts another."""
        words = [branch] if branch else []
        self.json("compute", "stop", *words)
        return self.json("compute", "start", *words)["compute"]

    def fresh_copy(self, name, parent=None):
        """A branch at the parent's tip. Its compute has nothing but what storage gives it."""
        self.branch(name, parent)
        return name

    # --- behind the scenes

    def api(self, method, path, body=None):
        """A request to control's API about the first project: the JSON document of a good answer."""
        key = (self.data_dir / "api-key").read_text().strip()
        connection = http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=60)
        try:
            connection.request(method, f"/api/v2/projects/{self.project_id()}{path}", None if body is None else json.dumps(body),
                               {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
            response = connection.getresponse()
            answer = json.loads(response.read() or b"null")
        finally:
            connection.close()
        assert response.status < 400, (response.status, answer)
        return answer

    def admin(self, daemon):
        """The admin HTTP of one daemon, found by its socket in the data directory."""
        return AdminClient(self.admin_socket(daemon))

    def admin_socket(self, daemon):
        from . import layout
        return layout.admin_socket(self.data_dir, daemon)

    def branch_id(self, name):
        return self.json("branch", "get", name)["branch"]["id"]

    def project_id(self):
        return self.json("project", "list")["projects"][0]["id"]

    def tip(self, branch=None):
        """The compute's current flush position: everything acknowledged so far lies below it."""
        return self.value("select pg_current_wal_flush_lsn()::text", branch, superuser=True)

    def wait_ingested(self, branch, lsn, timeout=60):
        """Until the pageserver has ingested the branch up to `lsn`."""
        pageserver = self.admin("pageserver")
        path = f"/v1/projects/{self.project_id()}/branches/{self.branch_id(branch)}/wait"
        wait.until(lambda: pageserver.request("POST", path, {"lsn": lsn, "timeout_ms": 5000}) or True, timeout, f"ingest of {lsn}")
