"""The beginning and the end of the slow tests over a DividedSystem."""
import contextlib

import psycopg

from . import wait
from .account import ScratchDirectory
from .divided_system import DividedSystem
from .lasting_ledger import LastingLedger
from .postgres_tools import amcheck, pgbench_init


@contextlib.contextmanager
def divided_system(name, say):
    """One that runs, with pgbench's tables and a ledger. Its files are kept when the test fails."""
    scratch = ScratchDirectory(name)
    system = DividedSystem(scratch.make("f"))
    good = False
    try:
        system.up()
        pgbench_init(system.url(), 1)
        with psycopg.connect(system.url(), autocommit=True) as connection:
            LastingLedger.prepare(connection)
        yield system
        good = True
    finally:
        system.destroy()
        if good:
            scratch.remove()
        else:
            say(f"what was there is kept in {scratch.path}")


def connect(url):
    return lambda: psycopg.connect(url() if callable(url) else url, autocommit=True, connect_timeout=10)


def at_rest(system, say):
    """Nobody writes any more: stops the compute, looks at the logs, then at the indexes."""
    wait.until(lambda: system.stop_compute() or True, 60, "the compute's stop", interval=0.5)
    logs = system.logs()
    say(f"at rest: logs are equal and pg_waldump reads them, bytes: {logs.check(logs.settled())}")
    wait.until(lambda: system.start_compute() or True, 60, "a compute", interval=0.5)
    amcheck(system.superuser_url())
    say("pg_amcheck passes")
