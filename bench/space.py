#!/usr/bin/python3 -B
"""Space: what Bough stores beside what stock Postgres takes for the same.

1. pgbench's tables, freshly loaded, against the stock server's data directory.
2. Branches that each changed a hundredth of the pages, against those pages.
3. The history of a pgbench run, with every moment of it readable, against the stock data directory with its WAL archived by zstd.
4. What is left when the history has fallen out of the restore window and the branches are deleted, against 1, and against what it would
   be for the contents as they are by then: 1 times what zstd makes of the stock server's relation files now, by what it made of them then.

Usage: space.py [--quick] [--scale N] [--branches N] [--transactions N]
"""
import argparse
import pathlib
import subprocess
import sys
import time

from first_look import load
from measurement import BINDIR, Report, run_as_server
from servers import Servers

import psycopg

PAGE = 8192


def directory_bytes(path, without=()):
    """Bytes that files take on disk."""
    total = 0
    for file in pathlib.Path(path).rglob("*"):
        if file.is_file() and not any(part in without for part in file.relative_to(path).parts):
            total += file.stat().st_blocks * 512
    return total


def compressed_bytes(stock):
    """What zstd makes of the server's relation files."""
    command = f"tar -C {stock.data_dir} -c base | zstd -q -3 -c | wc -c"
    return int(subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, check=True).stdout)


class Stored:
    """What the pageserver has on disk of the system's project."""

    def __init__(self, system):
        self.system = system
        self.pageserver = system.admin("pageserver")
        self.pageserver._timeout = 3600
        self.project = f"/v1/projects/{system.project_id()}"

    def settle(self, branch="main"):
        """Everything written is ingested and in files that were merged."""
        self.system.wait_ingested(branch, self.system.tip(branch), timeout=3600)
        self.pageserver.request("POST", f"{self.project}/gc")

    def bytes(self):
        directory = next(pathlib.Path(self.system.data_dir).glob("pageserver/projects/*"))
        return directory_bytes(directory)

    def of_branch(self, name):
        size = self.pageserver.get(f"{self.project}/branches/{self.system.branch_id(name)}/size")
        return size["stored_bytes"] + size["unflushed_bytes"]

    def of_deleted_branches(self):
        return self.system.pageserver_metric("store_deleted_bytes")

    def keep_nothing(self):
        self.system.cli("project", "update", "--restore-window", "0s")
        self.pageserver.request("POST", f"{self.project}/gc")

    def keep(self, window="7d"):
        self.system.cli("project", "update", "--restore-window", window)


def archiving(directory):
    return {"archive_mode": "on", "archive_command": f"zstd -q -1 -f %p -o {directory}/%f.zst", "max_wal_size": "4GB"}


def pgbench(url, transactions):
    run_as_server([BINDIR / "pgbench", "-n", "-c", 4, "-j", 2, "-t", transactions // 4, url], timeout=24 * 3600)


def ratio(report, work, ours, theirs, unit="x"):
    print(f"  {work}: {ours / 1e6:,.1f} MB against {theirs / 1e6:,.1f} MB", flush=True)
    report.row(work, "ratio", unit, [ours / theirs], bough_bytes=ours, stock_bytes=theirs)


def touch_pages(system, name, share):
    """Changes about one row on each `share`-th page of the big table."""
    with system.connect(name) as connection:
        rows = connection.execute("select count(*) from pgbench_accounts").fetchone()[0]
        pages = connection.execute("select pg_relation_size('pgbench_accounts') / 8192").fetchone()[0]
        step = max(1, int(rows / pages * share))
        connection.execute("update pgbench_accounts set abalance = abalance + 1 where aid %% %s = 0", [step])
    tip = system.tip(name)
    system.wait_ingested(name, tip, timeout=600)
    system.cli("compute", "stop", name)
    return pages // share


def markdown(report):
    lines = [report.described_machine(), "", "| what | Bough | stock | ratio |", "|---|---:|---:|---:|"]
    lines += [f"| {row['work']} | {row['bough_bytes'] / 1e6:,.1f} MB | {row['stock_bytes'] / 1e6:,.1f} MB | {row['p50']:.3f} |"
              for row in report.data["rows"] if "bough_bytes" in row]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small and short: to see that it works")
    parser.add_argument("--scale", type=int, default=100)
    parser.add_argument("--branches", type=int, default=100)
    parser.add_argument("--transactions", type=int, default=1_000_000, help="of the run whose history is kept: about an hour's")
    options = parser.parse_args()
    if options.quick:
        options.scale, options.branches, options.transactions = 4, 3, 8_000
    report = Report("space", options)
    print(report.data["machine"], flush=True)
    with Servers("space") as servers:
        archive = servers.scratch.make("archive")
        system, stock = servers.bough(), servers.stock(archiving(archive))
        load(system, stock, options.scale)
        for url in (stock.url("bench"), system.url()):
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("vacuum analyze")
        with stock.connect("postgres") as connection:
            connection.execute("checkpoint")
        for old in pathlib.Path(archive).glob("*.zst"):  # the load's own history is not compared
            old.unlink()
        stored = Stored(system)
        stored.settle()
        stored.keep_nothing()
        fresh = stored.bytes()
        compressed = compressed_bytes(stock)
        ratio(report, "freshly loaded", fresh, directory_bytes(stock.data_dir, without=("pg_wal",)))

        stored.keep()
        touched = 0
        for number in range(options.branches):
            system.branch(f"t{number}")
            touched += touch_pages(system, f"t{number}", 100)
        stored.pageserver.request("POST", f"{stored.project}/gc")
        own = sum(stored.of_branch(f"t{number}") for number in range(options.branches))
        ratio(report, f"{options.branches} branches that changed 1% of the pages", own, touched * PAGE)

        for url in (stock.url("bench"), system.url()):
            pgbench(url, options.transactions)
        with stock.connect("postgres") as connection:
            connection.execute("select pg_switch_wal()")
            connection.execute("checkpoint")
            name = connection.execute("select pg_walfile_name(pg_current_wal_lsn())").fetchone()[0]
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline:
            with stock.connect("postgres") as connection:
                last = connection.execute("select last_archived_wal from pg_stat_archiver").fetchone()[0]
            if last and last >= name[:-1] or (last and int(last, 16) >= int(name, 16) - 1):
                break
            time.sleep(0.5)
        stored.settle()
        ratio(report, f"history of {options.transactions} transactions", stored.bytes() - own,
              directory_bytes(stock.data_dir, without=("pg_wal",)) + directory_bytes(archive))

        # From before the first goes, since its space may be back before the last has gone.
        before_deletion = time.perf_counter()
        for number in range(options.branches):
            system.cli("branch", "delete", f"t{number}")
        deleted = time.perf_counter()
        print(f"  {options.branches} branches deleted one by one in {deleted - before_deletion:.1f} s, "
              f"{stored.of_deleted_branches() / 1e6:,.2f} MB of their {own / 1e6:,.2f} MB not back yet", flush=True)
        target = time.monotonic() + 600
        while stored.of_deleted_branches() > own * 0.01:
            if time.monotonic() > target:
                raise SystemExit(f"after ten minutes deleted branches still take {stored.of_deleted_branches()} bytes")
            time.sleep(0.2)
        print(f"  the last of it {time.perf_counter() - deleted:.1f} s after the last deletion", flush=True)
        report.row("deleted branches to their space", "bough", "s", [time.perf_counter() - before_deletion])
        stored.keep_nothing()
        with stock.connect("bench") as connection:
            growth = connection.execute("select pg_database_size('bench')").fetchone()[0]
        logical = system.json("branch", "get", "main")["branch"]["logical_size"]
        print(f"  logical size {logical / 1e6:,.1f} MB, stock's database {growth / 1e6:,.1f} MB")
        with stock.connect("postgres") as connection:
            connection.execute("checkpoint")
        left, by_now = stored.bytes(), fresh * compressed_bytes(stock) / compressed
        ratio(report, "left after history and branches went, against freshly loaded", left, fresh)
        ratio(report, "the same, against what the contents take by now", left, by_now)
        report.write(markdown(report))


if __name__ == "__main__":
    sys.exit(main())
