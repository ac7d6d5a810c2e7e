#!/usr/bin/python3 -B
"""What branches cost a safekeeper: idle ones in memory, files, threads and CPU, also while it starts; and some that are active at once.

Idle branches are of the three kinds there are: never started, stopped (their compute was fenced), and left by a compute that died. The
active ones follow a stock server each, all of which commit through this safekeeper at once; only the safekeeper's cost is counted.

Usage: safekeeper_branches.py [--idle N] [--active N] [--seconds N] [--directory D]
"""
import argparse
import json
import os
import pathlib
import re
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
    """One server for each branch, as computes are: each commits through the safekeeper, one client each, all at once."""
    template = Postgres(directory / "template").init()
    end, last = template.end_of_log()
    system_id = template.control()["Database system identifier"]
    safekeeper = Safekeeper(directory, "sk2", 2).start()
    servers = [template.copy_to(directory / f"pg-{i}") for i in range(options.active)]
    branches = [Branch("p1", f"active-{i}", end, last, system_id) for i in range(options.active)]
    script = directory / "insert.sql"
    script.write_text("insert into written values (repeat('x', 200));\n", encoding="utf-8")
    try:
        for server, branch in zip(servers, branches):
            safekeeper.create(branch)
            elect([safekeeper], branch, server.source)
            server.start("bough_sk2", "-c shared_buffers=4MB -c autovacuum=off -c max_connections=10 -c wal_keep_size=64MB")
        wait_until(lambda: all(safekeeper.position(b)["streaming"] for b in branches), 120, "all to stream")
        for server in servers:
            with server.connect() as connection:
                connection.execute("create table written (filler text)")
        transactions = [0] * options.active

        def write(number):
            shown = servers[number].run("pgbench", "-n", "-c", "1", "-T", str(options.seconds), "-f", str(script)).stdout
            transactions[number] = int(re.search(r"transactions actually processed: (\d+)", shown).group(1))

        before = Cost(safekeeper.process.pid)
        began = time.monotonic()
        clients = [threading.Thread(target=write, args=(number,)) for number in range(options.active)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        took = time.monotonic() - began
        after = Cost(safekeeper.process.pid)
        for number, (server, branch) in enumerate(zip(servers, branches)):
            with server.connect() as connection:
                rows, flushed = connection.execute("select count(*), pg_current_wal_flush_lsn()::text from written").fetchone()
            if not rows == transactions[number] > 0:
                raise RuntimeError(f"branch {number}: {transactions[number]} transactions, {rows} rows")
            wait_until(lambda b=branch, f=flushed: lsn(safekeeper.position(b)["commit_lsn"]) >= lsn(f), 60, "the last commit")
        total, fewest, most = sum(transactions), min(transactions), max(transactions)
        print(f"{options.active:5} active branches:      {after}")
        print(f"  {total / took:.0f} commits a second in all, of a branch {fewest / took:.0f} to {most / took:.0f}; "
              f"{(after.cpu - before.cpu) / total * 1e6:.0f} us of the safekeeper's CPU a commit")
        report["active"] = {"branches": options.active, "commits": total, "seconds": took, "cpu_seconds": after.cpu - before.cpu,
                            "fewest": fewest, "most": most, "files": after.files, "threads": after.threads, "bytes": after.anonymous}
    finally:
        safekeeper.kill()
        for server in servers:
            server.stop("immediate")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idle", type=int, default=2000)
    parser.add_argument("--active", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=10, help="how long idle branches are watched, and active ones write")
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
