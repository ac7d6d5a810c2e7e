"""The checker finds each kind of anomaly where it was planted, names it, and finds nothing where there is none."""
import random

import pytest

from .checker import check
from .components import components
from .history import Append, Outcome, Read, Transaction


def history(*rows):
    """Rows (name, begin, end, operations[, outcome]); operations as text: "x+1" appends, "x=12" reads the list [1, 2], "x=" an empty one."""
    made = []
    for name, begin, end, text, *outcome in rows:
        operations = []
        for word in text.split():
            key, value = word[0], word[2:]
            operations.append(Append(key, int(value)) if word[1] == "+" else Read(key, tuple(map(int, value))))
        made.append(Transaction(name, begin, end, outcome[0] if outcome else Outcome.committed, tuple(operations)))
    return made


def kinds(*rows):
    return {anomaly.kind for anomaly in check(history(*rows))}


# All at once, so that real time says nothing.
PLANTED = {
    "G0": [(1, 0, 9, "x+1 y+1"), (2, 0, 9, "x+2 y+2"), (3, 0, 9, "x=12"), (4, 0, 9, "y=21")],
    "G1a": [(1, 0, 9, "x+1", Outcome.aborted), (2, 0, 9, "x=1")],
    "G1b": [(1, 0, 9, "x+1 x+2"), (2, 0, 9, "x=1"), (3, 0, 9, "x=12")],
    "G1c": [(1, 0, 9, "x+1 y=1"), (2, 0, 9, "y+1 x=1")],
    "lost update": [(1, 0, 9, "x= x+1"), (2, 0, 9, "x= x+2"), (3, 0, 9, "x=12")],
    "G-single": [(1, 0, 9, "x+1 y+1"), (2, 0, 9, "x=1 y=")],
    "G2": [(1, 0, 9, "x= y+1"), (2, 0, 9, "y= x+1")],
    "internal": [(1, 0, 9, "x+1"), (2, 0, 9, "x= x=1")],
    "garbage": [(1, 0, 9, "x=7")],
    "duplicate elements": [(1, 0, 9, "x+1"), (2, 0, 9, "x=11")],
    "incompatible order": [(1, 0, 9, "x+1"), (2, 0, 9, "x+2"), (3, 0, 9, "x=12"), (4, 0, 9, "x=21")],
    # Real time alone makes these cycles.
    "G0-realtime": [(1, 0, 1, "x+1"), (2, 2, 3, "x+2"), (3, 4, 5, "x=21")],
    "G1c-realtime": [(1, 0, 1, "x=1"), (2, 2, 3, "x+1")],
    "G-single-realtime": [(1, 0, 1, "x+1"), (2, 2, 3, "x="), (3, 4, 5, "x=1")],
}


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_anomaly_is_found_and_named(kind):
    assert kind in kinds(*PLANTED[kind]), check(history(*PLANTED[kind]))


@pytest.mark.parametrize("kind", [k for k in PLANTED if k.startswith("G") or k == "lost update"])
def test_a_planted_anomaly_is_found_among_many_good_transactions(kind):
    good = serial(random.Random(kind), 400)
    planted = history(*PLANTED[kind])
    found = {anomaly.kind for anomaly in check(good + planted)}
    assert kind in found
    assert found == kinds(*PLANTED[kind]), "the good ones were blamed too"


def test_a_committed_append_that_later_reads_lack_is_found():
    """What a lost acknowledged commit looks like: nobody ever sees it again."""
    assert kinds((1, 0, 1, "x+1"), (2, 2, 3, "x="), (3, 4, 5, "x+2"), (4, 6, 7, "x=2")) & {"G-single-realtime", "G0-realtime"}


def test_several_antidependencies_in_real_time():
    assert kinds((1, 0, 9, "x= y+1"), (2, 1, 2, "x+2"), (3, 3, 4, "y=")) == {"G2-realtime"}
    assert kinds((1, 0, 9, "x= y+1"), (2, 1, 3, "x+2"), (3, 2, 4, "y=")) == set()


def test_an_unknown_commit_may_have_happened_or_not():
    unknown = (1, 0, 1, "x+1", Outcome.unknown)
    assert kinds(unknown, (2, 2, 3, "x=")) == set()
    assert kinds(unknown, (2, 2, 3, "x=1")) == set()
    # Its effect may come after it was given up, but not go away again.
    assert kinds(unknown, (2, 2, 3, "x="), (3, 4, 5, "x=1")) == set()
    assert "G-single-realtime" in kinds(unknown, (2, 2, 3, "x=1"), (3, 4, 5, "x="))


def test_an_unknown_commit_that_was_seen_is_held_to_what_it_read():
    assert "G-single" in kinds((1, 0, 9, "x+1 y+1"), (2, 0, 9, "x=1 y= z+1", Outcome.unknown), (3, 0, 9, "z=1"))
    assert kinds((1, 0, 9, "x+1 y+1"), (2, 0, 9, "x=1 y= z+1", Outcome.unknown), (3, 0, 9, "z=")) == set()


def test_an_unknown_commit_seen_only_by_an_unseen_one_proves_nothing():
    assert kinds((1, 0, 9, "x+1", Outcome.unknown), (2, 0, 9, "x=1 y+1", Outcome.unknown), (3, 0, 9, "y=")) == set()


def test_write_skew_needs_both_reads():
    assert kinds((1, 0, 9, "x= y+1"), (2, 0, 9, "y=1 x+1")) == set()


def test_a_transaction_may_read_its_own_appends():
    assert kinds((1, 0, 1, "x+1 x=1 x+2 x=12"), (2, 2, 3, "x=12 x+3 x=123"), (3, 4, 5, "x=123")) == set()


def serial(chance, count, overlap=0):
    """A history that is serial in truth: each transaction takes effect at one moment between its begin and end, which overlap."""
    lists, made, next_value = {}, [], 0
    for number in range(count):
        operations = []
        for _ in range(chance.randint(1, 4)):
            key = ("good", chance.randrange(6) + number // 100 * 10)
            if chance.random() < 0.5:
                next_value += 1
                lists[key] = (*lists.get(key, ()), next_value)
                operations.append(Append(key, next_value))
            else:
                operations.append(Read(key, lists.get(key, ())))
        moment = number + 1000.0
        made.append(Transaction(("good", number), moment - chance.uniform(0.1, 0.4 + overlap), moment + chance.uniform(0.1, 0.4 + overlap),
                                Outcome.committed, tuple(operations)))
    chance.shuffle(made)
    return made


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_found_in_a_good_history(seed):
    chance = random.Random(seed)
    good = serial(chance, 2000, overlap=seed * 5)
    assert check(good) == []
    # Nor when outcomes were not learnt.
    doubtful = [Transaction(t.name, t.begin, t.end, Outcome.unknown, t.operations) if chance.random() < 0.1 else t for t in good]
    assert check(doubtful) == []


@pytest.mark.parametrize("seed", range(3))
def test_one_stale_read_among_thousands_is_found(seed):
    chance = random.Random(seed)
    good = serial(chance, 2000)
    longs = [t for t in good if any(isinstance(o, Read) and len(o.values) > 3 for o in t.operations) and len(t.operations) == 1]
    victim = chance.choice(longs)
    read = victim.operations[0]
    stale = Transaction(victim.name, victim.begin, victim.end, victim.outcome, (Read(read.key, read.values[:-3]),))
    found = check([stale if t is victim else t for t in good])
    assert found and all(a.kind.endswith("-realtime") for a in found), found


def test_deep_graphs_need_no_recursion():
    size = 50_000
    edges = {n: [n + 1] for n in range(size)}
    edges[size - 1] = [0]
    assert [len(c) for c in components(range(size), lambda n: edges.get(n, ()))] == [size]
