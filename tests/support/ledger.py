"""Clients that write and remember what was acknowledged.

Each transaction is TPC-B-like over the pgbench tables, with a row in `ledger` beside: (client, number). A number is entered into
the client's memory only after COMMIT was answered, so whatever happens to the servers, the remembered ones must be found again.
"""
import random
import threading
import time

import psycopg

SCHEMA = """
create table if not exists ledger (client int, number bigint, delta int, primary key (client, number));
"""


class _Client(threading.Thread):
    def __init__(self, number, url, scale, reconnect):
        super().__init__(daemon=True, name=f"ledger-{number}")
        self.client, self.url, self.scale, self.reconnect = number, url, scale, reconnect
        self.acknowledged = 0    # every number in [1, acknowledged] not in `unknown` was answered
        self.unknown = set()     # sent, but the answer of COMMIT never came
        self.broken = 0          # connections lost
        self.stopping = threading.Event()
        self.error = None

    def run(self):
        connection, number = None, 0
        randomness = random.Random(self.client)
        while not self.stopping.is_set():
            try:
                if connection is None:
                    connection = psycopg.connect(self.url() if callable(self.url) else self.url, autocommit=True, connect_timeout=10)
                number += 1
                self.unknown.add(number)
                self._transaction(connection, number, randomness)
                self.unknown.discard(number)
                self.acknowledged = number
            except Exception as error:  # noqa: BLE001
                self.broken += 1
                self.error = error
                if connection is not None:
                    connection.close()
                connection = None
                if not self.reconnect:
                    return
                time.sleep(0.1)
        if connection is not None:
            connection.close()

    def _transaction(self, connection, number, randomness):
        delta = randomness.randint(-5000, 5000)
        account = randomness.randint(1, 100000 * self.scale)
        teller, branch = randomness.randint(1, 10 * self.scale), randomness.randint(1, self.scale)
        with connection.transaction():
            cursor = connection.cursor()
            cursor.execute("update pgbench_accounts set abalance = abalance + %s where aid = %s", (delta, account))
            cursor.execute("update pgbench_tellers set tbalance = tbalance + %s where tid = %s", (delta, teller))
            cursor.execute("update pgbench_branches set bbalance = bbalance + %s where bid = %s", (delta, branch))
            cursor.execute("insert into pgbench_history (tid, bid, aid, delta, mtime) values (%s, %s, %s, %s, now())",
                           (teller, branch, account, delta))
            cursor.execute("insert into ledger values (%s, %s, %s)", (self.client, number, delta))


class Ledger:
    """`clients` threads writing over connections of `url` (a string or a function that gives one)."""

    def __init__(self, url, clients=4, scale=1, reconnect=False):
        self._threads = [_Client(number, url, scale, reconnect) for number in range(clients)]

    def start(self):
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        for thread in self._threads:
            thread.stopping.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), f"{thread.name} hangs"
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def acknowledged(self):
        """The (client, number) pairs acknowledged so far. Taken before a request is sent, it is what the request must find."""
        pairs = set()
        for thread in self._threads:
            upto, unknown = thread.acknowledged, set(thread.unknown)
            pairs.update((thread.client, number) for number in range(1, upto + 1) if number not in unknown)
        return pairs

    def count(self):
        return sum(thread.acknowledged - len([n for n in set(thread.unknown) if n <= thread.acknowledged]) for thread in self._threads)

    def possible(self):
        """Every pair that was ever sent: nothing else may be found."""
        pairs = set()
        for thread in self._threads:
            # In this order: a number goes from the one to the other.
            unknown = set(thread.unknown)
            pairs.update((thread.client, number) for number in [*unknown, *range(1, thread.acknowledged + 1)])
        return pairs

    def broken(self):
        return sum(thread.broken for thread in self._threads)

    def errors(self):
        return [thread.error for thread in self._threads if thread.error is not None]


def check_state(connection, must_have, may_have=None):
    """The pgbench invariant, and the ledger: all of `must_have` is there, nothing outside `may_have`."""
    found = {tuple(row) for row in connection.execute("select client, number from ledger")}
    lost = must_have - found
    assert not lost, f"{len(lost)} acknowledged transactions are lost, such as {sorted(lost)[:5]}"
    if may_have is not None:
        assert found <= may_have, f"transactions that nobody made: {sorted(found - may_have)[:5]}"
    accounts, tellers, branches, history, ledger = connection.execute(
        """select (select coalesce(sum(abalance), 0) from pgbench_accounts), (select coalesce(sum(tbalance), 0) from pgbench_tellers),
                  (select coalesce(sum(bbalance), 0) from pgbench_branches), (select coalesce(sum(delta), 0) from pgbench_history),
                  (select coalesce(sum(delta), 0) from ledger)""").fetchone()
    assert accounts == tellers == branches == history, (accounts, tellers, branches, history)
    return len(found), ledger
