"""kill -9 of everything at once in the middle of writing: what was acknowledged is there afterwards, and the indexes agree."""
import time

import pytest

from support import wait
from support.crash import Survivor

pytest_plugins = []


@pytest.mark.parametrize("safekeepers", [1, 3])
def test_killing_everything_loses_nothing_acknowledged(make_system, safekeepers):
    system = make_system(safekeepers)
    survivor = Survivor(system, scale=1)
    for crash in range(2):
        survivor.write_then_kill_everything(seconds=3 + crash)
        survivor.check()
    survivor.check_indexes()


def test_killing_everything_while_branches_are_made(make_system):
    """A branch whose creation was acknowledged is there; one that was not is there whole, or not at all."""
    import threading
    system = make_system()
    survivor = Survivor(system, scale=1)
    acknowledged, stop = [], threading.Event()

    def create():
        number = 0
        while not stop.is_set():
            must_have = survivor.ledger.acknowledged() if survivor.ledger else set()
            try:
                system.branch(f"b{number}", timeout=60)
            except Exception:  # noqa: BLE001
                return
            acknowledged.append((f"b{number}", must_have))
            number += 1
    thread = threading.Thread(target=create)
    survivor.start_writing()
    thread.start()
    wait.until(lambda: len(acknowledged) >= 2, 60, "two branches")
    time.sleep(0.7)
    survivor.kill_everything()
    stop.set()
    thread.join(90)
    assert not thread.is_alive()
    survivor.up()
    survivor.check()
    names = [b["name"] for b in system.json("branch", "list")["branches"]]
    assert {name for name, _ in acknowledged} <= set(names), (names, acknowledged)
    for name in [n for n in names if n != "main"][-2:]:
        with system.connect(name) as connection:
            survivor.check_connection(connection, dict(acknowledged).get(name, set()))


def test_prepared_transactions_survive_the_kill(make_system):
    system = make_system()
    system.up()
    with system.connect() as session:
        session.execute("create table t (id int)")
        session.execute("begin; insert into t values (1); prepare transaction 'survives'")
    system.kill_everything()
    system.up()
    assert system.sql("select gid from pg_prepared_xacts") == [("survives",)]
    system.sql("commit prepared 'survives'")
    assert system.sql("select id from t") == [(1,)]
