"""The way of single commits, from the kernel's own tracer: when each process on the way was woken, read, wrote and synced.

A tracefs instance of its own records the system calls of the threads on the way: the backend, its walsenders, the threads that receive
in the safekeepers. Costs a microsecond or so an event, so that what is seen is near to what happens untraced. Needs root."""
import os
import pathlib
import re
import statistics
import time

TRACEFS = pathlib.Path("/sys/kernel/tracing")
CALLS = ("pwrite64", "fdatasync", "kill", "sendto", "recvfrom", "epoll_wait", "poll")
_LINE = re.compile(r"^\s*.+-(\d+)\s+\[\d+\]\s+\S+\s+([\d.]+): sys_(\w+)(\(| -> )")


def available():
    """Why not, or nothing."""
    if os.geteuid() != 0:
        return "tracing needs root"
    if not (TRACEFS / "instances").is_dir():
        os.system(f"mount -t tracefs nodev {TRACEFS} 2>/dev/null")
    return None if (TRACEFS / "instances").is_dir() else "this kernel has no tracefs"


def record(threads, seconds):
    """[(time in us, thread, call, whether it begins)] of those threads, in order of time."""
    instance = TRACEFS / "instances" / f"bough-{os.getpid()}"
    instance.mkdir()
    try:
        (instance / "trace_clock").write_text("mono")
        (instance / "buffer_size_kb").write_text("32768")
        (instance / "set_event_pid").write_text(" ".join(map(str, threads)))
        for call in CALLS:
            for side in ("enter", "exit"):
                (instance / "events" / "syscalls" / f"sys_{side}_{call}" / "enable").write_text("1")
        time.sleep(seconds)
        (instance / "tracing_on").write_text("0")
        text = (instance / "trace").read_text()
    finally:
        instance.rmdir()
    events = []
    for line in text.splitlines():
        if found := _LINE.match(line):
            events.append((float(found[2]) * 1e6, int(found[1]), found[3], found[4] == "("))
    events.sort(key=lambda event: event[0])
    return events


STEPS = ("backend: writes the commit record to its WAL file", "backend: wakes the walsenders", "walsender: is running",
         "walsender: reads the WAL and sends it", "safekeeper: is running", "safekeeper: receives, checks and writes it",
         "safekeeper: fdatasync", "safekeeper: replies", "walsender: is running again", "walsender: takes the reply, releases the backend",
         "backend: is running again", "backend: answers the client")


class _Thread:
    """One thread's events, looked through from a moment on."""

    def __init__(self, events):
        self.events = events

    def first(self, call, begins, after, before=float("inf")):
        return next((at for at, name, is_begin in self.events if after <= at < before and name == call and is_begin == begins), None)

    def last(self, call, begins, before, after=0.0):
        return next((at for at, name, is_begin in reversed(self.events) if after <= at <= before and name == call and is_begin == begins), None)


def commits(events, backend, streams):
    """Of each commit the microseconds of STEPS, along the stream whose reply released the backend. `streams`: (walsender, receiver)."""
    of = {}
    for at, thread, call, begins in events:
        of.setdefault(thread, []).append((at, call, begins))
    begun = [at for at, call, begins in of.get(backend, []) if call == "pwrite64" and begins]
    found = []
    for start, following in zip(begun, begun[1:]):
        own = {thread: _Thread([event for event in of.get(thread, []) if start <= event[0] < following])
               for thread in (backend, *(thread for stream in streams for thread in stream))}
        steps = _one(own, backend, streams, start)
        if steps:
            found.append(steps)
    return found


def _one(own, backend, streams, start):
    us = own[backend]
    written = us.first("pwrite64", False, start)
    asleep = written and us.first("epoll_wait", True, written)
    running = asleep and us.first("epoll_wait", False, asleep)
    # It may wake for nothing; the wake-up that counts is the last before the client is answered.
    answered = running and us.first("sendto", True, running)
    running = answered and us.last("epoll_wait", False, answered)
    woken = running and max(((own[sender].last("kill", True, running) or 0.0, sender, receiver) for sender, receiver in streams), default=None)
    if not woken or not woken[0]:
        return None
    release, sender, receiver = woken[0], own[woken[1]], own[woken[2]]
    taken = sender.last("recvfrom", False, release)
    awake_again = taken and sender.last("epoll_wait", False, release)
    replied = awake_again and receiver.last("sendto", True, awake_again)
    synced = replied and receiver.last("fdatasync", False, replied)
    syncing = synced and receiver.last("fdatasync", True, synced)
    received = syncing and receiver.last("poll", False, syncing)
    sent = received and sender.last("sendto", True, received)
    awake = sent and sender.last("epoll_wait", False, sent)
    if not awake or awake < written:
        return None
    points = [start, written, asleep, awake, sent, received, syncing, synced, replied, awake_again, release, running, answered]
    # The walsender may run before the backend has gone to sleep: then that wait was nothing.
    for i in range(1, len(points)):
        points[i] = max(points[i], points[i - 1])
    return [later - earlier for earlier, later in zip(points, points[1:])]


def table(found):
    """As lines of Markdown, medians."""
    lines = ["| step | median | p90 |", "|---|---:|---:|"]
    for number, name in enumerate(STEPS):
        values = sorted(steps[number] for steps in found)
        lines.append(f"| {name} | {statistics.median(values):.0f} us | {values[int(0.9 * (len(values) - 1))]:.0f} us |")
    totals = sorted(sum(steps) for steps in found)
    lines.append(f"| in all (of {len(found)} commits) | {statistics.median(totals):.0f} us | {totals[int(0.9 * (len(totals) - 1))]:.0f} us |")
    return lines
