#!/usr/bin/python3 -B
"""Quorum commits: pgbench on Bough with three safekeepers, beside stock Postgres that commits on ANY 2 of 3 `pg_receivewal --synchronous`,
and beside a single stock node with checkpoints inside the run.

Runs of the sides alternate (A B C A B C); medians over the rounds; latencies of every transaction; CPU seconds of all processes of a
side but the client's; WAL bytes per transaction. The side "least", when asked for, shows what any three receivers cost here. Prints the
ratios against what is asked of them and writes every measurement to build/bench/. The whole takes about half an hour; on a machine that
does other things its figures are noise.

Usage: quorum.py [--quick] [--rounds N] [--seconds N] [--clients 1,8,32] [--works N,TPC-B] [--sides bough,quorum,single,least] [--scale N]
"""
import argparse
import statistics
import sys
import time

from durable_writes import durable_write_ms
from measurement import Report, percentile, some_of
from pgbench_run import pgbench_run
from quorum_sides import DEFAULT_SIDES, SIDES, prepare, value

from support.account import ScratchDirectory
from support.processes import cpu_seconds

WORKS = {"N": ["-N", "-M", "prepared"], "TPC-B": ["-M", "prepared"]}
# Ratio asked for at 1, 8 and 32 clients: (must, aim). Other numbers of clients are measured, not judged.
AGAINST_QUORUM = {1: (1.1, 1.5), 8: (1.1, 1.3), 32: (1.1, 1.3)}
AGAINST_SINGLE = {1: (0.7, 1.0), 8: (0.85, 1.0), 32: (0.85, 1.0)}
WAL_BYTES_LESS = (5.0, 10.0)


def work_name(work, clients):
    return f"{work}, {clients} client{'s' if clients > 1 else ''}"


def measure(scratch, sides, options):
    """(work, clients, side name) -> its runs; (work, side name) -> [CPU seconds, transactions] of all turns with what they left over; and
    number of files -> medians of how long a write to each takes to be durable."""
    runs, turns, disk = {}, {}, {1: [], 2: []}
    total = len(options.works) * options.rounds * len(sides) * len(options.clients)
    done, begin = 0, time.monotonic()
    for work in options.works:
        for round_number in range(options.rounds):
            for files, medians in disk.items():
                medians.append(durable_write_ms(scratch.path, files))
            for side in sides:
                turn, cpu_before = turns.setdefault((work, side.name), [0.0, 0]), cpu_seconds(side.directory)
                # The numbers of clients one after another, so that the single node's checkpoints fall into its runs.
                for clients in options.clients:
                    wal_before = value(side.url, "select (pg_current_wal_insert_lsn() - '0/0')::bigint")
                    run = pgbench_run(scratch, side.url, WORKS[work], clients, options.seconds, side.directory)
                    run["wal_bytes"] = value(side.url, "select (pg_current_wal_insert_lsn() - '0/0')::bigint") - wal_before
                    runs.setdefault((work, clients, side.name), []).append(run)
                    turn[1] += run["transactions"]
                    done += 1
                    left = (time.monotonic() - begin) / done * (total - done)
                    print(f"  [{done}/{total}, {left / 60:4.1f} min left] round {round_number + 1} {work_name(work, clients):<17} "
                          f"{side.name:<7} {run['tps']:>7.0f} tps  {1000 * run['cpu'] / run['transactions']:.3f} CPU-ms  "
                          f"{run['wal_bytes'] / run['transactions']:>6.0f} WAL bytes", flush=True)
                side.rest()
                turn[0] += cpu_seconds(side.directory) - cpu_before
    return runs, turns, disk


def tell(report, runs, turns, disk):
    report.data["durable_write_ms"] = {files: round(statistics.median(medians), 3) for files, medians in disk.items()}
    report.data["cpu_ms_per_transaction_with_leftovers"] = {f"{work}, {side}": round(1000 * cpu / count, 4) for (work, side), (cpu, count) in turns.items()}
    for (work, clients, side), results in runs.items():
        latencies = [latency for run in results for latency in run["latency"]]
        transactions = sum(run["transactions"] for run in results)
        report.row(work_name(work, clients), side, "tps", [run["tps"] for run in results], clients=clients,
                   latency_ms_p50=round(percentile(latencies, 0.5), 3), latency_ms_p99=round(percentile(latencies, 0.99), 3),
                   cpu_ms_per_transaction=round(1000 * sum(run["cpu"] for run in results) / transactions, 4),
                   wal_bytes_per_transaction=round(sum(run["wal_bytes"] for run in results) / transactions))


def judged(ratio, asked):
    """The ratio, and what became of what was asked."""
    if asked is None:
        return f"{ratio:.2f}"
    must, aim = asked
    return f"{ratio:.2f} ({'aim' if ratio >= aim else 'must' if ratio >= must else 'missed'}: {must:g} / {aim:g})"


def markdown(report):
    rows = report.data["rows"]
    works = list(dict.fromkeys(row["work"] for row in rows))
    lines = [report.described_machine(), "",
             "| pgbench | side | tps, median | spread | latency p50 | p99 | CPU per transaction | WAL per transaction |",
             "|---|---|---:|---:|---:|---:|---:|---:|"]
    for work in works:
        for row in (row for row in rows if row["work"] == work):
            lines.append(f"| {work} | {row['who']} | {statistics.median(row['values']):,.0f} | {row['min']:,.0f}–{row['max']:,.0f} | "
                         f"{row['latency_ms_p50']:.2f} ms | {row['latency_ms_p99']:.2f} ms | {row['cpu_ms_per_transaction']:.3f} ms | "
                         f"{row['wal_bytes_per_transaction']:,} B |")
    lines += ["", "Ratios of medians, and whether they reach what is asked (must / aim):", "",
              "| pgbench | against stock quorum | against single node | against least receivers | WAL bytes less than single node |",
              "|---|---:|---:|---:|---:|"]
    for work in works:
        sides = {row["who"]: row for row in rows if row["work"] == work}
        if "bough" not in sides:
            continue
        ours, cells = sides["bough"], []
        for peer, asked in (("quorum", AGAINST_QUORUM), ("single", AGAINST_SINGLE), ("least", {})):
            cells.append(judged(report.median(work, "bough") / report.median(work, peer), asked.get(ours["clients"])) if peer in sides else "")
        cells.append(judged(sides["single"]["wal_bytes_per_transaction"] / ours["wal_bytes_per_transaction"], WAL_BYTES_LESS)
                     if "single" in sides else "")
        lines.append(f"| {work} | " + " | ".join(cells) + " |")
    lines += ["", "CPU per transaction over all numbers of clients, with what is left over after the runs (checkpoints, ingest, compaction): "
              + "; ".join(f"{what} {cpu:.3f} ms" for what, cpu in report.data["cpu_ms_per_transaction_with_leftovers"].items()) + "."]
    one, two = report.data["durable_write_ms"][1], report.data["durable_write_ms"][2]
    lines += ["", f"The disk: a small write is durable after {one:.2f} ms, writes to two files at once after {two:.2f} ms, {two / one:.2f} times as long: "
              "that is what a commit on two safekeepers waits for here beside one on a single node. With disks of their own they would not."]
    return "\n".join(lines) + "\n"


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short round on few rows: to see that it works")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=18, help="of each run")
    parser.add_argument("--clients", type=lambda text: [int(part) for part in text.split(",")], default=[1, 8, 32])
    parser.add_argument("--works", type=some_of(list(WORKS)), default=list(WORKS))
    parser.add_argument("--sides", type=some_of(list(SIDES)), default=DEFAULT_SIDES)
    parser.add_argument("--scale", type=int, default=50, help="pgbench's")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.scale = 1, min(options.seconds, 4), min(options.scale, 10)
    return options


def main():
    options = parse_options()
    report = Report("quorum", options)
    print(report.data["machine"], flush=True)
    scratch, sides = ScratchDirectory("quorum"), []
    try:
        for name in options.sides:
            sides.append(SIDES[name](scratch, options.scale))
            prepare(sides[-1], options.seconds // 2)
        tell(report, *measure(scratch, sides, options))
        report.write(markdown(report))
    finally:
        for side in sides:
            side.stop()
        scratch.remove()


if __name__ == "__main__":
    sys.exit(main())
