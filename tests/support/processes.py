"""Finding and ending the processes of one system. Nothing here matches by program name alone: a process belongs to a system when
its command line, working directory or environment names that system's directory, or when its parent belongs."""
import os
import pathlib
import signal
import time


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _parent(pid):
    stat = _read(pathlib.Path(f"/proc/{pid}/stat"))
    if not stat:
        return None, None
    fields = stat[stat.rindex(b")") + 2:].split()
    return int(fields[1]), fields[0]


def owner(pid):
    """The user that it runs as; nothing when it has ended."""
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except FileNotFoundError:
        return None


def processes_of(directory):
    """Process ids of all processes of the system in `directory` (zombies left out, this process and its ancestors too)."""
    needle = os.path.realpath(directory).encode()
    own = set()
    pid = os.getpid()
    while pid and pid > 1:
        own.add(pid)
        pid = _parent(pid)[0]
    parents, found = {}, set()
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        pid = int(entry.name)
        parent, state = _parent(pid)
        if parent is None or state == b"Z" or pid in own:
            continue
        parents[pid] = parent
        try:
            cwd = os.readlink(entry / "cwd").encode()
        except OSError:
            cwd = b""
        arguments = _read(entry / "cmdline").replace(b"\0", b"\n") + b"\n"
        mark = b"BOUGH_TEST_SYSTEM=" + needle + b"\0"
        if (cwd == needle or cwd.startswith(needle + b"/") or needle + b"/" in arguments or needle + b"\n" in arguments
                or mark in _read(entry / "environ") + b"\0"):
            found.add(pid)
    grown = True
    while grown:
        grown = False
        for pid, parent in parents.items():
            if pid not in found and parent in found:
                found.add(pid)
                grown = True
    return found


def command_line(pid):
    return _read(pathlib.Path(f"/proc/{pid}/cmdline")).replace(b"\0", b" ").decode(errors="replace").strip()


def program(pid):
    """The name of the program the process runs."""
    return _read(pathlib.Path(f"/proc/{pid}/comm")).decode(errors="replace").strip()


def open_files_limit(pid):
    """How many files the process may have open; 0 when it is gone."""
    for line in _read(pathlib.Path(f"/proc/{pid}/limits")).decode().splitlines():
        if line.startswith("Max open files"):
            return int(line.split()[3])
    return 0


def alive(pid):
    """Whether any thread of it is left: the first may be done for before the others, with whom the process keeps its sockets."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return False
    return any(_parent(f"{pid}/task/{thread}")[1] not in (None, b"Z", b"X") for thread in threads)


def kill_all(directory, timeout=20):
    """SIGKILL to every process of the system at once, again until none is left. Returns how many were killed."""
    killed = set()
    deadline = time.monotonic() + timeout
    while True:
        present = processes_of(directory)
        # One whose memory is being taken apart, which takes a while if it is much, names no directory any more and still has its sockets.
        if not present and not any(alive(pid) for pid in killed):
            return len(killed)
        assert time.monotonic() < deadline, "still alive: " + "; ".join(command_line(pid) for pid in present)
        for pid in present:
            try:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            except ProcessLookupError:
                pass
        time.sleep(0.02)


def cpu_seconds(directory):
    """User and system CPU seconds used so far by the living processes of the system and the children they have waited for."""
    tick = os.sysconf("SC_CLK_TCK")
    total = 0
    for pid in processes_of(directory):
        stat = _read(pathlib.Path(f"/proc/{pid}/stat"))
        if stat:
            fields = stat[stat.rindex(b")") + 2:].split()
            total += sum(int(fields[i]) for i in (11, 12, 13, 14))
    return total / tick
