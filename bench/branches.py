#!/usr/bin/python3 -B
"""Branches: what one costs whatever the size of the database, and whatever the number of branches there are.

Creation through the API at the tip, acknowledged durably, beside CREATE DATABASE ... STRATEGY FILE_COPY of the same database on stock
Postgres and, where the file system can, a reflink copy of its files; nothing else goes on in either, and what loading them has left for
the disk to do is done. Also while the branch that is left is written to. Then the pageserver with ten thousand idle branches: the time of
one more, and the memory of each.

Usage: branches.py [--quick] [--scales N,N...] [--count N]
"""
import argparse
import os
import pathlib
import subprocess
import sys
import time

from durable_writes import appended_ms
from first_look import Api, load, measure_stock_copies
from measurement import Report, number, timed
from servers import Servers

from support import wait
from support.postgres_tools import start_pgbench


def measure_creation(report, servers, scales, count):
    for scale in scales:
        system, stock = servers.bough(), servers.stock({"max_wal_size": "4GB"})
        load(system, stock, scale)
        size = system.value("select pg_database_size(current_database())") / 1e9
        label = f"{size:.2f} GB"
        system.wait_ingested("main", system.tip(), timeout=600)
        subprocess.run(["sync"], check=True)
        wait.until(lambda s=system: is_at_rest(s), 300, "the pageserver to have merged its files")
        api = Api(system)

        def create(prefix):
            return [timed(lambda n=n: api.create(f"{prefix}{n}"))[0] for n in range(count)]
        report.row(f"branch create, API, {label}", "bough", "ms", create("rest"))
        # The catalog's row and the pageserver's: what the disk takes for that much at least.
        report.row(f"two files appended to, durable one after the other, {label}", "disk", "ms",
                   appended_ms(servers.scratch.make(f"appended{scale}"), 2, count))
        writing = start_pgbench(system.url(), "-n", "-c", 2, "-T", 600)
        report.row(f"branch create, API, {label}, two clients writing", "bough", "ms", create("busy"))
        writing.terminate()
        writing.wait()
        measure_stock_copies(report, label, stock, 2, ["file_copy"])
        measure_reflink(report, label, stock)
        system.cli("down")
        system.destroy()
        stock.stop()


def is_at_rest(system):
    """Whether the pageserver took less than a twentieth of a processor for three seconds."""
    def taken():
        fields = pathlib.Path(f"/proc/{system.daemons()['pageserver']}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    before = taken()
    time.sleep(3)
    return taken() - before < 0.15


def measure_reflink(report, label, stock):
    """A copy of the stopped server's files that shares their blocks: needs XFS or btrfs."""
    stock.stop()
    copy = stock.directory / "reflink"
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        done = subprocess.run(["cp", "-a", "--reflink=always", str(stock.data_dir), str(copy)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"  reflink copy, {label}: not on this file system")
            subprocess.run(["rm", "-rf", str(copy)], check=False)
            return
        subprocess.run(["sync", "-f", str(copy)], check=True)
        times.append((time.perf_counter() - begin) * 1000)
        subprocess.run(["rm", "-rf", str(copy)], check=True)
    report.row(f"reflink copy of the data directory, {label}", "stock", "ms", times)


def resident_kib(pid):
    """Memory of its own, without what it maps of files."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon"))


def threads(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/task").iterdir()))


def measure_many(report, servers, count):
    system = servers.bough()
    pageserver, pid = system.admin("pageserver"), system.daemons()["pageserver"]
    branches = f"/v1/projects/{system.project_id()}/branches"
    root = system.branch_id("main")
    system.cli("compute", "stop")
    described = pageserver.get(f"{branches}/{root}")
    point = {"parent": root, "lsn": described["ingest_lsn"], "prev_lsn": described["last_record_lsn"]}

    def create(name):
        return timed(lambda: pageserver.request("PUT", f"{branches}/{name}", point))[0]
    create("warm")
    before, threads_before = resident_kib(pid), threads(pid)
    part = max(1, count // 10)
    times = [create(f"m{number}") for number in range(count)]
    after, threads_after = resident_kib(pid), threads(pid)
    report.row(f"branch create, pageserver, the first {part}", "bough", "ms", times[:part])
    report.row(f"branch create, pageserver, the last {part} of {count}", "bough", "ms", times[-part:])
    report.row(f"branch create, pageserver, one more after {count}", "bough", "ms", [create(f"more{n}") for n in range(min(part, 200))])
    report.row("memory of an idle branch", "bough", "KiB", [(after - before) / count])
    report.row("threads more, for all of them", "bough", "", [threads_after - threads_before])
    # Opened afresh: what ten thousand rows cost at the first request, and in memory.
    system.cli("down")
    system.up()
    pid = system.daemons()["pageserver"]
    pageserver = system.admin("pageserver")
    milliseconds, _ = timed(lambda: pageserver.get(f"{branches}/m0"))
    report.row(f"first request to a project of {count} branches after a restart", "bough", "ms", [milliseconds])


def markdown(report):
    lines = [report.described_machine(), "", "| work | who | median | p99 | n |", "|---|---|---:|---:|---:|"]
    lines += [f"| {row['work']} | {row['who']} | {number(row['p50'])} {row['unit']} | {number(row['p99'])} {row['unit']} | {row['n']} |"
              for row in report.data["rows"]]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small and short: to see that it works")
    parser.add_argument("--scales", default="7,68,680", help="of pgbench; 680 are 10 GB")
    parser.add_argument("--count", type=int, default=10_000, help="idle branches")
    options = parser.parse_args()
    scales = [int(scale) for scale in options.scales.split(",") if scale]
    if options.quick:
        options.count, scales = 500, (1, 4)
    report = Report("branches", options)
    print(report.data["machine"], flush=True)
    with Servers("branches") as servers:
        measure_creation(report, servers, scales, 20 if options.quick else 300)
        if options.count:
            measure_many(report, servers, options.count)
        report.write(markdown(report))


if __name__ == "__main__":
    sys.exit(main())
