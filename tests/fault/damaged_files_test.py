"""Files damaged while the system is down: an error that says so, never a wrong answer; put right, everything is there again."""
import pathlib

import psycopg
import pytest

from support import layout, wait
from support.system import CommandFailed

ROWS = 60000


def digest(connection):
    return connection.execute("select count(*), sum(id), md5(string_agg(w, '' order by id)) from t").fetchone()


def outcome(system, branch):
    """("right" or "wrong", what) or ("error", its message)."""
    try:
        with system.connect(branch, options="-c statement_timeout=60s") as connection:
            return "answer", digest(connection)
    except (psycopg.Error, CommandFailed) as error:
        return "error", str(error)


def no_daemon_crashed(system):
    for daemon in system.status()["daemons"]:
        assert daemon["state"] == "running" and daemon["restarts"] == 0, daemon


class Damage:
    """Changes files and puts them back."""

    def __init__(self):
        self.originals = {}

    def keep(self, path):
        self.originals[path] = path.read_bytes()

    def flip(self, path, step):
        """One bit in every `step` bytes."""
        self.keep(path)
        data = bytearray(self.originals[path])
        for at in range(step // 2, len(data), step):
            data[at] ^= 0x10
        path.write_bytes(data)

    def flip_at(self, path, at):
        self.keep(path)
        data = bytearray(self.originals[path])
        data[at] ^= 0xFF
        path.write_bytes(data)

    def truncate(self, path, size):
        self.keep(path)
        with open(path, "r+b") as file:
            file.truncate(size)

    def put_back(self):
        for path, data in self.originals.items():
            with open(path, "r+b") as file:  # keeps owner and mode
                file.write(data)
                file.truncate(len(data))


@pytest.fixture
def written(make_system):
    """A system that is down, with a table whose contents lie in sealed layers and in the log."""
    system = make_system()
    system.up()
    system.sql(f"create table t (id int primary key, w text); insert into t select i, md5(i::text) from generate_series(1, {ROWS}) i")
    system.sql("create table other as select generate_series(1, 100) as id")
    with system.connect() as connection:
        expected = digest(connection)
    system.wait_ingested("main", system.tip("main"))
    system.branch("child")
    system.down()
    return system, expected


def sst_files(system):
    found = sorted(pathlib.Path(system.data_dir).rglob("*.sst"), key=lambda path: path.stat().st_size, reverse=True)
    assert found, "no sealed layer was written by an orderly stop"
    return found


@pytest.mark.parametrize("how", ["flip", "truncate", "empty"])
def test_a_damaged_sealed_layer_is_an_error_not_an_answer(written, how):
    system, expected = written
    damage = Damage()
    for path in sst_files(system)[:2]:
        if how == "flip":
            damage.flip(path, 2000)
        else:
            damage.truncate(path, path.stat().st_size // 2 if how == "truncate" else 0)
    done = system.run("up", "--json", "--api-port", system.api_port, "--sql-port", system.sql_port)
    if done.returncode == 0:
        kind, what = outcome(system, "child")
        assert kind == "error" or what == expected, f"a wrong answer: {what}"
        assert kind == "error", "every data block is damaged, yet the answer was right: was the damage read?"
        assert "corrupt" in (what + layout.logs(system.data_dir)).lower() or "checksum" in (what + layout.logs(system.data_dir)).lower(), what
        no_daemon_crashed(system)
    else:
        assert done.stderr.startswith("bough: "), done.stderr
    system.run("down")
    system.destroy()
    damage.put_back()
    system.up()
    assert outcome(system, "child") == ("answer", expected)
    assert outcome(system, "main") == ("answer", expected)


def test_a_damaged_log_of_metadata_rows_is_an_error_and_no_row_is_given_up(written):
    """Rows that are durable lie behind the damage: it is no end of the log that a crash left."""
    system, expected = written
    rows = [path for path in pathlib.Path(system.data_dir).rglob("projects/*/store/*.log") if path.stat().st_size > 0]
    assert rows, "no rows in a log"
    damage = Damage()
    for path in rows:
        damage.flip_at(path, 20)
    damaged = {path: path.read_bytes() for path in rows}
    done = system.run("up", "--json", "--api-port", system.api_port, "--sql-port", system.sql_port, timeout=180)
    said = done.stderr
    if done.returncode == 0:
        kind, what = outcome(system, "child")
        assert kind == "error", what
        said += what
        no_daemon_crashed(system)
    assert any(f"{path.name}: damaged at byte " in said + layout.logs(system.data_dir) for path in rows), said
    system.run("down")
    system.destroy()
    for path, data in damaged.items():
        assert path.read_bytes() == data, "refused, and yet changed"
    damage.put_back()
    system.up()
    assert outcome(system, "child") == ("answer", expected)
    assert outcome(system, "main") == ("answer", expected)


@pytest.fixture
def unread(make_system):
    """A system killed so that the pageserver must read several segments of the log again. None is dropped: on a slow machine it may have
    some of them by then."""
    system = make_system()
    system.up("--wal-keep-size", "1GB")
    system.sql("create table t (id int primary key, w text)")
    begin = system.tip("main")
    for first in range(0, ROWS * 4, ROWS):
        system.sql(f"insert into t select i, md5(i::text) || repeat('x', 60) from generate_series({first} + 1, {first} + {ROWS}) i")
    with system.connect() as connection:
        expected = digest(connection)
    end = system.tip("main")
    system.kill_everything()
    return system, expected, begin, end


def segment_of(system, lsn):
    high, low = (int(part, 16) for part in lsn.split("/"))
    number = (high << 32 | low) >> 24
    name = f"00000001{number >> 8:08X}{number & 0xFF:08X}"
    found = [path for files in layout.wal_directories(system.data_dir).values() for path in files if path.name == name]
    assert found, name
    return found


@pytest.mark.parametrize("how", ["flip", "truncate", "remove"])
def test_a_damaged_wal_segment_is_an_error_and_nothing_is_cut_off(unread, how):
    """A whole segment in the middle of the log: not its unfinished end, so no safekeeper may take it for the end."""
    system, expected, begin, end = unread
    segments = sorted({path for files in layout.wal_directories(system.data_dir).values() for path in files})
    assert len(segments) >= 3, segments
    middle = segments[len(segments) // 2 - 1]
    last = segment_of(system, end)[0]
    assert middle != last
    damage = Damage()
    if how == "flip":
        damage.flip_at(middle, 9_000_000)
    elif how == "truncate":
        damage.truncate(middle, 5_000_000)
    else:
        damage.keep(middle)
        middle.rename(middle.with_name("elsewhere"))
    # Behind the last there may be one made in advance, which holds nothing and may go.
    sizes = {path: path.stat().st_size for path in segments if path != middle and path.name <= last.name}
    done = system.run("up", "--json", "--api-port", system.api_port, "--sql-port", system.sql_port, timeout=180)
    said = done.stderr
    if done.returncode == 0:
        kind, what = outcome(system, "main")
        said += str(what)
        assert kind == "error" or what == expected, f"a wrong answer: {what}"
        no_daemon_crashed(system)
        if kind == "error":
            everything = (said + layout.logs(system.data_dir)).lower()
            assert "corrupt" in everything or "crc" in everything or "segment" in everything or "removed" in everything, said
    else:
        assert done.stderr.startswith("bough: "), done.stderr
    assert all(path.exists() and path.stat().st_size == size for path, size in sizes.items()), "later segments were cut or dropped"
    system.destroy()
    if how == "remove":
        middle.with_name("elsewhere").rename(middle)
    else:
        damage.put_back()
    system.up()
    assert wait.until(lambda: outcome(system, "main"), 60) == ("answer", expected)


def test_an_unfinished_end_of_the_log_is_no_damage(unread):
    """Bytes after the last complete record are what a crash leaves: they go, everything acknowledged stays."""
    system, expected, _, end = unread
    path = segment_of(system, end)[0]
    at = int(end.split("/")[1], 16) & 0xFFFFFF
    with open(path, "r+b") as file:
        file.seek(at)
        tail = file.read(64)
        file.seek(at + 64)
        file.write(b"\x55" * 3000)
    assert len(tail) <= 64
    system.up()
    assert outcome(system, "main") == ("answer", expected)
    system.sql("insert into t values (-1, 'after')")
    system.kill_everything()
    system.up()
    assert system.value("select w from t where id = -1") == "after"
