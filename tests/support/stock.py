"""A stock Postgres server in a directory of its own: the peer that results, pages and times are compared with."""
import pathlib
import signal
import subprocess
import time

import psycopg

from . import wait
from .account import BINDIR, as_server_user, run_as_server
from .ports import free_port


class StockPostgres:
    """initdb'ed like a project's template unless `data_dir` holds a data directory already. Trust authentication, loopback only."""

    def __init__(self, parent, name="stock", superuser="postgres", settings=None, initdb_options=(), data_dir=None):
        self.directory = pathlib.Path(parent)
        self.data_dir = pathlib.Path(data_dir) if data_dir else self.directory / name
        self.log = self.directory / f"{name}.log"
        self.superuser = superuser
        self.port = free_port()
        self.process = None
        if data_dir is None:
            run_as_server([BINDIR / "initdb", "-D", self.data_dir, "-U", superuser, "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust",
                           "--no-sync", *initdb_options])
        self.configure({"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.directory),
                        "logging_collector": "off", **(settings or {})})

    def configure(self, settings):
        """Settings that the next start() sees; a later one wins."""
        lines = "".join(f"{name} = '{str(value).replace(chr(39), chr(39) * 2)}'\n" for name, value in settings.items())
        with open(self.data_dir / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write(lines)

    def start(self, wait_for_connections=True, timeout=60):
        # An explicit file, opened as root where the tests are root: the server only inherits the descriptor.
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(BINDIR / "postgres"), "-D", str(self.data_dir)], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, cwd="/", start_new_session=True, **as_server_user())
        if wait_for_connections:
            wait.until(self._answers, timeout, "the stock server's first answer")
        return self

    def _answers(self):
        if self.process.poll() is not None:
            # Not an exception: wait.until would swallow it and go on waiting.
            raise SystemExit(f"stock server exited with {self.process.returncode}\n{self.log.read_text(errors='replace')[-3000:]}")
        with self.connect("postgres"):
            return True

    def stop(self, how=signal.SIGINT, timeout=60):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout)
        self.process = None

    def url(self, database="postgres"):
        return f"postgresql://{self.superuser}@127.0.0.1:{self.port}/{database}"

    def connect(self, database="postgres", autocommit=True, **options):
        return psycopg.connect(self.url(database), autocommit=autocommit, connect_timeout=10, **options)

    def sql(self, query, database="postgres"):
        """The rows of one query."""
        with self.connect(database) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    def cpu_seconds(self):
        from .processes import cpu_seconds
        return cpu_seconds(self.data_dir)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def seconds(callable_):
    begin = time.monotonic()
    callable_()
    return time.monotonic() - begin
