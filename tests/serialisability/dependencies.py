"""Who must come before whom, if a history is to be explained by running its transactions one after another.

Edges between transactions (by name): ww, one's version of a list was followed by the other's; wr, the other read the one's version; rw, the
one read the version that the other's followed; rt, the one was answered before the other began. Real time has n² edges; instead the
moments of answers are nodes of their own, in a chain: transaction → its answer → later answers → transactions that begin after."""
import bisect
import collections

from .history import Append, Outcome, Read


def took_effect(history):
    """Committed ones, and of the unknown ones those whose values somebody saw who himself took effect."""
    writer = {(o.key, o.value): t for t in history for o in t.operations if isinstance(o, Append)}
    effective = {t.name: t for t in history if t.outcome is Outcome.committed}
    queue = list(effective.values())
    while queue:
        for operation in queue.pop().operations:
            for value in operation.values if isinstance(operation, Read) else ():
                seen = writer.get((operation.key, value))
                if seen is not None and seen.outcome is Outcome.unknown and seen.name not in effective:
                    effective[seen.name] = seen
                    queue.append(seen)
    return list(effective.values())


def longest_reads(transactions):
    """By key: the longest list anybody read. When all reads of a key are beginnings of one another, it is the order of its versions."""
    longest = {}
    for transaction in transactions:
        for operation in transaction.operations:
            if isinstance(operation, Read) and len(operation.values) > len(longest.get(operation.key, ())):
                longest[operation.key] = operation.values
    return longest


class Dependencies:
    def __init__(self, transactions):
        self.transactions = {t.name: t for t in transactions}
        self.edges = collections.defaultdict(lambda: collections.defaultdict(dict))  # kind -> from -> to -> key
        order = longest_reads(transactions)
        writer = {(o.key, o.value): t.name for t in transactions for o in t.operations if isinstance(o, Append)}
        # Appended, and not in the longest read: later than all that is in it, else it would hold them.
        unread = collections.defaultdict(list)
        for transaction in transactions:
            for operation in transaction.operations:
                if isinstance(operation, Append) and operation.value not in set(order.get(operation.key, ())):
                    unread[operation.key].append(transaction.name)
        for key in {*order, *unread}:
            values = order.get(key, ())
            writers = [writer.get((key, value)) for value in values]
            for one, other in zip(writers, writers[1:]):
                self._add("ww", one, other, key)
            for late in unread[key]:
                if writers:
                    self._add("ww", writers[-1], late, key)
        positions = {key: {value: at for at, value in enumerate(values)} for key, values in order.items()}
        for transaction in transactions:
            own = set()  # keys it has appended to before the read: such a read is of its own version
            for operation in transaction.operations:
                if isinstance(operation, Append):
                    own.add(operation.key)
                    continue
                key, values = operation.key, operation.values
                if key in own:
                    # What it read of others lies before its own.
                    values = tuple(v for v in values if writer.get((key, v)) != transaction.name)
                if values:
                    self._add("wr", writer.get((key, values[-1])), transaction.name, key)
                at = positions.get(key, {}).get(values[-1], -1) + 1 if values else 0
                if at < len(order.get(key, ())):
                    self._add("rw", transaction.name, writer.get((key, order[key][at])), key)
                else:
                    for late in unread[key]:
                        self._add("rw", transaction.name, late, key)
        self._real_time()

    def _add(self, kind, one, other, key):
        if one is not None and other is not None and one != other:
            self.edges[kind][one].setdefault(other, key)

    def _real_time(self):
        answered = sorted((t.end, repr(t.name), t.name) for t in self.transactions.values() if t.outcome is Outcome.committed)
        moments = [end for end, _, _ in answered]
        for number, (_, _, name) in enumerate(answered):
            self.edges["rt"][name][("answer", number)] = None
            if number:
                self.edges["rt"][("answer", number - 1)][("answer", number)] = None
        for transaction in self.transactions.values():
            before = bisect.bisect_left(moments, transaction.begin)
            if before:
                self.edges["rt"][("answer", before - 1)][transaction.name] = None

    def nodes(self):
        seen = dict.fromkeys(self.transactions)
        for edges in self.edges.values():
            seen.update(dict.fromkeys(edges))
        return list(seen)

    def successors(self, kinds, inside=None):
        def of(node):
            for kind in kinds:
                for other in self.edges[kind].get(node, ()):
                    if inside is None or other in inside:
                        yield other
        return of

    def kind_of(self, one, other, kinds):
        """The first of `kinds` that leads from one to the other, and over which key."""
        for kind in kinds:
            if other in self.edges[kind].get(one, ()):
                return kind, self.edges[kind][one][other]
        raise KeyError((one, other))
