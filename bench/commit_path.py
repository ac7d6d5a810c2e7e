#!/usr/bin/python3 -B
"""Where the time of a quorum commit goes: CPU and wake-ups by part at 1, 8 and 32 clients, what backends wait for, commits per fdatasync,
and, as root, the way of single commits step by step.

Usage: commit_path.py [--quick] [--seconds N] [--clients 1,8,32] [--sides bough,quorum,single] [--scale N]
"""
import argparse
import collections
import pathlib
import re
import sys
import time

from measurement import Report, some_of
import commit_trace
import cpu_parts
from quorum_sides import SIDES, prepare, value

import psycopg

from support.account import ScratchDirectory
from support.postgres_tools import start_pgbench

BENCH = ["-n", "-N", "-M", "prepared"]


def sync_counts(side):
    """(fdatasyncs, microseconds in them) of all safekeepers; nothing on a stock side."""
    if side.name != "bough":
        return None
    count, total = 0, 0.0
    for name in side.system.daemons():
        if name.startswith("safekeeper"):
            text = side.system.admin(name).bytes("/metrics").decode()
            count += int(re.search(r"^bough_safekeeper_wal_sync_seconds_count (\d+)", text, re.M)[1])
            total += float(re.search(r"^bough_safekeeper_wal_sync_seconds_sum ([\d.]+)", text, re.M)[1]) * 1e6
    return count, total


def transactions(side):
    """Of this run: each leaves a row of history. Exact at once, unlike the statistics."""
    return value(side.url, "select count(*) from pgbench_history")


def waits(side, seconds):
    """What the clients' backends were seen waiting for: event -> share."""
    seen = collections.Counter()
    until = time.monotonic() + seconds
    with psycopg.connect(side.url, autocommit=True) as connection:
        while time.monotonic() < until:
            for event, count in connection.execute("select coalesce(wait_event, 'running'), count(*) from pg_stat_activity "
                                                   "where application_name = 'pgbench' group by 1"):
                seen[event] += count
            time.sleep(0.02)
    total = sum(seen.values())
    return {event: round(count / total, 3) for event, count in seen.most_common(6)} if total else {}


def streams(side):
    """(walsender, thread that receives from it) of each safekeeper."""
    # The superuser sees the walsenders' names.
    senders = dict(side.system.sql("select application_name, pid from pg_stat_replication", superuser=True))
    found = []
    for name, pid in side.system.daemons().items():
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
            if name.startswith("safekeeper") and (task / "comm").read_text().strip() == "follower":
                found += [(senders[f"bough_{name.removeprefix('safekeeper-')}"], int(task.name))]
    return found


def trace(side, seconds):
    """Single commits of one client."""
    (backend,), = side.system.sql("select pid from pg_stat_activity where application_name = 'pgbench'", superuser=True)
    its_streams = streams(side)
    threads = [backend, *(thread for stream in its_streams for thread in stream)]
    return commit_trace.commits(commit_trace.record(threads, seconds), backend, its_streams)


def measure(side, clients, seconds):
    """One run in its steady state."""
    with psycopg.connect(side.url, autocommit=True) as connection:
        connection.execute("truncate pgbench_history")
    bench = start_pgbench(side.url, *BENCH, "-c", clients, "-j", min(2, clients), "-T", seconds + 6)
    try:
        time.sleep(1.5)
        syncs, before, began, processed = sync_counts(side), cpu_parts.snapshot(side.directory), time.monotonic(), transactions(side)
        time.sleep(seconds)
        took, done = time.monotonic() - began, transactions(side) - processed
        parts = cpu_parts.difference(before, cpu_parts.snapshot(side.directory))
        after = sync_counts(side)
        result = {"side": side.name, "clients": clients, "tps": done / took, "transactions": done, "parts": parts, "waits": waits(side, 1.5)}
        if syncs:
            result["commits_per_sync"] = 3 * done / max(1, after[0] - syncs[0])
            result["sync_us"] = (after[1] - syncs[1]) / max(1, after[0] - syncs[0])
        if side.name == "bough" and clients == 1 and not commit_trace.available():
            result["commits"] = trace(side, 1.0)
    finally:
        bench.communicate(timeout=seconds + 60)
    return result


def markdown(report, results):
    lines = [report.described_machine(), ""]
    for result in results:
        done = result["transactions"]
        lines += [f"{result['side']}, {result['clients']} client{'s' if result['clients'] > 1 else ''}: {result['tps']:,.0f} tps"
                  + (f", {result['commits_per_sync']:.1f} commits per fdatasync of {result['sync_us']:.0f} us" if "sync_us" in result else "")
                  + "; backends: " + ", ".join(f"{event} {100 * share:.0f} %" for event, share in result["waits"].items()), "",
                  "| part | CPU per commit | switches per commit |", "|---|---:|---:|"]
        total = sum(values[0] for values in result["parts"].values())
        for part, (cpu, voluntary, involuntary) in result["parts"].items():
            if cpu >= 0.005 * total:
                lines.append(f"| {part} | {1e6 * cpu / done:.0f} us | {(voluntary + involuntary) / done:.2f} |")
        lines += [f"| in all | {1e6 * total / done:.0f} us | |", ""]
        if result.get("commits"):
            lines += ["One client's commits, step by step, along the stream that completed the quorum:", "",
                      *commit_trace.table(result["commits"]), ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="short, on few rows: to see that it works")
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--clients", type=lambda text: [int(part) for part in text.split(",")], default=[1, 8, 32])
    parser.add_argument("--sides", type=some_of(SIDES), default=["bough", "quorum"])
    parser.add_argument("--scale", type=int, default=50, help="pgbench's")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.scale = min(options.seconds, 3), min(options.scale, 10)
    if why_not := commit_trace.available():
        print(f"no single commits: {why_not}", flush=True)
    report = Report("commit_path", options)
    scratch, results = ScratchDirectory("commits"), []
    for name in options.sides:
        side = SIDES[name](scratch, options.scale)
        try:
            prepare(side, options.seconds // 2)
            for clients in options.clients:
                print(f"  {name}, {clients} clients", flush=True)
                results.append(measure(side, clients, options.seconds))
        finally:
            side.stop()
    scratch.remove()
    report.data["rows"] = results
    report.write(markdown(report, results))


if __name__ == "__main__":
    sys.exit(main())
