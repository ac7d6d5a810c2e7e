"""The pages of a running compute against the pageserver's: what backends see, and what storage would rebuild of it.

Redo is known to leave two kinds of page different from the server that wrote the log, in stock Postgres as well: sequences (values
are logged 32 ahead) and SP-GiST metapages (an unlogged cache of pages with room). A third is that CREATE DATABASE logs the pages
it copies as standard ones, whose middle is free space: of a copied visibility map that leaves nothing, so that redo has fewer
blocks as all-visible than the server, never more. And a page that was allocated but never used (the relation grew, nothing was
logged) is zeros in storage and an initialised page without content in the server. All four are counted, and checked for just that.
"""
import struct

from support import branch_pages
from support.page_service import PAGE_BYTES, lsn_value

from .pages import Comparison, Difference, is_spgist_metapage, kind_of

RELATIONS = """
select c.oid, pg_relation_filenode(c.oid), coalesce(nullif(c.reltablespace, 0), (select dattablespace from pg_database where datname = current_database())),
       case when c.relisshared then 0 else (select oid from pg_database where datname = current_database()) end,
       quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind, s.seqincrement
from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_sequence s on s.seqrelid = c.oid
where c.relkind in ('r', 'i', 't', 'm', 'S') and c.relpersistence = 'p' and pg_relation_filenode(c.oid) is not null order by c.oid"""


VISIBILITY_FORK = 2


class WarmComparison:
    def __init__(self, system, branch, masker):
        self.system, self.branch, self.masker = system, branch, masker
        self.result = Comparison()
        self.sequences, self.metapages, self.copied_maps, self.unused = [], [], [], []

    def run(self):
        databases = [row[0] for row in self.system.sql("select datname from pg_database where datallowconn order by 1", self.branch, superuser=True)]
        for number, database in enumerate(databases):
            with self.system.connect(self.branch, superuser=True, database=database) as connection:
                connection.execute("create extension if not exists pageinspect")
                self._database(connection, database, with_shared=number == 0)
        return self

    def _database(self, connection, database, with_shared):
        with branch_pages.page_service(self.system, self.branch) as service:
            for oid, node, tablespace, database_oid, name, kind, increment in connection.execute(RELATIONS).fetchall():
                if database_oid == 0 and not with_shared:
                    continue
                for fork, fork_name in ((0, "main"), (2, "vm")):
                    blocks = connection.execute("select pg_relation_size(%s, %s) / 8192", (oid, fork_name)).fetchone()[0]
                    for block in range(blocks):
                        self._page(connection, service, (tablespace, database_oid, node, fork, block), name, fork_name, increment,
                                   f"{database}.{name}")

    def _page(self, connection, service, tag, name, fork_name, increment, where):
        # Reading catalogs may prune their pages, and that record may not have left the server yet: then, after a commit, both
        # are read again.
        for attempt in range(6):
            if attempt > 0:
                connection.execute("select pg_logical_emit_message(true, 'page_truth', '')")
            warm = bytes(connection.execute("select get_raw_page(%s, %s, %s)", (name, fork_name, tag[4]), binary=True).fetchone()[0])
            lsn = connection.execute("select pg_current_wal_flush_lsn()::text").fetchone()[0]
            cold = self._cold(service, tag, lsn)
            one = Comparison()
            # Page LSNs are compared by stock replay; a few index builds leave other ones on the server that built.
            one.page(tag, warm, cold, self.masker, compare_lsn=False)
            if not one.differences or self._known(tag, warm, cold, increment, where):
                one.differences = []
                break
        self.result.add(one)

    def _cold(self, service, tag, lsn):
        from support.page_service import AT_LEAST
        return service.read(tag, 1, lsn_value(lsn), mode=AT_LEAST)

    def _known(self, tag, warm, cold, increment, where):
        kind = kind_of(warm, tag[3])
        if not any(cold) and is_without_content(warm):
            self.unused.append(where)
            return True
        if kind == "Sequence":
            if not sequence_is_ahead(warm, cold, increment):
                return False
            self.sequences.append(where)
            return True
        if tag[3] == VISIBILITY_FORK:
            if not fewer_bits_only(warm, cold):
                return False
            self.copied_maps.append(where)
            return True
        if kind == "SPGist" and tag[4] == 0 and is_spgist_metapage(warm):
            if not metapage_cache_only(warm, cold):
                return False
            self.metapages.append(where)
            return True
        return False


def is_without_content(page):
    """No line pointers, and nothing between the header and the special area."""
    lower, _, special = struct.unpack_from("<HHH", page, 12)
    return lower == 24 and not any(page[24:special])


def fewer_bits_only(warm, cold):
    """Every bit of the rebuilt map is set in the server's, too. (The headers agree.)"""
    return warm[8:24] == cold[8:24] and all(rebuilt & ~there == 0 for there, rebuilt in zip(warm[24:], cold[24:]))


def _sequence_tuple(page):
    pointer = struct.unpack_from("<I", page, 24)[0]
    offset = pointer & 0x7FFF
    header = page[offset + 22]
    return offset + header, struct.unpack_from("<qqB", page, offset + header)


def sequence_is_ahead(warm, cold, increment):
    """Only the values differ, and the rebuilt one says exactly the value that was logged ahead."""
    at, (value, ahead, called) = _sequence_tuple(warm)
    at_cold, (logged, left, called_cold) = _sequence_tuple(cold)
    if at != at_cold or increment is None or not _same_but(warm, cold, slice(at, at + 17)):
        return False
    return called_cold == 1 and called == 1 and left == 0 and logged == value + increment * ahead


def _same_but(warm, cold, part):
    """Equal except in `part`, the page LSN and the checksum."""
    a, b = bytearray(warm), bytearray(cold)
    for page in (a, b):
        page[part] = bytes(part.stop - part.start)
        page[:10] = bytes(10)
    return a == b


def metapage_cache_only(warm, cold):
    """After the page header: a magic number, then 8 pairs (block, free space) that are the cache."""
    return _same_but(warm, cold, slice(24 + 4, 24 + 4 + 64))


__all__ = ["WarmComparison", "Difference", "PAGE_BYTES"]
