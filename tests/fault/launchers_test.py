"""Two launchers for one branch: one wins, and the compute of the other is stopped with the reason."""
import time

from support import wait
from support.crash import Survivor
from support.ledger import check_state
from support.second_control import SecondControl

TAKEN = "another launcher has taken the branch over"


def compute_of_main(system):
    return next(c for c in system.json("compute", "list")["computes"] if c["branch"] == "main")


def test_the_loser_s_compute_is_stopped_and_says_why(make_system):
    survivor = Survivor(make_system(3), clients=3)
    system = survivor.system
    url, compute = system.url(), compute_of_main(system)
    survivor.start_writing(reconnect=True, url=url)
    second = SecondControl(system, system.data_dir.parent / "second")

    # The second takes the branch as the first thing it does. The first finds out, and does not take it back.
    lost = wait.until(lambda: (c := compute_of_main(system))["state"] == "stopped" and c, 60, "the loser's compute to be stopped")
    assert TAKEN in lost["last_error"] and str(second.directory / "run") in lost["last_error"], lost
    with wait.until(lambda: second.connect(compute["port"]), 60, "the winner's compute") as connection:
        count = survivor.ledger.count()
        must_have = survivor.ledger.acknowledged()
        check_state(connection, must_have, survivor.ledger.possible())
        connection.execute("insert into ledger values (100, 1, 0)")
        time.sleep(3)
        assert survivor.ledger.count() == count, "the loser acknowledged commits"
        assert compute_of_main(system)["state"] == "stopped"

    # Asked to, the first takes it back, with all that both acknowledged; now it is the second whose compute is stopped.
    system.json("compute", "start")
    assert compute_of_main(system)["term"] > compute["term"]
    wait.until(lambda: TAKEN in second.said(), 60, "the second to notice")
    survivor.may_have.add((100, 1))
    survivor.must_have.add((100, 1))
    before = survivor.ledger.count()
    wait.until(lambda: survivor.ledger.count() > before + 20, 60, "commits to go on")
    time.sleep(3)
    assert compute_of_main(system)["state"] == "running"
    second.kill()
    survivor.stop_writing()
    survivor.check()
