#!/usr/bin/python3 -B
"""First look: how long a branch takes, from nothing to its first answer, and what pgbench says beside stock Postgres.

Prints tables and writes every single measurement to build/bench/. Figures of one run on one machine: ratios inside the run mean more
than its numbers. Runs of the two sides alternate; medians of at least five.

Usage: first_look.py [--quick] [--rounds N] [--seconds N] [--big-scale N]
"""
import argparse
import http.client
import json
import statistics
import sys
import time

from measurement import BINDIR, Report, number, percentile, run_as_server, timed
from pgbench_run import pgbench_run
from servers import Servers

import psycopg

from support.postgres_tools import pgbench_init


# --- branches

FIRST_QUERY = "select count(*) from pgbench_branches"


class Api:
    """The HTTP API, over one connection."""

    def __init__(self, system):
        self.key = (system.data_dir / "api-key").read_text().strip()
        self.connection = http.client.HTTPConnection("127.0.0.1", system.api_port, timeout=60)
        self.path = f"/api/v2/projects/{system.project_id()}/branches"

    def create(self, name):
        body = json.dumps({"branch": {"name": name}})
        self.connection.request("POST", self.path, body, {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status == 201, text


def measure_branches(report, label, system, count):
    """Creation through the API and through the command, and from there to the first answer of the new branch's compute."""
    api = Api(system)
    report.row(f"branch create, API, {label}", "bough", "ms", [timed(lambda n=n: api.create(f"a{n}"))[0] for n in range(count)])
    create, first = [], []
    for number in range(count):
        milliseconds, _ = timed(lambda n=number: system.branch(f"t{n}"))
        create.append(milliseconds)

        def answer(n=number):
            with psycopg.connect(system.json("url", f"t{n}")["url"], connect_timeout=60) as connection:
                return connection.execute(FIRST_QUERY).fetchone()
        milliseconds, _ = timed(answer)
        first.append(create[-1] + milliseconds)
        system.cli("compute", "stop", f"t{number}")
    report.row(f"branch create, command, {label}", "bough", "ms", create)
    report.row(f"branch create to first answer, {label}", "bough", "ms", first)


def measure_stock_copies(report, label, stock, count, strategies=("file_copy", "wal_log")):
    """What stock Postgres offers for a copy: CREATE DATABASE from a template."""
    for strategy in strategies:
        times = []
        for number in range(count):
            with stock.connect("template1") as connection:
                milliseconds, _ = timed(lambda n=number, c=connection: c.execute(f"create database copy_{n} template bench strategy {strategy}"))
                connection.execute(f"drop database copy_{number}")
            times.append(milliseconds)
        report.row(f"CREATE DATABASE, {strategy}, {label}", "stock", "ms", times)


def measure_stock_start(report, label, stock, count):
    """`postgres` exec to the first answer, on a cleanly stopped data directory in the operating system's cache."""
    times = []
    for _ in range(count):
        stock.stop()

        def start():
            stock.start(wait_for_connections=False)
            while True:
                try:
                    with psycopg.connect(stock.url("bench"), connect_timeout=5) as connection:
                        return connection.execute(FIRST_QUERY).fetchone()
                except psycopg.OperationalError:
                    time.sleep(0.002)
        milliseconds, _ = timed(start)
        times.append(milliseconds)
    report.row(f"postgres exec to first answer, {label}", "stock", "ms", times)


# --- pgbench

def measure_pgbench(report, scratch, sides, rounds, seconds):
    """`sides`: name -> (url, directory of its processes). Rounds alternate between the sides."""
    for work, arguments in (("TPC-B", []), ("TPC-B, prepared", ["-M", "prepared"]), ("select only", ["-S"])):
        for clients in (1, 8):
            runs = {name: [] for name in sides}
            for _ in range(rounds):
                for name, (url, directory) in sides.items():
                    runs[name].append(pgbench_run(scratch, url, arguments, clients, seconds, directory))
            for name, results in runs.items():
                latencies = [value for run in results for value in run["latency"]]
                report.row(f"pgbench {work}, {clients} client{'s' if clients > 1 else ''}", name, "tps", [run["tps"] for run in results],
                           latency_ms_p50=round(percentile(latencies, 0.5), 3), latency_ms_p99=round(percentile(latencies, 0.99), 3),
                           cpu_ms_per_transaction=round(1000 * sum(r["cpu"] for r in results) / sum(r["transactions"] for r in results), 4))


def markdown(report):
    """The figures as docs/benchmarks.md shows them."""
    lines = [report.described_machine(), "",
             "| work | who | median | p99 | n |", "|---|---|---:|---:|---:|"]
    lines += [f"| {row['work']} | {row['who']} | {number(row['p50'])} {row['unit']} | {number(row['p99'])} {row['unit']} | {row['n']} |"
              for row in report.data["rows"] if row["unit"] == "ms"]
    lines += ["", "| pgbench | who | tps, median | ratio | latency p50 | p99 | CPU per transaction |", "|---|---|---:|---:|---:|---:|---:|"]
    for row in report.data["rows"]:
        if row["unit"] == "tps":
            ratio = statistics.median(row["values"]) / report.median(row["work"], "stock")
            lines.append(f"| {row['work'].removeprefix('pgbench ')} | {row['who']} | {statistics.median(row['values']):,.0f} | {ratio:.2f} | "
                         f"{row['latency_ms_p50']:.2f} ms | {row['latency_ms_p99']:.2f} ms | {row['cpu_ms_per_transaction']:.3f} ms |")
    return "\n".join(lines) + "\n"


def load(system, stock, scale):
    """pgbench's tables on both sides; scale 0: with so few rows that the database has 10 MB. Milliseconds that each took."""
    with stock.connect("template1") as connection:
        connection.execute("create database bench")
    times = []
    for url in (stock.url("bench"), system.url()):
        if scale:
            times.append(timed(lambda u=url: pgbench_init(u, scale))[0])
        else:
            times.append(timed(lambda u=url: few_rows(u))[0])
    return times


def few_rows(url):
    run_as_server([BINDIR / "pgbench", "-i", "-q", "-I", "dtp", url])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("insert into pgbench_branches values (1, 0)")
        connection.execute("insert into pgbench_accounts select i, 1, 0, '' from generate_series(1, 12000) i")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small and short: to see that it works")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--big-scale", type=int, default=135, help="pgbench scale of the 2 GB database")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.big_scale = 1, 2, 10
    report = Report("first_look", options)
    print(report.data["machine"], flush=True)
    # Stock at its durable defaults, with the compute's shared_buffers.
    settings = {"shared_buffers": "128MB", "max_wal_size": "4GB"}
    with Servers("bench") as servers:
        pairs = {}
        for scale in (0, options.big_scale):
            system, stock = servers.bough(), servers.stock(settings)
            theirs, ours = load(system, stock, scale)
            size = system.value("select pg_database_size(current_database())") / 1e6
            label = f"{size:.0f} MB" if size < 1000 else f"{size / 1000:.1f} GB"
            pairs[label] = system, stock
            if scale:
                report.row(f"pgbench -i, {label}", "stock", "ms", [theirs])
                report.row(f"pgbench -i, {label}", "bough", "ms", [ours])
        for label, (system, stock) in pairs.items():
            few = 2 if options.quick else 5
            measure_branches(report, label, system, 5 if options.quick else 30)
            measure_stock_copies(report, label, stock, few)
            measure_stock_start(report, label, stock, 3 if options.quick else 10)
        for system, stock in pairs.values():
            system.cli("down")
            stock.stop()
        system, stock = servers.bough(), servers.stock(settings)
        load(system, stock, 10)
        for server_url in (stock.url("bench"), system.url()):
            with psycopg.connect(server_url, autocommit=True) as connection:
                connection.execute("vacuum analyze")
        measure_pgbench(report, servers.scratch, {"stock": (stock.url("bench"), stock.data_dir), "bough": (system.url(), system.data_dir)},
                        options.rounds, options.seconds)
        report.write(markdown(report))


if __name__ == "__main__":
    sys.exit(main())
