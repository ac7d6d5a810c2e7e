"""Clients that append to lists and read them, in transactions over several keys at once, and write down what they saw.

A list is a row of text in one of a few tables; an append is an INSERT … ON CONFLICT DO UPDATE that concatenates, as in Jepsen's test
of Postgres. Few keys are in use at a time, so that transactions collide; each is used for a while only, so that lists stay short."""
import random
import threading
import time

import psycopg

from .history import Append, Outcome, Read, Transaction

TABLES = 3
KEYS_IN_USE = 6
APPENDS_PER_KEY = 40
SCHEMA = "".join(f"create table if not exists lists{n} (key int primary key, val text not null); " for n in range(TABLES))
# At COMMIT these say that nothing was committed.
SURELY_ABORTED = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)


class Keys:
    """Which keys are in use, and unique values for each. Thread-safe."""

    def __init__(self):
        self._lock = threading.Lock()
        self._next_value = {}
        self._window = 0

    def any(self, chance):
        with self._lock:
            return self._window + chance.randrange(KEYS_IN_USE)

    def value(self, key):
        with self._lock:
            self._next_value[key] = self._next_value.get(key, 0) + 1
            if self._next_value.get(self._window, 0) >= APPENDS_PER_KEY:
                self._window += 1
            return self._next_value[key]

    def used(self):
        with self._lock:
            return sorted(self._next_value)


def append(connection, key, value):
    table = f"lists{key % TABLES}"
    connection.execute(f"insert into {table} values (%s, %s) on conflict (key) do update set val = {table}.val || ',' || excluded.val",
                       (key, str(value)))


def read(connection, key):
    row = connection.execute(f"select val from lists{key % TABLES} where key = %s", (key,)).fetchone()
    return tuple(map(int, row[0].split(","))) if row else ()


class Client(threading.Thread):
    def __init__(self, number, url, isolation, keys, seed):
        super().__init__(daemon=True, name=f"list-append-{number}")
        self.number, self.url, self.isolation, self.keys = number, url, isolation, keys
        self.chance = random.Random(f"{seed}:{number}")
        self.history, self.stopping, self.surprise = [], threading.Event(), None

    def run(self):
        connection = None
        while not self.stopping.is_set():
            try:
                if connection is None:
                    connection = psycopg.connect(self.url() if callable(self.url) else self.url, connect_timeout=5)
                    connection.isolation_level = self.isolation
            except psycopg.Error:
                time.sleep(0.1)
                continue
            try:
                self._transaction(connection)
            except Exception as error:  # noqa: BLE001  a mistake of the test's own: the run must not pass
                self.surprise = error
                return
            if connection.closed:
                connection = None
        if connection is not None:
            connection.close()

    def _transaction(self, connection):
        operations, outcome, begin = [], Outcome.aborted, time.monotonic()
        try:
            for _ in range(self.chance.randint(1, 4)):
                key = self.keys.any(self.chance)
                if self.chance.random() < 0.5:
                    value = self.keys.value(key)
                    operations.append(Append(key, value))  # noted first: it may have been done although the answer never comes
                    append(connection, key, value)
                else:
                    operations.append(Read(key, read(connection, key)))
            if self.chance.random() < 0.03:
                connection.rollback()
            else:
                outcome = Outcome.unknown
                connection.commit()
                outcome = Outcome.committed
        except psycopg.Error as error:
            if isinstance(error, SURELY_ABORTED):
                outcome = Outcome.aborted
            # Of any other error at COMMIT nobody knows; before, nothing was committed.
            try:
                connection.rollback()
            except psycopg.Error:
                pass
            if not isinstance(error, SURELY_ABORTED):
                connection.close()
        self.history.append(Transaction((self.number, len(self.history)), begin, time.monotonic(), outcome, tuple(operations)))


class Workload:
    def __init__(self, url, isolation=psycopg.IsolationLevel.SERIALIZABLE, clients=6, seed=0):
        self.keys = Keys()
        self.url, self.isolation = url, isolation
        self.clients = [Client(number, url, isolation, self.keys, seed) for number in range(clients)]

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_):
        for client in self.clients:
            client.stopping.set()
        for client in self.clients:
            client.join(90)

    def committed(self):
        return sum(t.outcome is Outcome.committed for client in self.clients for t in list(client.history))

    def whole_history(self):
        """After the end: what all saw, and a last read of every list, which shows what became of every append."""
        for client in self.clients:
            assert client.surprise is None, f"{client.name}: {client.surprise!r}"
            assert not client.is_alive(), f"{client.name} hangs"
        begin = time.monotonic()
        with psycopg.connect(self.url() if callable(self.url) else self.url, connect_timeout=30) as connection:
            connection.isolation_level = self.isolation
            operations = tuple(Read(key, read(connection, key)) for key in self.keys.used())
            connection.commit()
        last = Transaction("last", begin, time.monotonic(), Outcome.committed, operations)
        return [t for client in self.clients for t in client.history] + [last]
