"""Whether a history is strictly serialisable; if not, what is wrong with it, by the names of Adya and of Jepsen's Elle.

What single reads show: garbage (a value nobody appended), duplicate elements, G1a (a value of a transaction that was aborted), G1b (a
transaction's first append without its later one), internal (a transaction contradicts itself), incompatible order (two reads of which
neither is the beginning of the other).

What cycles of dependencies show: G0 (ww only), G1c (ww and wr), lost update (two read the same version and both append), G-single (one rw),
G2 (several rw). With "-realtime", the cycle needs the order in which transactions were answered and begun; lost update, G-single and G2 among
these are what a stale read is."""
from .components import components, path
from .dependencies import Dependencies, longest_reads, took_effect
from .history import Anomaly, Append, Outcome, Read


def check(history):
    """All Anomaly found: of cycles one for each kind and strongly connected component. Empty: strictly serialisable."""
    names = [t.name for t in history]
    assert len(names) == len(set(names)), "two transactions have one name"
    appends = [(o.key, o.value) for t in history for o in t.operations if isinstance(o, Append)]
    assert len(appends) == len(set(appends)), "a value was appended twice: the history says nothing"
    effective = took_effect(history)
    found = [*_of_reads(history, effective), *_of_orders(effective)]
    return found + _of_cycles(Dependencies(effective))


# --- single reads -----------------------------------------------------------------------------------------------------------


def _of_reads(history, effective):
    writer = {(o.key, o.value): t for t in history for o in t.operations if isinstance(o, Append)}
    for transaction in effective:
        expected = {}  # key -> what the transaction itself knows of the list
        for operation in transaction.operations:
            key = operation.key
            if isinstance(operation, Append):
                if key in expected:
                    expected[key] = (*expected[key], operation.value)
                else:
                    expected.setdefault((key, "own"), []).append(operation.value)
                continue
            yield from _of_one_read(transaction, operation, writer)
            own = tuple(expected.pop((key, "own"), ()))
            if key in expected and expected[key] != operation.values or own and operation.values[-len(own):] != own:
                yield Anomaly("internal", f"{transaction} contradicts itself about {key}")
            expected[key] = operation.values


def _of_one_read(transaction, read, writer):
    if len(set(read.values)) != len(read.values):
        yield Anomaly("duplicate elements", f"{transaction} at {read.key}")
    for at, value in enumerate(read.values):
        source = writer.get((read.key, value))
        if source is None:
            yield Anomaly("garbage", f"{transaction} read {value} at {read.key}, which nobody appended")
        elif source.outcome is Outcome.aborted:
            yield Anomaly("G1a", f"{transaction} read {value} at {read.key} of {source}")
        elif source.name != transaction.name:
            all_of_it = source.appends(read.key)
            rest = all_of_it[all_of_it.index(value) + 1:]
            if rest and read.values[at + 1:at + 2] != (rest[0],):
                yield Anomaly("G1b", f"{transaction} read {value} at {read.key}, which is not the last of {source}")


def _of_orders(effective):
    longest = longest_reads(effective)
    for transaction in effective:
        for operation in transaction.operations:
            if isinstance(operation, Read) and operation.values != longest.get(operation.key, ())[:len(operation.values)]:
                yield Anomaly("incompatible order", f"{transaction} at {operation.key}, where another read {list(longest[operation.key])}")


# --- cycles -----------------------------------------------------------------------------------------------------------------


def _of_cycles(graph):
    found = []
    explained = []  # sets of transactions of which a worse anomaly is told already
    for real_time in (False, True):
        suffix, time = ("-realtime", ("rt",)) if real_time else ("", ())
        for kind, base in (("G0", ("ww",)), ("G1c", ("ww", "wr"))):
            for component in components(graph.nodes(), graph.successors(base + time)):
                cycle = _any_cycle(graph, component, base + time)
                _note(graph, found, explained, kind + suffix, cycle, base + time)
        kinds = ("ww", "wr")
        for component in components(graph.nodes(), graph.successors((*kinds, "rw", *time))):
            single = _cycle_of_one_rw(graph, component, kinds + time)
            if single:
                name = "lost update" if _is_lost_update(graph, single) else "G-single"
                _note(graph, found, explained, name + suffix, single, ("rw", *kinds, *time))
            else:
                order = (*kinds, "rw", *time)
                _note(graph, found, explained, "G2" + suffix, _any_cycle(graph, component, order), order)
    return found


def _any_cycle(graph, component, kinds):
    successors = graph.successors(kinds, component)
    cycles = (path(node, node, successors) for node in sorted(component, key=repr)[:20])
    return min(filter(None, cycles), key=len)


def _cycle_of_one_rw(graph, component, others):
    """The shortest that consists of one rw edge and a way back over `others`. Two concurrent ones of two transactions are preferred, for
    the reader's sake."""
    best = None
    back = graph.successors(others, component)
    for one in sorted(component, key=repr):
        for other in graph.edges["rw"].get(one, ()):
            if other not in component:
                continue
            way = path(other, one, back)
            if way and (best is None or len(way) + 1 < len(best)):
                best = [one, *way]
                if len(best) == 3:
                    return best
    return best


def _is_lost_update(graph, cycle):
    """Both read one version of a key and both append to it."""
    names = [name for name in dict.fromkeys(cycle) if name in graph.transactions]
    if len(names) != 2:
        return False
    one, other = (graph.transactions[name] for name in names)

    def first_reads(transaction):
        found = {}
        for operation in transaction.operations:
            if isinstance(operation, Read):
                found.setdefault(operation.key, operation.values)
            else:
                found.setdefault(operation.key, None)  # appended before it was read: not a read of another's version
        return found
    ones, others = first_reads(one), first_reads(other)
    return any(ones[key] is not None and ones[key] == others.get(key) and one.appends(key) and other.appends(key) for key in ones)


def _note(graph, found, explained, name, cycle, kinds):
    members = {node for node in cycle if node in graph.transactions}
    if any(members <= earlier for earlier in explained):
        return
    explained.append(members)
    steps = []
    for one, other in zip(cycle, cycle[1:]):
        kind, key = graph.kind_of(one, other, kinds)
        if one in graph.transactions:
            steps.append(f"{graph.transactions[one]} --{kind}{'' if key is None else f' {key}'}-->")
    found.append(Anomaly(name, " ".join(steps) + " the first"))
