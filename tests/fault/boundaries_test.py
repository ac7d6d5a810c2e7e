"""The log ends exactly on a page's or a segment's boundary when the compute is killed: the next one begins there."""
import os
import signal

import pytest

from support import processes, wait
from support.wal_histories import SEGMENT_BYTES, logs_of, lsn, lsn_text

PAGE_BYTES = 8192
SHORT_HEADER_BYTES = 24
MESSAGE_OVERHEAD_BYTES = 24 + 5 + 24 + 2  # record header, length of the data, xl_logical_message, prefix "x"


def emit_up_to(connection, boundary_bytes):
    """Writes one record that ends exactly on the next multiple of `boundary_bytes`; where that is."""
    for _ in range(20):
        at = lsn(connection.execute("select pg_current_wal_insert_lsn()::text").fetchone()[0])
        goal = (at // boundary_bytes + 1) * boundary_bytes
        if goal - at < 1000:
            connection.execute("select pg_logical_emit_message(false, 'x', repeat('-', 2000))")
            continue
        further_pages = (goal - 1) // PAGE_BYTES - at // PAGE_BYTES
        length = goal - at - SHORT_HEADER_BYTES * further_pages - MESSAGE_OVERHEAD_BYTES
        end = lsn(connection.execute("select pg_logical_emit_message(false, 'x', repeat('-', %s))::text", (length,)).fetchone()[0])
        if end % boundary_bytes == 0:
            return end
    raise AssertionError("another record was always in the way")


def compute_of_main(system):
    return next(c for c in system.json("compute", "list")["computes"] if c["branch"] == "main")


@pytest.fixture(scope="module")
def quorum(make_system):
    system = make_system(safekeepers=3)
    system.up()
    system.sql("create table t (id int primary key)")
    return system


@pytest.mark.parametrize("boundary", [PAGE_BYTES, SEGMENT_BYTES], ids=["page", "segment"])
def test_a_compute_starts_on_the_boundary_where_the_log_ends(quorum, boundary):
    logs = logs_of(quorum)
    with quorum.connect(superuser=True) as connection:
        connection.execute("alter system set wal_writer_delay = '10ms'")
        connection.execute("select pg_reload_conf()")
        connection.execute("insert into t select coalesce(max(id), 0) + 1 from t")
        for _ in range(10):
            end = emit_up_to(connection, boundary)
            ends = wait.until(lambda: (e := {lsn(p["end_lsn"]) for p in logs.positions().values()}) and min(e) >= end and e, 30, "the log")
            if ends == {end}:
                break
        pid = compute_of_main(quorum)["pid"]
        os.kill(pid, signal.SIGKILL)
    wait.until(lambda: not processes.alive(pid), 10, "its death")
    assert {lsn(p["end_lsn"]) for p in logs.positions().values()} == {end}
    wait.until(lambda: quorum.value("select count(*) from t") > 0, 60, "a compute again")
    assert compute_of_main(quorum)["start_lsn"] == lsn_text(end)
    before = quorum.value("select count(*) from t")
    quorum.sql("insert into t select max(id) + 1 from t")
    quorum.restart_compute()
    assert quorum.value("select count(*) from t") == before + 1
    wait.until(lambda: len({p["end_lsn"] for p in logs.positions().values()}) == 1, 30, "the safekeepers to agree")
    logs.check()
