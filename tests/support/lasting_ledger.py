"""A ledger whose clients go on over any number of faults: they connect again whenever their connection breaks."""
import time

from . import wait
from .ledger import SCHEMA, Ledger, check_state


class LastingLedger:
    """pgbench's tables and the ledger are there already (see `prepare`). `url` is a string, or a function that gives one."""

    def __init__(self, url, clients=4, first_client=0):
        self.ledger = Ledger(url, clients=clients, reconnect=True)
        for thread in self.ledger._threads:
            thread.client += first_client

    @staticmethod
    def prepare(connection):
        connection.execute(SCHEMA)

    def __enter__(self):
        self.ledger.start()
        self.progress(10)
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.ledger.stop()
        else:  # the first error is the one to see
            for thread in self.ledger._threads:
                thread.stopping.set()

    def count(self):
        return self.ledger.count()

    def progress(self, transactions, timeout=90):
        """Waits until so many more were acknowledged; the seconds it took."""
        begin, goal = time.monotonic(), self.ledger.count() + transactions
        wait.until(lambda: self.ledger.count() >= goal, timeout,
                   f"{transactions} more transactions (errors: {[str(e)[:200] for e in self.ledger.errors()]})", interval=0.02)
        return time.monotonic() - begin

    def check(self, connect):
        """On a connection that `connect()` gives: all that was acknowledged before, nothing that was not sent, sums agree.
        How many were found."""
        must_have = self.ledger.acknowledged()
        with wait.until(connect, 60, "a connection") as connection:
            # What is sent meanwhile may be there too, so this is asked of a snapshot that is older than `possible`.
            connection.execute("begin isolation level repeatable read read only")
            connection.execute("select 1 from ledger limit 1").fetchone()
            found, _ = check_state(connection, must_have, self.ledger.possible())
            connection.execute("commit")
        return found, len(must_have)
