"""All pages of a branch at an LSN, as the pageserver gives them."""
import hashlib

from . import layout
from .page_service import PAGE_BYTES, PageService, lsn_value

FORKS = {"main": 0, "fsm": 1, "vm": 2, "init": 3}


def relations(system, branch, lsn):
    """(tablespace, database, relation, fork) -> blocks, as the branch has them at `lsn`."""
    path = f"/v1/projects/{system.project_id()}/branches/{system.branch_id(branch)}/relations?lsn={lsn}"
    rows = system.admin("pageserver").get(path)
    found = {}
    for row in rows:
        fork = row["fork"] if isinstance(row["fork"], int) else FORKS[row["fork"]]
        key = (row["tablespace"], row["database"], row["relation"], fork)
        assert key not in found, f"listed twice: {key}"
        found[key] = row["blocks"]
    return found


def page_service(system, branch):
    return PageService(layout.page_socket(system.data_dir), system.project_id(), system.branch_id(branch))


def pages(system, branch, lsn, forks=(0, 1, 2, 3)):
    """Yields ((tablespace, database, relation, fork, block), page) for every page of the branch at `lsn`."""
    with page_service(system, branch) as service:
        for (tablespace, database, relation, fork), blocks in sorted(relations(system, branch, lsn).items()):
            if fork not in forks:
                continue
            for first, data in service.fork(tablespace, database, relation, fork, blocks, lsn_value(lsn)):
                for at in range(0, len(data), PAGE_BYTES):
                    yield (tablespace, database, relation, fork, first + at // PAGE_BYTES), data[at:at + PAGE_BYTES]


def page_digests(system, branch, lsn):
    """Page tag -> digest, of every page of the branch at `lsn`."""
    return {tag: hashlib.blake2b(page, digest_size=16).digest() for tag, page in pages(system, branch, lsn)}
