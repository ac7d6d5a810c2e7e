"""Stock Postgres replaying a branch's log to chosen positions, in one go: the truth that the pageserver's pages are compared with.

The server is an ordinary standby whose archive holds the log up to a limit and zeros beyond, so that it waits exactly there; then
its dirty buffers are written (page_truth.c), its files compared, and the limit moved on. It never starts a second time: replaying a
part of the log again would clear visibility map bits that were set later, in stock Postgres too.
"""
import os
import pathlib
import shutil

from support import wait
from support.account import BINDIR, run_as_server, server_user
from support.page_service import lsn_text, lsn_value
from support.stock import StockPostgres

SEGMENT_BYTES = 16 << 20
# What a standby must have at least as much of as the server whose log it replays; taken from the compute.
SHARED_SETTINGS = ["max_connections", "max_worker_processes", "max_wal_senders", "max_prepared_transactions", "max_locks_per_transaction",
                   "track_commit_timestamp"]


def segment_name(number):
    return f"00000001{number >> 8:08X}{number & 0xFF:08X}"


class StockReplay:
    def __init__(self, scratch, data_dir, log_directory, settings, library):
        """`data_dir`: made by materialise(); `log_directory`: the safekeeper's segments; `library`: page_truth.so."""
        self.directory = pathlib.Path(scratch)
        self.log = pathlib.Path(log_directory)
        self.archive = self.directory / "archive"
        self.archive.mkdir()
        shutil.chown(self.archive, server_user().pw_uid, server_user().pw_gid)
        # Copied to where the server's user may read it.
        self.library = self.directory / "page_truth.so"
        shutil.copy(library, self.library)
        self.library.chmod(0o755)
        self.data_dir = pathlib.Path(data_dir)
        for name, content in (("standby.signal", ""), ("pg_hba.conf", "local all all trust\nhost all all 127.0.0.1/32 trust\n"),
                              ("pg_ident.conf", ""), ("postgresql.conf", ""), ("postgresql.auto.conf", "")):
            path = self.data_dir / name
            path.write_text(content)
            os.chown(path, server_user().pw_uid, server_user().pw_gid)
            path.chmod(0o600)
        self.server = StockPostgres(self.directory, "replay", data_dir=self.data_dir, settings={
            **settings, "restore_command": f"cp {self.archive}/%f %p", "hot_standby": "on", "wal_retrieve_retry_interval": "50ms",
            "fsync": "off", "full_page_writes": "off", "shared_buffers": "256MB", "autovacuum": "off", "bgwriter_lru_maxpages": "0",
            "allow_in_place_tablespaces": "on", "checkpoint_timeout": "1d", "max_standby_archive_delay": "0"})

    def segments(self):
        return sorted(path for path in self.log.iterdir() if len(path.name) == 24)

    def allow(self, limit):
        """The archive now holds the log before `limit`, and zeros from there to the end of its segment."""
        number, offset = divmod(limit, SEGMENT_BYTES)
        for path in self.segments():
            high, low = int(path.name[8:16], 16), int(path.name[16:], 16)
            this = high << 8 | low
            if this > number or (this == number and offset == 0):
                continue
            target, temporary = self.archive / path.name, self.archive / "incoming"
            data = path.read_bytes()
            assert len(data) == SEGMENT_BYTES, (path, len(data))
            if this == number:
                data = data[:offset] + bytes(SEGMENT_BYTES - offset)
            elif target.exists() and target.read_bytes() == data:
                continue
            temporary.write_bytes(data)
            temporary.chmod(0o644)
            temporary.rename(target)

    def advance(self, limit):
        """Replays every record that ends at or before `limit` (the start of a record, or the end of the last), writes all buffers."""
        self.allow(limit)
        if self.server.process is None:
            self.server.start()
        # A record that fills its page ends at the page's end; the next begins after that page's header.
        ends = {limit}
        for header, unit in ((24, 8192), (40, SEGMENT_BYTES)):
            if limit % unit == header:
                ends.add(limit - header)

        def outcome():
            if self.server.process.poll() is not None:
                return "ended"
            # Not to a database that may be copied just now: who connects first writes a file there, and takes it away again, and stock
            # Postgres then ends its replay for want of that file.
            with self.server.connect("postgres") as connection:
                now = lsn_value(connection.execute("select coalesce(pg_last_wal_replay_lsn(), '0/0')::text").fetchone()[0])
                if now > limit:
                    return f"went on to {lsn_text(now)}"
                if now in ends:
                    connection.execute(f"load '{self.library}'")
                    return "is there"
            return None
        reached = wait.until(outcome, 600, f"stock replay of the log to {lsn_text(limit)}; {self.server.log}")
        assert reached == "is there", f"stock replay {reached}, not to {lsn_text(limit)}: {self.server.log.read_text(errors='replace')[-3000:]}"

    def stop(self):
        self.server.stop()

    # --- positions

    def record_starts(self, begin, end, count):
        """`count` starts of records, spread evenly over (begin, end), by stock pg_waldump."""
        found = []
        for number in range(1, count + 1):
            wanted = begin + (end - begin) * number // (count + 1)
            done = run_as_server([BINDIR / "pg_waldump", "-p", self._readable_log(), "-s", lsn_text(wanted), "-n", "1"])
            line = next(line for line in done.stdout.splitlines() if line.startswith("rmgr:"))
            start = lsn_value(line.split("lsn: ")[1].split(",")[0])
            if begin < start < end and start not in found:
                found.append(start)
        return found

    def _readable_log(self):
        copy = self.directory / "log-copy"
        if not copy.exists():
            copy.mkdir()
            for path in self.segments():
                shutil.copy(path, copy / path.name)
                (copy / path.name).chmod(0o644)
        return copy
