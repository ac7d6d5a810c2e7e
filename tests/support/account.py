"""Who runs servers. Postgres refuses root, so a test started as root runs its servers as user postgres."""
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

from . import shared_memory

BINDIR = pathlib.Path(os.environ.get("BOUGH_PG_BINDIR", "/usr/lib/postgresql/15/bin"))


def is_root():
    return os.geteuid() == 0


def server_user():
    """The passwd entry of the user that servers run as."""
    return pwd.getpwnam("postgres") if is_root() else pwd.getpwuid(os.geteuid())


def as_server_user():
    """Keyword arguments for subprocess that make the child run as server_user()."""
    if not is_root():
        return {}
    user = server_user()
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def run_as_server(command, **options):
    """subprocess.run as server_user(), output captured as text, failure raised with that output."""
    environment = {**os.environ, "HOME": "/tmp", "LC_ALL": "C.UTF-8", **options.pop("env", {})}
    check = options.pop("check", True)
    done = subprocess.run([str(part) for part in command], text=True, errors="replace", stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=environment, cwd=options.pop("cwd", "/"), **as_server_user(), **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{command[0]} exited with {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done


class ScratchDirectory:
    """A short-named directory under /tmp or BOUGH_TEST_TMP (Unix socket paths must fit 107 bytes) that server_user() owns; removed at the end
    unless BOUGH_KEEP is set."""

    def __init__(self, what):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix=f"bough-{what}-", dir=os.environ.get("BOUGH_TEST_TMP", "/tmp")))
        user = server_user()
        os.chown(self.path, user.pw_uid, user.pw_gid)
        self.path.chmod(0o755)

    def make(self, name):
        path = self.path / name
        path.mkdir(mode=0o755)
        user = server_user()
        os.chown(path, user.pw_uid, user.pw_gid)
        return path

    def remove(self):
        if not os.environ.get("BOUGH_KEEP"):
            shared_memory.remove_below(self.path)
            shutil.rmtree(self.path, ignore_errors=True)
