"""Idle branches cost a safekeeper memory by the kilobyte, and nothing that it has few of."""

import os
import pathlib
import time

from support import SANITIZED, Branch

BRANCHES = 300
BYTES_MAX = 12 << 10  # each, of heap: allocators round up, and a run this small measures their chunks too


def cost(safekeeper):
    pid = safekeeper.process.pid
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    heap = sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Anonymous:")) * 1024
    return len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task")), heap


def settled_cost(safekeeper):
    """Of a process that was started anew and has done what it had to."""
    safekeeper.stop()
    safekeeper.start()
    time.sleep(1)
    return cost(safekeeper)


def test_idle_branches_cost_no_file_no_thread_and_little_memory(one, workdir):
    files, threads, heap = settled_cost(one)
    for i in range(BRANCHES):
        branch = Branch("p1", f"b{i}", 0x1000128, 0x1000028, 7000000000000000001)
        one.create(branch)
        if i % 3 == 0:
            continue  # never started
        position = one.vote(branch, 1)
        one.begin(branch, 1, position["end_lsn"], [{"term": 1, "begin_lsn": position["end_lsn"]}], f"host={workdir}/nobody port=1 user=x")
        if i % 3 == 1:
            one.vote(branch, 2)  # stopped; of the others the compute has died
    files_now, threads_now, heap_now = settled_cost(one)
    assert files_now <= files + 2 and threads_now <= threads + 2
    assert SANITIZED or (heap_now - heap) / BRANCHES < BYTES_MAX
    assert len(one.call("GET", "/v1/branches")["branches"]) == BRANCHES
    # Of idle branches there are no metrics of their own.
    text = one.request("GET", "/metrics")[1].decode()
    assert f"bough_safekeeper_branches {BRANCHES}" in text and "branch=" not in text
