"""Another launcher for the branches of a system: a control process on "a machine of its own", with a copy of the catalog."""
import os
import pathlib
import shutil
import signal
import subprocess

import psycopg

from .account import is_root, server_user

# Inside: the loopback device of the new network, then the program as the servers' user.
_INSIDE = """
import fcntl, os, socket, struct, sys
with socket.socket() as s:
    fcntl.ioctl(s, 0x8914, struct.pack('16sh14x', b'lo', 1))
if os.geteuid() == 0 and int(sys.argv[1]) != 0:
    os.setgroups([]), os.setgid(int(sys.argv[2])), os.setuid(int(sys.argv[1]))
os.execv(sys.argv[3], sys.argv[3:])
"""


class SecondControl:
    """Takes over every branch whose compute is wanted, as soon as it starts. Its ports are those of the first, in a network of its own;
    its computes are reached through their Unix sockets."""

    def __init__(self, system, directory):
        self.system, self.directory = system, pathlib.Path(directory)
        self.directory.mkdir()
        shutil.copytree(system.data_dir / "control" / "catalog", self.directory / "control" / "catalog")
        command = pathlib.Path(f"/proc/{system.daemons()['control']}/cmdline").read_bytes().decode().split("\0")[:-1]
        for option, name in (("--data-dir", "control"), ("--compute-dir", "computes"), ("--log-dir", "log"), ("--socket-dir", "run"),
                             ("--api-key-file", "api-key")):
            command[command.index(option) + 1] = str(self.directory / name)
        user = server_user()
        if is_root():
            for path in [self.directory, *self.directory.rglob("*")]:
                os.chown(path, user.pw_uid, user.pw_gid)
        self.log = self.directory / "control.log"
        namespaces = ["--net"] if is_root() else ["--net", "--map-root-user"]
        ids = [str(user.pw_uid), str(user.pw_gid)] if is_root() else ["0", "0"]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["unshare", *namespaces, "/usr/bin/python3", "-c", _INSIDE, *ids, *command], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, cwd="/",
                                            env={**os.environ, "BOUGH_TEST_SYSTEM": os.path.realpath(system.data_dir)})

    def connect(self, port):
        return psycopg.connect(host=str(self.directory / "run"), port=port, user="postgres", dbname=self.system.owner_database(),
                               autocommit=True, connect_timeout=5)

    def said(self):
        return self.log.read_text(errors="replace")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)
