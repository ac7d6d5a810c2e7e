#!/usr/bin/python3 -B
"""What branches cost a safekeeper: idle ones in memory, files, threads and CPU, also while it starts; and some that are active at once.

Idle branches are of the three kinds there are: never started, stopped (their compute was fenced), and left by a compute that died. The
active ones all follow one stock server, so that its cost is not counted fifty times.

Usage: safekeeper_branches.py [--idle N] [--active N] [--seconds N] [--directory D]
"""
import argparse
import json
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
os.environ.setdefault("BOUGH_SAFEKEEPER", str(ROOT / "build/release/bin/bough-safekeeper"))
sys.path.insert(0, str(ROOT / "safekeeper" / "test"))

from support import Branch, Postgres, Safekeeper, elect, lsn, wait_until  # noqa: E402

SYSTEM_ID = 7000000000000000001
START, PREVIOUS = 0x1000128, 0x1000028


class Cost:
    """Of a process, now."""

    def __init__(self, pid):
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        self.anonymous = sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Anonymous:")) * 1024
        self.files = len(os.listdir(f"/proc/{pid}/fd"))
        self.sockets = sum(1 for fd in os.listdir(f"/proc/{pid}/fd") if self.link(pid, fd).startswith("socket:"))
        self.threads = len(os.listdir(f"/proc/{pid}/task"))
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        self.cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @staticmethod
    def link(pid, fd):
        try:
            return os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            return ""

    def __str__(self):
        return f"{self.anonymous / 1e6:7.1f} MB, {self.files:4} files ({self.sockets} sockets), {self.threads:3} threads"


def idle_cpu(safekeeper, seconds):
    before = Cost(safekeeper.process.pid).cpu
    time.sleep(seconds)
    return (Cost(safekeeper.process.pid).cpu - before) / seconds


def make_idle(safekeeper, count, source):
    for i in range(count):
        branch = Branch("p1", f"idle-{i}", START, PREVIOUS, SYSTEM_ID)
        safekeeper.create(branch)
        if i % 3 == 0:
            continue
        for term in range(1, 4):
            position = safekeeper.vote(branch, term)
            safekeeper.begin(branch, term, position["end_lsn"],
                             position["history"] + [{"term": term, "begin_lsn": position["end_lsn"]}], source)
        if i % 3 == 1:
            safekeeper.vote(branch, 4)


def restart(safekeeper):
    safekeeper.stop()
    began = time.monotonic()
    safekeeper.start()
    return time.monotonic() - began


def measure_idle(options, directory, report):
    safekeeper = Safekeeper(directory, "sk1", 1).start()
    try:
        empty_start = restart(safekeeper)
        time.sleep(1)
        empty = Cost(safekeeper.process.pid)
        print(f"no branches:                {empty}, started in {empty_start * 1000:.0f} ms")
        began = time.monotonic()
        make_idle(safekeeper, options.idle, f"host={directory}/nobody port=1 user=x")
        print(f"made {options.idle} branches in {time.monotonic() - began:.1f} s")
        start = restart(safekeeper)
        time.sleep(2)
        idle = Cost(safekeeper.process.pid)
        cpu = idle_cpu(safekeeper, options.seconds)
        per_branch = (idle.anonymous - empty.anonymous) / options.idle
        disk = sum(f.stat().st_blocks * 512 for f in (safekeeper.data_dir / "branches").rglob("*") if f.is_file()) / options.idle
        print(f"{options.idle:5} idle branches:        {idle}, started in {start * 1000:.0f} ms")
        print(f"  {per_branch:.0f} bytes of memory and {disk:.0f} of disk a branch, {idle.files - empty.files:+} files, "
              f"{idle.sockets - empty.sockets:+} sockets, {idle.threads - empty.threads:+} threads, {cpu * 100:.2f} % of a CPU")
        report["idle"] = {"branches": options.idle, "bytes_per_branch": per_branch, "disk_bytes_per_branch": disk,
                          "files": idle.files - empty.files, "sockets": idle.sockets - empty.sockets,
                          "threads": idle.threads - empty.threads, "cpu_share": cpu, "start_seconds": start,
                          "empty_start_seconds": empty_start}
    finally:
        safekeeper.kill()


def measure_active(options, directory, report):
    server = Postgres(directory / "pg").init()
    safekeeper = Safekeeper(directory, "sk2", 2).start()
    try:
        branches = [server.branch(f"active-{i}") for i in range(options.active)]
        for branch in branches:
            safekeeper.create(branch)
            elect([safekeeper], branch, server.source)
        server.start("", f"-c max_wal_senders={options.active + 10} -c max_connections=200")
        wait_until(lambda: all(safekeeper.position(b)["streaming"] for b in branches), 120, "all to stream")
        before = Cost(safekeeper.process.pid)
        began = time.monotonic()
        clients = [threading.Thread(target=server.run, args=("pgbench", "-i", "-s", "1", "-q"))]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        with server.connect() as connection:
            end = lsn(connection.execute("select pg_current_wal_flush_lsn()::text").fetchone()[0])
        wait_until(lambda: all(lsn(safekeeper.position(b)["commit_lsn"]) >= end for b in branches), 300, "all to have it")
        took = time.monotonic() - began
        after = Cost(safekeeper.process.pid)
        megabytes = (end - branches[0].start) * options.active / 1e6
        print(f"{options.active:5} active branches:      {after}")
        print(f"  took {megabytes:.0f} MB of WAL in {took:.1f} s: {megabytes / took:.0f} MB/s, {after.cpu - before.cpu:.1f} s of CPU")
        report["active"] = {"branches": options.active, "megabytes": megabytes, "seconds": took, "cpu_seconds": after.cpu - before.cpu,
                            "files": after.files, "threads": after.threads, "bytes": after.anonymous}
    finally:
        safekeeper.kill()
        server.stop("immediate")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idle", type=int, default=2000)
    parser.add_argument("--active", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10, help="how long the CPU of idle branches is watched")
    parser.add_argument("--directory", help="on the disk to measure (default: a temporary one)")
    options = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="bough-bench-", dir=options.directory))
    directory.chmod(0o755)
    report = {"when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "options": vars(options)}
    try:
        measure_idle(options, directory, report)
        if options.active:
            measure_active(options, directory, report)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    target = ROOT / "build" / "bench"
    target.mkdir(parents=True, exist_ok=True)
    (target / "safekeeper-branches.json").write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
