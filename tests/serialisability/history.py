"""What clients of a list-append workload saw: transactions that append unique values to lists and read whole lists."""
import dataclasses
import enum


class Outcome(enum.Enum):
    committed = "committed"
    aborted = "aborted"    # surely had no effect
    unknown = "unknown"    # COMMIT was sent, its answer never came


@dataclasses.dataclass(frozen=True)
class Append:
    key: object
    value: object


@dataclasses.dataclass(frozen=True)
class Read:
    key: object
    values: tuple  # the whole list, as it was


@dataclasses.dataclass(frozen=True)
class Transaction:
    """`begin`: a moment before its first statement was sent; `end`: a moment after its COMMIT was answered (meaningless unless it was).
    Both on one clock. No value is ever appended twice to a key, in the whole history."""
    name: object
    begin: float
    end: float
    outcome: Outcome
    operations: tuple

    def appends(self, key):
        return [o.value for o in self.operations if isinstance(o, Append) and o.key == key]

    def __str__(self):
        words = [f"{o.key}+{o.value}" if isinstance(o, Append) else f"{o.key}=[{','.join(map(str, o.values))}]" for o in self.operations]
        return f"T{self.name}({' '.join(words)})" + ("" if self.outcome is Outcome.committed else f" {self.outcome.value}")


@dataclasses.dataclass(frozen=True)
class Anomaly:
    kind: str
    what: str

    def __str__(self):
        return f"{self.kind}: {self.what}"
