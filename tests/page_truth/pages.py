"""Telling pages apart by what they are, masking them as Postgres does, and comparing two sides' pages of a whole branch."""
import collections
import pathlib
import re
import struct

from support import branch_pages
from support.page_service import PAGE_BYTES, lsn_text, lsn_value

from .materialise import CATALOG_VERSION, SEGMENT_BLOCKS

RESOURCE_MANAGERS = {"Heap": 10, "Btree": 11, "Hash": 12, "Gin": 13, "Gist": 14, "Sequence": 15, "SPGist": 16, "BRIN": 17}
ZERO_PAGE = bytes(PAGE_BYTES)


def kind_of(page, fork):
    """The resource manager whose page this is (by its special area), "visibility map" or "zero"."""
    if fork == 2:
        return "visibility map"
    if page == ZERO_PAGE:
        return "zero"
    special = struct.unpack_from("<H", page, 16)[0]
    size, last = PAGE_BYTES - special, struct.unpack_from("<H", page, PAGE_BYTES - 2)[0]
    if size == 0:
        return "Heap"
    if size == 8:
        if struct.unpack_from("<I", page, special)[0] == 0x1717:
            return "Sequence"
        if last in (0xF091, 0xF092, 0xF093):
            return "BRIN"
        return "SPGist" if last == 0xFF82 else "Gin"
    if size == 16:
        return {0xFF80: "Hash", 0xFF81: "Gist"}.get(last, "Btree")
    return "other"


def page_lsn(page):
    high, low = struct.unpack_from("<II", page)
    return lsn_text(high << 32 | low)


def is_spgist_metapage(page):
    return kind_of(page, 0) == "SPGist" and struct.unpack_from("<H", page, struct.unpack_from("<H", page, 16)[0])[0] & 1 == 1


class Masker:
    """A stock server with page_mask()."""

    def __init__(self, server, library):
        self._connection = server.connect("postgres")
        self._connection.execute("create or replace function page_mask(int, bigint, bytea) returns bytea language c strict "
                                 f"as '{library}', 'page_mask'")

    def mask(self, kind, block, page):
        if kind not in RESOURCE_MANAGERS:
            return page
        row = self._connection.execute("select page_mask(%s, %s, %s)", (RESOURCE_MANAGERS[kind], block, page), binary=True).fetchone()
        return bytes(row[0])


class Difference:
    def __init__(self, tag, kind, theirs, ours, reason):
        self.tag, self.kind, self.theirs, self.ours, self.reason = tag, kind, theirs, ours, reason

    def __repr__(self):
        tablespace, database, relation, fork, block = self.tag
        at = next((i for i, (a, b) in enumerate(zip(self.theirs, self.ours)) if a != b), None)
        return (f"{tablespace}/{database}/{relation} fork {fork} block {block} ({self.kind}): {self.reason}; first different byte {at}, "
                f"page LSN {page_lsn(self.theirs)} in stock, {page_lsn(self.ours)} in Bough")


class Comparison:
    """Counts and differences of one comparison."""

    def __init__(self):
        self.pages = collections.Counter()      # kind -> pages compared
        self.identical = collections.Counter()  # kind -> of these, equal byte for byte without any mask
        self.differences = []

    def page(self, tag, theirs, ours, masker, compare_lsn=True):
        kind = kind_of(theirs, tag[3])
        self.pages[kind] += 1
        if theirs == ours:
            self.identical[kind] += 1
            return
        if compare_lsn and theirs[:8] != ours[:8]:
            self.differences.append(Difference(tag, kind, theirs, ours, "page LSNs differ"))
            return
        a, b = masker.mask(kind, tag[4], theirs), masker.mask(kind, tag[4], ours)
        if a != b:
            self.differences.append(Difference(tag, kind, a, b, "contents differ under the mask"))

    def total(self):
        return sum(self.pages.values())

    def table(self):
        rows = [f"{'resource manager':<18}{'pages':>10}{'identical':>12}"]
        rows += [f"{kind:<18}{count:>10}{self.identical[kind]:>12}" for kind, count in sorted(self.pages.items())]
        rows.append(f"{'total':<18}{self.total():>10}{sum(self.identical.values()):>12}")
        return "\n".join(rows)

    def add(self, other):
        self.pages.update(other.pages)
        self.identical.update(other.identical)
        self.differences += other.differences


_FILE = re.compile(r"^(\d+)(?:_(fsm|vm|init))?(?:\.(\d+))?$")
_FORKS = {None: 0, "fsm": 1, "vm": 2, "init": 3}


def files_of(data_dir):
    """(tablespace, database, relation, fork) -> its files in order, of a data directory. Main forks of unlogged relations are left
    out: replay makes none, and a server that ended recovery has copied them from the init forks."""
    data_dir = pathlib.Path(data_dir)
    directories = [(data_dir / "global", 1664, 0)]
    directories += [(path, 1663, int(path.name)) for path in (data_dir / "base").iterdir() if path.name.isdigit()]
    for tablespace in (data_dir / "pg_tblspc").iterdir():
        inner = tablespace / CATALOG_VERSION
        if tablespace.name.isdigit() and inner.is_dir():
            directories += [(path, int(tablespace.name), int(path.name)) for path in inner.iterdir() if path.name.isdigit()]
    found = collections.defaultdict(list)
    for directory, tablespace, database in directories:
        for path in directory.iterdir():
            match = _FILE.match(path.name)
            if match:
                key = (tablespace, database, int(match.group(1)), _FORKS[match.group(2)])
                found[key].append((int(match.group(3) or 0), path))
    unlogged = {key[:3] for key in found if key[3] == 3}
    return {key: [path for _, path in sorted(files)] for key, files in found.items() if key[3] == 3 or key[:3] not in unlogged}


def read_fork(files):
    data = b"".join(path.read_bytes() for path in files)
    assert all(path.stat().st_size == SEGMENT_BLOCKS * PAGE_BYTES for path in files[:-1]), files
    assert len(data) % PAGE_BYTES == 0, files
    return data


def compare_branch(system, branch, lsn, data_dir, masker, forks=(0, 2)):
    """Every page of `forks` of every relation: the files of a stock server's data directory against the pageserver's branch at
    `lsn` (a number). Both must have the same relations, of the same lengths."""
    result = Comparison()
    ours = {key: blocks for key, blocks in branch_pages.relations(system, branch, lsn_text(lsn)).items()}
    unlogged = {key[:3] for key in ours if key[3] == 3}
    ours = {key: blocks for key, blocks in ours.items() if key[3] in forks and key[:3] not in unlogged}
    theirs = {key: files for key, files in files_of(data_dir).items() if key[3] in forks}
    unlogged_there = {key[:3] for key in files_of(data_dir) if key[3] == 3}
    theirs = {key: files for key, files in theirs.items() if key[:3] not in unlogged_there}
    problems = []
    for key in sorted(set(ours) ^ set(theirs)):
        where = "only in Bough" if key in ours else "only in stock"
        problems.append(f"{key} at {lsn_text(lsn)} is {where}")
    with branch_pages.page_service(system, branch) as service:
        for key in sorted(set(ours) & set(theirs)):
            data, blocks = read_fork(theirs[key]), ours[key]
            if len(data) != blocks * PAGE_BYTES:
                problems.append(f"{key} at {lsn_text(lsn)} has {len(data) // PAGE_BYTES} blocks in stock, {blocks} in Bough")
                blocks = min(blocks, len(data) // PAGE_BYTES)
            for first, batch in service.fork(*key, blocks, lsn):
                expected = data[first * PAGE_BYTES:first * PAGE_BYTES + len(batch)]
                for at in range(0, len(batch), PAGE_BYTES):
                    result.page((*key, first + at // PAGE_BYTES), expected[at:at + PAGE_BYTES], batch[at:at + PAGE_BYTES], masker)
    return result, problems


def find_library(build):
    path = pathlib.Path(build) / "tests" / "page_truth.so"
    assert path.exists(), f"{path} is not built"
    return path


__all__ = ["Comparison", "Masker", "compare_branch", "find_library", "is_spgist_metapage", "kind_of", "lsn_value", "page_lsn"]
