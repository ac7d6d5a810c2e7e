#!/usr/bin/python3 -B
"""Ingest: how fast the pageserver turns WAL into durable page versions, beside stock Postgres recovering from a crash with the same WAL.

Stock Postgres writes the log of each workload once, with full_page_writes off and on, and is then killed. In turns, stock recovers
from a copy of its crashed directory (the regression suite, which has checkpoints of its own, from its beginning), and the pageserver's
ingest reads the same segments into a fresh store. Wall time, CPU time and records a second of both, and two pairs of ratios:
- durable: until all is sealed into files, with the CPU time of sealing and compaction. Stock's checkpoint after recovery is not counted.
- queryable: until all can be read, as stock's recovery ends; the wall time has in it what ingest waits for room while layers are sealed
  beside it, the CPU time is that of the thread which ingests.
Every measurement goes to build/bench/.

Usage: ingest.py [--quick] [--rounds N] [--work tpcb,load,mixed,regress]
"""
import argparse
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import statistics
import sys
import time

from measurement import some_of

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from pg_regress.regress import RegressSuite  # noqa: E402
from support.account import BINDIR, ScratchDirectory, run_as_server  # noqa: E402
from support.postgres_tools import pgbench, pgbench_init  # noqa: E402
from support.stock import StockPostgres  # noqa: E402

BUILD = pathlib.Path(os.environ.get("BOUGH_BUILD_DIR", ROOT / "build" / "release"))
SETTINGS = {"max_wal_size": "64GB", "checkpoint_timeout": "1h", "shared_buffers": "1GB", "fsync": "off", "synchronous_commit": "off",
            "autovacuum": "off", "wal_level": "replica", "wal_keep_size": "64GB", "restore_command": "false", "hot_standby": "off"}
REDO_DONE = re.compile(r"redo done at ([0-9A-F/]+) system usage: CPU: user: ([0-9.]+) s, system: ([0-9.]+) s, elapsed: ([0-9.]+) s")


def tpcb(server, quick):
    pgbench(server.url(), "-n", "-M", "prepared", "-c", 8, "-j", 2, "-t", 2000 if quick else 25000, timeout=3600)


def load(server, quick):
    pgbench_init(server.url(), 5 if quick else 60)


def mixed(server, quick):
    """Every access method, DDL, vacuum: what the regression suite's log is made of."""
    script = (ROOT / "pageserver" / "redo" / "testing" / "every_access_method.sql").read_text()
    for i in range(1 if quick else 8):
        database = f"mixed{i}"
        server.sql(f"create database {database}")
        run_as_server([BINDIR / "psql", "-qX", "-f", "-", server.url(database)], input=script, timeout=3600)


def regress(server, quick):
    """Postgres's regression suite."""
    suite = RegressSuite(server.directory / f"suite-{server.data_dir.name}")
    ran = suite.run("stock", "127.0.0.1", server.port, server.superuser)
    if len(ran.finished()) != len(suite.tests()):
        raise SystemExit("the regression suite did not run to its end\n" + ran.output[-3000:])


WORK = {"tpcb": (lambda s, quick: pgbench_init(s.url(), 5 if quick else 30), tpcb), "load": (lambda s, quick: None, load),
        "mixed": (lambda s, quick: None, mixed), "regress": (lambda s, quick: None, regress)}


def checkpoint_segment(data_dir):
    """The name of the segment in which the last checkpoint lies."""
    said = run_as_server([BINDIR / "pg_controldata", "-D", data_dir]).stdout
    return re.search("REDO WAL file: +([0-9A-F]{24})", said).group(1)


def make_log(scratch, work, full_page_writes, quick):
    """(base, crashed): a cluster that was shut down before the log's first segment, and one that was killed at the log's end."""
    prepare, run = WORK[work]
    name = f"{work}-{full_page_writes}"
    server = StockPostgres(scratch.path, name, settings=SETTINGS)
    server.start()
    prepare(server, quick)
    server.stop()
    base = scratch.path / f"{name}-base"
    run_as_server(["cp", "-a", server.data_dir, base])
    # The log begins with the segment after the checkpoint's, where an import of `base` expects it: none that was made in advance counts.
    last = checkpoint_segment(server.data_dir)
    for path in (server.data_dir / "pg_wal").iterdir():
        if re.fullmatch("[0-9A-F]{24}", path.name) and path.name > last:
            path.unlink()
    run_as_server([BINDIR / "pg_resetwal", "-f", "-D", server.data_dir])
    server.configure({"full_page_writes": full_page_writes})
    begun = scratch.path / f"{name}-begun"
    if work == "regress":
        server.start()  # so that pg_control knows the wal_level again
        server.stop()
        run_as_server(["cp", "-a", server.data_dir, begun])
    server.start()
    run(server, quick)
    server.stop(signal.SIGQUIT)
    if work == "regress":
        # The suite has checkpoints of its own, and a crash loses only what is after the last: here stock recovers from its beginning on.
        run_as_server(["rm", "-r", begun / "pg_wal"])
        run_as_server(["mv", server.data_dir / "pg_wal", begun])
        run_as_server(["rm", "-r", server.data_dir])
        run_as_server(["mv", begun, server.data_dir])
        run_as_server(["touch", server.data_dir / "recovery.signal"])
    return base, server


def recover(scratch, crashed):
    """Stock's crash recovery of a copy of the directory, up to the end of redo."""
    directory = scratch.path / "recovering"
    shutil.rmtree(directory, ignore_errors=True)
    run_as_server(["cp", "-a", crashed.data_dir, directory])
    for path in directory.rglob("*"):
        if path.is_file():  # recovery finds its files in the OS's cache, as ingest does its segments
            with open(path, "rb") as file:
                while file.read(1 << 22):
                    pass
    server = StockPostgres(scratch.path, "recovery", data_dir=directory)
    server.log.unlink(missing_ok=True)
    server.start(timeout=3600)
    server.stop(signal.SIGQUIT)
    found = REDO_DONE.search(server.log.read_text())
    user, system, elapsed = (float(found.group(i)) for i in (2, 3, 4))
    return {"end": found.group(1), "cpu_s": user + system, "wall_s": elapsed}


def ingest(scratch, base, crashed):
    work = scratch.make(f"ingest-{time.monotonic_ns()}")
    done = run_as_server([BUILD / "bin" / "ingest_bench", work, base, crashed.data_dir / "pg_wal"], timeout=3600)
    shutil.rmtree(work, ignore_errors=True)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small logs, one round: does it run at all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=some_of(WORK), default=list(WORK))
    options = parser.parse_args()
    rounds = 1 if options.quick else options.rounds
    data = {"when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "options": vars(options), "cpus": os.cpu_count(),
            "kernel": platform.release(), "rows": []}
    scratch = ScratchDirectory("ingest")
    try:
        print(f"{'work':<8}{'fpw':<5}{'records':>10}{'MB WAL':>8} | {'stock krec/s':>13}{'CPU us/rec':>11} | {'ours krec/s':>12}"
              f"{'CPU us/rec':>11} | durable: {'wall':>5}{'CPU':>6} | "
              f"queryable: {'wall':>5}{'CPU':>6}")
        for work in options.work:
            for full_page_writes in ("off", "on"):
                base, crashed = make_log(scratch, work, full_page_writes, options.quick)
                stock, ours = [], []
                for _ in range(rounds):
                    stock.append(recover(scratch, crashed))
                    ours.append(ingest(scratch, base, crashed))
                data["rows"].append({"work": work, "full_page_writes": full_page_writes, "stock": stock, "ours": ours})
                report(data["rows"][-1])
                for directory in (base, crashed.data_dir):
                    shutil.rmtree(directory, ignore_errors=True)
    finally:
        scratch.remove()
    directory = ROOT / "build" / "bench"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"ingest-{data['when'].replace(':', '')}.json"
    path.write_text(json.dumps(data, indent=1) + "\n")
    print(f"every measurement: {path}")


def report(row):
    records = row["ours"][0]["records"]
    stock_wall = statistics.median(run["wall_s"] for run in row["stock"])
    stock_cpu = statistics.median(run["cpu_s"] for run in row["stock"])
    # Until all is durable, not just queryable: recovery's end is followed by a checkpoint, which is not counted.
    wall = statistics.median(run["durable_s"] for run in row["ours"])
    cpu = statistics.median(run["cpu_s"] for run in row["ours"])
    queryable_wall = statistics.median(run["readable_s"] for run in row["ours"])
    queryable_cpu = statistics.median(run["readable_cpu_s"] for run in row["ours"])
    print(f"{row['work']:<8}{row['full_page_writes']:<5}{records:>10}{row['ours'][0]['wal_bytes'] / 1e6:>8.0f} | "
          f"{records / stock_wall / 1e3:>13.0f}{stock_cpu / records * 1e6:>11.2f} | {records / wall / 1e3:>12.0f}{cpu / records * 1e6:>11.2f} | "
          f"{stock_wall / wall:>14.2f}{stock_cpu / cpu:>6.2f} | {stock_wall / queryable_wall:>16.2f}{stock_cpu / queryable_cpu:>6.2f}", flush=True)


if __name__ == "__main__":
    main()
