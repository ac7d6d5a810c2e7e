"""The servers that quorum commits are compared on."""
import shutil
import subprocess
import time

from measurement import BINDIR, run_as_server

import psycopg

from support import wait
from support.account import as_server_user
from support.postgres_tools import pgbench_init
from support.processes import cpu_seconds
from support.stock import StockPostgres
from support.system import BoughSystem, build_directory

RECEIVERS = ("s1", "s2", "s3")
REST_SECONDS_MAX = 60
# Both stock sides: the compute's shared_buffers, and WAL segments that are recycled, not made, while it is measured.
STOCK_SETTINGS = {"shared_buffers": "128MB", "max_wal_size": "4GB", "min_wal_size": "2GB"}


class Bough:
    """Three safekeepers; a commit waits for two."""
    name = "bough"

    def __init__(self, scratch, scale):
        self.system = BoughSystem(scratch.make("b"), safekeepers=3)
        self.scale = scale

    def start(self):
        self.system.up()
        self.url, self.directory = self.system.url(), self.system.data_dir
        pgbench_init(self.url, self.scale)

    def rest(self):
        """What was written is ingested and compacted, so that nothing of it is done while the others are measured."""
        self.system.wait_ingested("main", value(self.url, "select pg_current_wal_flush_lsn()::text"), timeout=300)
        deadline, before = time.monotonic() + REST_SECONDS_MAX, cpu_seconds(self.directory)
        while time.monotonic() < deadline:
            time.sleep(0.5)
            now = cpu_seconds(self.directory)
            if now - before < 0.05:
                break
            before = now

    def stop(self):
        self.system.destroy()


class Single:
    """One stock node at its durable defaults, with a checkpoint every 30 s."""
    name = "single"
    settings = {"checkpoint_timeout": "30s"}

    def __init__(self, scratch, scale):
        self.directory = scratch.make(self.name[0])
        self.scale = scale
        self.stock = StockPostgres(self.directory, settings={**STOCK_SETTINGS, **self.settings})

    def start(self):
        self.stock.start()
        self.url = self.stock.url("bench")
        self.stock.sql("create database bench")
        pgbench_init(self.url, self.scale)

    def rest(self):
        self.stock.sql("checkpoint")

    def stop(self):
        self.stock.stop()


class Quorum(Single):
    """Stock Postgres as Postgres itself offers a quorum: three synchronous receivers on slots, two of which a commit waits for."""
    name = "quorum"
    settings = {}

    def __init__(self, scratch, scale):
        super().__init__(scratch, scale)
        self.receivers = []

    def command(self, name, conninfo, directory):
        """Of a receiver."""
        command = [BINDIR / "pg_receivewal", "-d", conninfo, "-S", name]
        run_as_server([*command, "--create-slot"])
        return [*command, "--synchronous", "-D", directory]

    def start(self):
        super().start()
        for name in RECEIVERS:
            directory = self.directory / name
            conninfo = f"host={self.directory} port={self.stock.port} user={self.stock.superuser} application_name={name}"
            directory.mkdir()
            shutil.chown(directory, self.stock.data_dir.owner())
            with open(self.directory / f"{name}.log", "ab") as log:
                self.receivers.append(subprocess.Popen([str(part) for part in self.command(name, conninfo, directory)], stdout=log,
                                                       stderr=log, stdin=subprocess.DEVNULL, cwd="/", **as_server_user()))
        self.stock.sql(f"alter system set synchronous_standby_names = 'ANY 2 ({','.join(RECEIVERS)})'")
        self.stock.sql("select pg_reload_conf()")
        wait.until(lambda: self.stock.sql("select count(*) from pg_stat_replication where sync_state = 'quorum'") == [(len(RECEIVERS),)],
                   60, "three synchronous receivers")

    def rest(self):
        super().rest()
        for name in RECEIVERS:  # what is complete nobody needs
            for segment in sorted((self.directory / name).glob("*[0-9A-F]"))[:-1]:
                segment.unlink()

    def stop(self):
        for receiver in self.receivers:
            receiver.terminate()
            receiver.wait(60)
        super().stop()


class Least(Quorum):
    """What a quorum costs at least: a stock node as computes are, without fsync and full_page_writes, and three receivers that only write, sync
    and reply."""
    name = "least"
    settings = {"fsync": "off", "full_page_writes": "off"}

    def command(self, name, conninfo, directory):
        return [build_directory() / "bin" / "least_receiver", conninfo, directory / "wal"]

    def rest(self):
        Single.rest(self)


SIDES = {side.name: side for side in (Bough, Quorum, Single, Least)}
DEFAULT_SIDES = [Bough.name, Quorum.name, Single.name]


def value(url, query):
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        return connection.execute(query).fetchone()[0]


def prepare(side, warm_seconds):
    """Loaded, vacuumed, warm."""
    print(f"  {side.name}: {side.__doc__} Loading.", flush=True)
    side.start()
    with psycopg.connect(side.url, autocommit=True) as connection:
        connection.execute("vacuum analyze")
    run_as_server([BINDIR / "pgbench", "-n", "-N", "-M", "prepared", "-c", 8, "-j", 2, "-T", warm_seconds, side.url], timeout=warm_seconds + 120)
    side.rest()
