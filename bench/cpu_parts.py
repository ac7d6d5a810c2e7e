"""Whose CPU time it is: the threads of a system's processes, grouped by what they do."""
import os
import pathlib
import re

from support.processes import command_line, processes_of

_TICK = os.sysconf("SC_CLK_TCK")


def _part(pid, thread_name):
    command = command_line(pid)
    if command.startswith("postgres: "):
        title = command.removeprefix("postgres: ")
        for what in ("walsender", "walwriter", "checkpointer", "background writer", "autovacuum", "stats", "logger"):
            if title.startswith(what):
                return "walsenders" if what == "walsender" else "other Postgres processes"
        return "backends"
    program = os.path.basename(command.split(" ")[0]) if command else "?"
    if program == "postgres":
        return "other Postgres processes" if "--single" not in command else "redo workers"
    return f"{program}: {thread_name}" if program.startswith("bough-") else program


def snapshot(directory):
    """part -> [CPU seconds, voluntary switches, involuntary switches] so far, of the processes that live."""
    parts = {}
    for pid in processes_of(directory):
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
            try:
                stat, status = (task / "stat").read_text(), (task / "status").read_text()
                name = (task / "comm").read_text().strip()
            except OSError:
                continue
            fields = stat[stat.rindex(")") + 2:].split()
            switches = [int(found) for found in re.findall(r"ctxt_switches:\s+(\d+)", status)]
            part = parts.setdefault(_part(pid, name), [0.0, 0, 0])
            part[0] += (int(fields[11]) + int(fields[12])) / _TICK
            part[1] += switches[0]
            part[2] += switches[1]
    return parts


def difference(before, after):
    """part -> what was added, largest CPU first; parts that did nothing left out."""
    added = {part: [now - then for now, then in zip(values, before.get(part, [0.0, 0, 0]))] for part, values in after.items()}
    return dict(sorted(((part, values) for part, values in added.items() if values[0] > 0 or values[1] > 0), key=lambda item: -item[1][0]))
