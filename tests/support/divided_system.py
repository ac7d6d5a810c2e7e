"""A system whose daemons each live on a "host" of their own, so that partitions between them can be made.

All of Bough's inner sockets are Unix sockets, which network namespaces do not divide, so here a host is a mount namespace: the directory
`net` shows each process the sockets of its own host and, in place of all others, those of the fault proxy (wires.py). Addresses are the
same everywhere. Clients reach the computes directly."""
import json
import os
import pathlib
import shutil
import signal
import subprocess

import psycopg

from . import processes, wait
from .account import BINDIR, is_root, server_user
from .admin import AdminClient, UnixConnection
from .ports import free_ports
from .system import build_directory
from .wal_histories import BranchLogs
from .wires import Wires


class Host:
    def __init__(self, name, command, environment=None, own_network=False):
        self.name, self.command, self.process = name, command, None
        self.environment, self.own_network = environment or {}, own_network


class DividedSystem:
    """Daemons sk1 … sk3, ps (pageserver), ctl (control and its computes)."""

    def __init__(self, directory, safekeepers=3):
        self.directory = pathlib.Path(directory)
        self.build = build_directory()
        self.net, self.views, self.data = (self.directory / part for part in ("net", "views", "data"))
        self.log_dir = self.directory / "log"
        self.safekeepers = [f"sk{i}" for i in range(1, safekeepers + 1)]
        self.sql_port = free_ports(100)
        self.hosts = {}
        self.project = self.branch = self._uri = None
        self._names = [*self.safekeepers, "ps", "ctl", "ctl2"]
        self._make_directories()
        self.wires = Wires(self.views)
        for number, name in enumerate(self.safekeepers, 1):
            self.hosts[name] = Host(name, [
                "bough-safekeeper", "--name", name, "--data-dir", self.data / name, "--admin", self._unix(name, "admin.sock"),
                "--wal-listen", self._unix(name, f".s.PGSQL.{number}")])
        self.hosts["ps"] = Host("ps", [
            "bough-pageserver", "--data-dir", self.data / "ps", "--admin", self._unix("ps", "admin.sock"), "--listen",
            self._unix("ps", "page.sock"), "--pg-bindir", BINDIR, "--extension", self.build / "bin" / "bough.so"])
        self.hosts["ctl"] = Host("ctl", self._control("ctl"))
        for one in self._names:
            for other in self._names:
                for socket in self._sockets(other) if one != other else ():
                    self.wires.lay(one, other, socket)

    def _make_directories(self):
        user = server_user()
        for path in (self.net, self.views, self.data, self.log_dir):
            path.mkdir(mode=0o755)
            os.chown(path, user.pw_uid, user.pw_gid)
        for one in self._names:
            for path in [self.views / one, *(self.views / one / other for other in self._names)]:
                path.mkdir(mode=0o700)
                os.chown(path, user.pw_uid, user.pw_gid)

    def _unix(self, host, socket):
        return f"unix:{self.net / host / socket}"

    def _sockets(self, host):
        if host.startswith("sk"):
            return ["admin.sock", f".s.PGSQL.{host[2:]}"]
        if host == "ps":
            return ["admin.sock", "page.sock"]
        return [f".s.PGSQL.{port}" for port in (self.sql_port, self.sql_port + 1)]

    def _control(self, name):
        command = ["bough-control", "--data-dir", self.data / name, "--compute-dir", self.data / f"{name}-computes", "--log-dir", self.log_dir,
                   "--socket-dir", self.net / name, "--api", self._unix(name, "api.sock"), "--api-key-file", self.data / f"{name}-key",
                   "--sql-port", self.sql_port, "--pageserver-admin", self._unix("ps", "admin.sock"), "--pageserver",
                   self._unix("ps", "page.sock"), "--pg-bindir", BINDIR, "--extension", self.build / "bin" / "bough.so"]
        for number, safekeeper in enumerate(self.safekeepers, 1):
            command += ["--safekeeper", f"name={safekeeper},admin={self._unix(safekeeper, 'admin.sock')},"
                                        f"wal=host='{self.net / safekeeper}' port={number}"]
        return command

    # --- life

    def up(self):
        for name in [*self.safekeepers, "ps", "ctl"]:
            self.start(name)
        if self.project is None:
            wait.until(lambda: self.api("GET", "/api/v2/projects") is not None, 30, "control")
            made = wait.until(lambda: self.api("POST", "/api/v2/projects", {"project": {"name": "divided"}}), 60, "the project", interval=0.5)
            self.project, self.branch = made["project"]["id"], made["branch"]["id"]
            wait.until(lambda: self.start_compute() or True, 300, "a compute", interval=0.5)
        return self

    def start(self, name):
        """The daemon of that host; again, as a supervisor would, if it ends before it answers."""
        self._spawn(name)
        if name in ("ctl", "ctl2"):
            return

        def answers():
            if self.hosts[name].process.poll() is not None:
                self._spawn(name)
            return self.admin(name).get("/status")
        wait.until(answers, 120, f"{name}'s first answer", interval=0.1)

    def _spawn(self, name):
        host = self.hosts[name]
        program, *arguments = map(str, host.command)
        inside = ["exec", *(["setpriv", f"--reuid={server_user().pw_uid}", f"--regid={server_user().pw_gid}", "--clear-groups"] if is_root() else []),
                  '"$@"']
        script = 'mount --bind "$1" "$2"; ' + ("ip link set lo up; " if host.own_network else "") + "shift 2; " + " ".join(inside)
        namespaces = ["--mount", "--propagation", "private", *(["--net"] if host.own_network else []),
                      *([] if is_root() else ["--map-current-user"])]
        with open(self.log_dir / f"{name}.log", "ab") as log:
            host.process = subprocess.Popen(
                ["unshare", *namespaces, "sh", "-ec", script, "sh", str(self.views / name), str(self.net), str(self.build / "bin" / program), *arguments],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/", start_new_session=True,
                env={**os.environ, "BOUGH_TEST_SYSTEM": os.path.realpath(self.directory), **host.environment})

    def kill(self, name):
        process, self.hosts[name].process = self.hosts[name].process, None
        if process:
            process.send_signal(signal.SIGKILL)
            process.wait(20)

    def destroy(self):
        processes.kill_all(self.directory, timeout=60)
        for host in self.hosts.values():
            if host.process:
                host.process.wait(20)
        self.wires.stop()

    def second_control(self):
        """Another launcher for the same branches, on a machine of its own: it has control's catalog, and computes of its own."""
        shutil.copytree(self.data / "ctl" / "catalog", self.data / "ctl2" / "catalog")
        for path in [self.data / "ctl2", *(self.data / "ctl2").rglob("*")]:
            os.chown(path, server_user().pw_uid, server_user().pw_gid)
        self.hosts["ctl2"] = Host("ctl2", self._control("ctl2"), own_network=True)
        self.hosts["ctl2"].command[self.hosts["ctl2"].command.index("--log-dir") + 1] = self.data / "ctl2-log"

    # --- talking to it

    def admin(self, host):
        return AdminClient(self.views / host / host / "admin.sock")

    def api(self, method, path, body=None, control="ctl"):
        """That control's answer; raises on an error."""
        key = (self.data / f"{control}-key").read_text().strip()
        connection = UnixConnection(self.views / control / control / "api.sock", timeout=150)
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
            response = connection.getresponse()
            answer = json.loads(response.read() or b"{}")
        finally:
            connection.close()
        assert response.status < 400, f"{method} {path}: {response.status} {answer}"
        return answer

    def _branch_path(self):
        return f"/api/v2/projects/{self.project}/branches/{self.branch}"

    def start_compute(self, control="ctl"):
        return self.api("POST", self._branch_path() + "/endpoint/start", control=control)["endpoint"]

    def stop_compute(self):
        return self.api("POST", self._branch_path() + "/endpoint/suspend")["endpoint"]

    def url(self):
        """The owner's connection string, which stays the same: control is asked once only, since later it may be away."""
        if self._uri is None:
            self._uri = self.api("GET", f"/api/v2/projects/{self.project}/connection_uri")["uri"]
        return self._uri

    def socket_url(self, control="ctl"):
        """The owner's connection string to the compute that this control started, by the socket on its own host."""
        parts = psycopg.conninfo.conninfo_to_dict(self.url())
        return psycopg.conninfo.make_conninfo(**{**parts, "host": str(self.views / control / control), "port": str(self.sql_port)})

    def superuser_url(self, control="ctl"):
        return psycopg.conninfo.make_conninfo(host=str(self.views / control / control), port=str(self.sql_port), user="postgres", dbname="postgres")

    def compute_pid(self, control="ctl"):
        """Of the postmaster, when it lives."""
        pid_file = self.data / f"{control}-computes" / self.project / self.branch / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split()[0])
        except (OSError, IndexError, ValueError):
            return None
        return pid if processes.alive(pid) else None

    def kill_compute(self, control="ctl"):
        pid = self.compute_pid(control)
        if pid:
            os.kill(pid, signal.SIGKILL)
            wait.until(lambda: not processes.alive(pid), 10, "the compute's death", interval=0.01)
        return pid

    def logs(self):
        return BranchLogs(self.project, self.branch, {
            name: (self.admin(name), self.data / name / "branches" / self.project / self.branch) for name in self.safekeepers})

    def log_text(self):
        return "".join(f"--- {path.name}\n{path.read_text(errors='replace')}" for path in sorted(self.directory.rglob("*.log")))


