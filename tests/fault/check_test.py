"""`bough check`, with the system running and without; and what damage that was found does to everything else: nothing."""
import json
import pathlib

import psycopg
import pytest

from support import wait
from support.admin import AdminError

ROWS = 60000


@pytest.fixture(scope="module")
def stored(make_system):
    """A system that is down, with a table of some thousand blocks and a small one, both sealed, and a branch whose compute never ran."""
    system = make_system()
    system.up()
    system.sql(f"""create table wide (id int, w text);
                   alter table wide alter w set storage plain;
                   insert into wide select i, (select string_agg(md5(i::text || j), '') from generate_series(1, 14) j)
                   from generate_series(1, {ROWS}) i;
                   create table small as select generate_series(1, 100) as id""")
    system.wait_ingested("main", system.tip("main"))
    system.branch("child")
    system.down()
    return system


def largest_sst(system):
    found = sorted(pathlib.Path(system.data_dir, "pageserver").rglob("*.sst"), key=lambda path: path.stat().st_size)
    assert found and found[-1].stat().st_size > 8 << 20, found
    return found[-1]


def number(lsn):
    high, low = lsn.split("/")
    return int(high, 16) << 32 | int(low, 16)


class Flipped:
    """One byte of a file, changed."""

    def __init__(self, path, at):
        self.path, self.at = path, at

    def _flip(self):
        with open(self.path, "r+b") as file:
            file.seek(self.at)
            byte = file.read(1)[0]
            file.seek(self.at)
            file.write(bytes([byte ^ 0xFF]))

    def __enter__(self):
        self._flip()
        return self

    def __exit__(self, *_):
        # A compaction may have rewritten the file meanwhile, had it been whole.
        self._flip()


def in_the_table(path):
    """A byte of the wide table's pages: they are most of the file."""
    return Flipped(path, path.stat().st_size // 2)


def check(system, status):
    done = system.run("check", "--json", timeout=300)
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def up(stored):
    stored.up()
    yield stored
    stored.down()


def test_what_is_whole_passes_while_the_system_is_down(stored):
    found = check(stored, 0)
    assert found["damaged"] == [] and not found["online"] and found["projects"] == 1
    assert found["files"] >= 3 and found["bytes"] > 16 << 20
    said = stored.cli("check")
    assert f"all {found['files']} files of 1 projects are as they were written" in said


def test_what_is_whole_passes_while_the_system_runs(up):
    found = check(up, 0)
    assert found["damaged"] == [] and found["online"] and found["bytes"] > 16 << 20
    # While it is written to as well.
    up.sql("insert into small select generate_series(1, 1000)")
    assert check(up, 0)["damaged"] == []


def test_a_flipped_byte_is_found_while_the_system_is_down(stored):
    path = largest_sst(stored)
    with in_the_table(path):
        found = check(stored, 1)
        assert [entry["file"] for entry in found["damaged"]] == [path.name]
        assert path.name in found["damaged"][0]["message"]
        done = stored.run("check")
        assert done.returncode == 1 and done.stdout.count("damaged: ") == 1 and path.name in done.stdout, done.stdout
    assert check(stored, 0)["damaged"] == []


def test_a_damaged_manifest_is_found(stored):
    manifest = next(pathlib.Path(stored.data_dir, "pageserver").rglob("MANIFEST-*"))
    with Flipped(manifest, 30):
        found = check(stored, 1)
        assert manifest.name in [entry["file"] for entry in found["damaged"]]


def test_a_missing_file_is_found(stored):
    path = largest_sst(stored)
    path.rename(path.with_suffix(".away"))
    try:
        found = check(stored, 1)
        assert path.name in found["damaged"][0]["message"], found
    finally:
        path.with_suffix(".away").rename(path)


def blocks_of(connection, table):
    """block -> "right" or the psycopg error of reading it."""
    pages = connection.execute(f"select pg_relation_size('{table}') / 8192").fetchone()[0]
    outcome = {}
    for block in range(pages):
        try:
            connection.execute(f"select count(w) from {table} where ctid >= '({block},0)' and ctid < '({block + 1},0)'")
            outcome[block] = "right"
        except psycopg.Error as error:
            outcome[block] = error
    return outcome


def test_reads_that_need_a_damaged_block_fail_and_say_where_and_all_else_goes_on(stored):
    path = largest_sst(stored)
    with in_the_table(path):
        stored.up()
        found = check(stored, 1)
        assert found["online"] and [entry["file"] for entry in found["damaged"]] == [path.name]

        branch = stored.json("branch", "get", "child")["branch"]["id"]
        with stored.connect("child") as connection:
            relation = connection.execute("select pg_relation_filenode('wide')").fetchone()[0]
            outcome = blocks_of(connection, "wide")
            failed = {block: error for block, error in outcome.items() if error != "right"}
            assert 0 < len(failed) < 12, f"{len(failed)} of {len(outcome)} blocks: {list(failed)[:20]}"
            for block, error in failed.items():
                assert error.sqlstate == "XX001", (block, error.sqlstate, str(error))
                for said in (branch, f"/{relation} fork 0", f"block {block}", path.name):
                    assert said in str(error), f"{said!r} is not in {error}"
            # The same session, other relations, other blocks.
            assert connection.execute("select count(*) from small").fetchone()[0] >= 100
            connection.execute("insert into wide values (-1, 'after')")
            assert connection.execute(f"select w from wide where id = -1 and ctid >= '({len(outcome) - 1},0)'").fetchone()[0] == "after"

        # Old history goes in compactions, which meet the damage too: writing and reading go on.
        stored.json("project", "update", "--restore-window", "0s")
        pageserver, project = stored.admin("pageserver"), stored.project_id()
        with pytest.raises(AdminError, match=path.name):
            pageserver.request("POST", f"/v1/projects/{project}/gc")
        stored.sql("insert into small select generate_series(1, 1000)", "child")
        stored.sql("insert into small select generate_series(1, 1000)")
        for name in ("main", "child"):
            stored.wait_ingested(name, stored.tip(name))
        tip = number(stored.tip("child"))
        wait.until(lambda: number(pageserver.get(f"/v1/projects/{project}/branches/{branch}")["durable_lsn"]) >= tip, 60)
        stored.fresh_copy("later", "child")
        assert stored.value("select count(*) from small", "later") >= 1100
        for daemon in stored.status()["daemons"]:
            assert daemon["state"] == "running" and daemon["restarts"] == 0, daemon
        stored.down()
    assert check(stored, 0)["damaged"] == []
    stored.up()
    assert stored.value("select count(*) from wide where id > 0", "later") == ROWS
