"""What the safekeepers of one branch hold on their disks: the same bytes up to what is committed, readable by Postgres's own program."""
import os
import re
import subprocess

from . import wait
from .account import BINDIR

SEGMENT_BYTES = 16 << 20


def lsn(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def lsn_text(value):
    return f"{value >> 32:X}/{value & 0xFFFFFFFF:X}"


def segment_name(position):
    number = position // SEGMENT_BYTES
    return f"00000001{number >> 8:08X}{number & 0xFF:08X}"


class BranchLogs:
    """`members`: by name, (AdminClient, directory of the branch's segments) of each safekeeper."""

    def __init__(self, project, branch, members):
        self.path = f"/v1/branches/{project}/{branch}"
        self.members = members

    def positions(self):
        return {name: admin.get(self.path) for name, (admin, _) in self.members.items()}

    def settled(self, timeout=60):
        """Waits until all have the same log in the same term and know it as committed: for a time when nobody writes.
        The positions then."""
        def same():
            positions = self.positions()
            seen = {(p["term"], p["last_term"], p["end_lsn"], p["commit_lsn"]) for p in positions.values()}
            return positions if len(seen) == 1 and len({p["end_lsn"] for p in positions.values()} | {
                p["commit_lsn"] for p in positions.values()}) == 1 else None
        return wait.until(same, timeout, "the safekeepers to have the same committed log")

    def check(self, positions=None):
        """No two histories: terms begin at one place, the bytes are equal up to the highest commit LSN that any knows, as far as each
        log goes, and pg_waldump reads them to that end. Gives how many bytes were compared on each."""
        positions = positions or self.positions()
        begins = {}
        for name, position in positions.items():
            for entry in position["history"]:
                begin = begins.setdefault(entry["term"], entry["begin_lsn"])
                assert begin == entry["begin_lsn"], f"term {entry['term']} begins at {begin} and, on {name}, at {entry['begin_lsn']}"
        committed = max(lsn(p["commit_lsn"]) for p in positions.values())
        while True:
            first = self._first_on_all(positions)
            try:
                return self._check_from(first, committed, positions)
            except (AssertionError, FileNotFoundError):
                # A segment that the pageserver has may go while it is being read: only then is there another look, at less.
                if self._first_on_all(positions) == first:
                    raise

    def _check_from(self, first, committed, positions):
        compared = {}
        reference = None
        for name, position in sorted(positions.items(), key=lambda item: -lsn(item[1]["end_lsn"])):
            end = min(committed, lsn(position["end_lsn"]))
            assert end > first, f"{name} has nothing"
            if reference is None:
                reference, reference_end = name, end
            self._compare(reference, name, first, min(end, reference_end))
            self._dump(name, max(first, lsn(position["start_lsn"])), end)
            compared[name] = end - first
        return compared

    def _first_on_all(self, positions):
        return max(self._first(name, position) for name, position in positions.items())

    def _first(self, name, position):
        """Where the first segment that is there begins (those that are no longer needed may be gone), but not before the branch."""
        directory = self.members[name][1]
        present = sorted(f for f in os.listdir(directory) if re.fullmatch("[0-9A-F]{24}", f))
        assert present, f"{name} has no segment"
        number = int(present[0][8:16], 16) << 8 | int(present[0][16:], 16)
        return max(number * SEGMENT_BYTES, lsn(position["start_lsn"]))

    def _compare(self, reference, name, begin, end):
        for at, piece in self._pieces(reference, begin, end):
            for _, other in self._pieces(name, at, at + len(piece)):
                assert piece == other, f"{reference} and {name} differ between {lsn_text(at)} and {lsn_text(at + len(piece))}"

    def _pieces(self, name, begin, end):
        while begin < end:
            offset = begin % SEGMENT_BYTES
            length = min(end - begin, SEGMENT_BYTES - offset)
            with open(self.members[name][1] / segment_name(begin), "rb") as file:
                file.seek(offset)
                piece = file.read(length)
            assert len(piece) == length, f"{name}: segment {segment_name(begin)} is short"
            yield begin, piece
            begin += length

    def _dump(self, name, begin, end):
        done = subprocess.run([BINDIR / "pg_waldump", "-q", "-p", self.members[name][1], "-s", lsn_text(begin), "-e", lsn_text(end)],
                              capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
        assert done.returncode == 0, f"pg_waldump on {name}: {done.stderr}"


def logs_of(system, branch="main"):
    """BranchLogs of a BoughSystem."""
    project, branch_id = system.project_id(), system.branch_id(branch)
    return BranchLogs(project, branch_id, {
        f"sk{i}": (system.admin(f"safekeeper-sk{i}"), system.data_dir / "safekeepers" / f"sk{i}" / "branches" / project / branch_id)
        for i in range(1, system.safekeepers + 1)})
