#!/usr/bin/python3 -B
"""Restart: how long nobody gets a page when the pageserver is killed with kill -9, however much it keeps.

A system with pgbench's tables and many branches, some of which have a little of their own; the pageserver is killed while its parent
branch is written to, and a client asks for a page of the parent, and then for one of a branch that nobody asked for before, until they
come. The time counts from the kill and includes noticing it and starting the process again.

Usage: restart.py [--scale N] [--branches N] [--rounds N] [--quick]
"""
import argparse
import random
import time

from first_look import Api
from measurement import Report, number, timed
from servers import Servers

from support import layout
from support.page_service import PageService, PageServiceError, lsn_value
from support.postgres_tools import pgbench_init, start_pgbench

TABLESPACE = 1663
MUST_MS = 1000
# One that ends sooner after its start is started again after a longer and longer pause (cli/supervisor.cpp): that is no part of this.
STEADY_S = 32


def first_page(system, branch_id, tag, lsn):
    """Milliseconds until a client gets that page."""
    def asked():
        while True:
            try:
                with PageService(layout.page_socket(system.data_dir), system.project, branch_id, timeout=30) as service:
                    return service.read(tag, 1, lsn)
            except (OSError, ConnectionError, PageServiceError):
                time.sleep(0.002)
    return timed(asked)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small: to see that it works")
    parser.add_argument("--scale", type=int, default=700, help="of pgbench; 700 are 10 GB")
    parser.add_argument("--branches", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.quick:
        options.scale, options.branches, options.rounds = 5, 20, 2
    report = Report("restart", options)
    print(report.data["machine"], flush=True)
    with Servers("restart") as servers:
        system = servers.bough()
        system.project = system.project_id()
        print(f"  pgbench -i -s {options.scale}: {timed(lambda: pgbench_init(system.url(), options.scale))[0] / 1000:.0f} s", flush=True)
        size = system.value("select pg_database_size(current_database())")
        database = system.value("select oid from pg_database where datname = current_database()")
        relation = system.value("select pg_relation_filenode('pgbench_accounts')")
        blocks = system.value("select pg_relation_size('pgbench_accounts') / 8192")
        begun = system.tip()
        system.wait_ingested("main", begun, timeout=600)
        api = Api(system)
        for branch in range(options.branches):
            api.create(f"t{branch}")
        # Branches of whom the pageserver has more than a row.
        for branch in range(0, options.branches, max(1, options.branches // 5)):
            system.sql("update pgbench_branches set bbalance = 1", f"t{branch}")
            system.cli("compute", "stop", f"t{branch}")
        ids = {branch["name"]: branch["id"] for branch in system.json("branch", "list")["branches"]}
        chance = random.Random(1)
        parents, others, serving = [], [], []
        for _ in range(options.rounds):
            load = start_pgbench(system.url(), "-n", "-c", "2", "-T", "600")
            time.sleep(STEADY_S)
            tag = lambda: (TABLESPACE, int(database), int(relation), 0, chance.randrange(int(blocks)))  # noqa: E731
            pid = system.kill_daemon("pageserver")
            begin = time.perf_counter()
            parents.append(first_page(system, ids["main"], tag(), lsn_value(begun))[0])
            others.append(first_page(system, ids[f"t{chance.randrange(options.branches)}"], tag(), lsn_value(begun))[0])
            status = system.admin("pageserver").get("/status")
            assert status["pid"] != pid
            serving.append((time.perf_counter() - begin) * 1000)
            load.terminate()
            load.wait()
        label = f"{size / 1e9:.1f} GB, {options.branches} branches"
        report.row(f"first page after kill -9, {label}", "parent", "ms", parents)
        report.row("  then of a branch nobody asked for", "branch", "ms", others)
        report.row("  both, and the admin's answer", "all", "ms", serving)
        worst = max(parents)
        lines = [report.described_machine(), "", "| work | median | worst | n |", "|---|---:|---:|---:|"]
        lines += [f"| {row['work'].strip()} | {number(row['p50'])} ms | {number(row['max'])} ms | {row['n']} |" for row in report.data["rows"]]
        lines += ["", f"{'met' if worst <= MUST_MS else 'missed'}: {MUST_MS} ms at most, of the parent's page, in every round"]
        report.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
