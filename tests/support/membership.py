"""Exchanging the safekeepers of a system that is written to, and what must be true afterwards."""
import subprocess
import threading

from . import wait
from .account import BINDIR
from .system import CommandFailed


def lsn(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def view(system):
    return system.json("safekeeper", "list")


def members(system):
    """Names of those that count, when no change is under way."""
    shown = view(system)
    assert shown["change"] is None, shown["change"]
    return {s["name"] for s in shown["safekeepers"] if s["state"] == "member"}


def begin_change(system, *words):
    """`bough safekeeper …` in the background: a function that waits for its end and gives what it printed as JSON."""
    done = {}

    def run():
        try:
            done["answer"] = system.json("safekeeper", *words, timeout=300)
        except CommandFailed as error:
            done["error"] = error
    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def finish():
        thread.join(310)
        assert not thread.is_alive(), f"bough safekeeper {' '.join(words)} hangs"
        if "error" in done:
            raise done["error"]
        return done["answer"]
    finish.ended = lambda: not thread.is_alive()
    return finish


def under_way(system, finish, timeout=60):
    """Waits until the change has begun (or was too quick to be seen)."""
    wait.until(lambda: finish.ended() or system.api("GET", "/safekeepers")["change"], timeout, "the change to begin", interval=0.01)


def check_quorum(system, names, branch=None):
    """The running compute waits for a majority of just these."""
    wanted = f"ANY {len(names) // 2 + 1} ({','.join('bough_' + n for n in names)})"
    shown = system.value("show synchronous_standby_names", branch, superuser=True)
    assert set(shown.split(" (")[1].rstrip(")").split(",")) == {"bough_" + n for n in names}, (shown, wanted)
    assert shown.split(" (")[0] == wanted.split(" (")[0], (shown, wanted)


def check_logs(system, names, branch="main"):
    """For a time when nobody writes: all members have the same committed log, in the same configuration of just these members, and
    pg_waldump reads it from the branch's start to its end on each disk."""
    path = f"/v1/branches/{system.project_id()}/{system.branch_id(branch)}"

    def same():
        positions = {name: system.admin(f"safekeeper-{name}").get(path) for name in names}
        ends = {(p["term"], p["last_term"], p["end_lsn"], p["configuration"]["generation"]) for p in positions.values()}
        commits = {p["commit_lsn"] for p in positions.values()} | {p["end_lsn"] for p in positions.values()}
        return positions if len(ends) == 1 and len(commits) == 1 else None
    positions = wait.until(same, 60, f"safekeepers {names} to have the same committed log")
    contents = {}
    for name, position in positions.items():
        configuration = position["configuration"]
        assert sorted(configuration["members"]) == sorted(names) and not configuration["next"], configuration
        directory = system.data_dir / "safekeepers" / name / path.removeprefix("/v1/")
        # Segments that are not needed any more may be gone.
        first = min(p.name for p in directory.iterdir() if len(p.name) == 24)
        begin = max(lsn(position["start_lsn"]), (int(first[8:16], 16) << 32) + (int(first[16:], 16) << 24))
        read = subprocess.run([BINDIR / "pg_waldump", "-p", directory, "-s", f"{begin >> 32:X}/{begin & 0xFFFFFFFF:X}", "-e", position["end_lsn"]],
                              capture_output=True, text=True)
        assert read.returncode == 0 and read.stdout, f"{name}: {read.stderr}"
        contents[name] = read.stdout.splitlines()
    # One may have begun later than another.
    shortest = min(len(lines) for lines in contents.values()) - 1
    assert len({tuple(lines[-shortest:]) for lines in contents.values()}) == 1, "the logs differ"
    return positions
