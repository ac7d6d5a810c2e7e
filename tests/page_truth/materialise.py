"""An ordinary Postgres data directory made from what the pageserver has of a branch at the LSN where it begins: the basebackup's
small files, and every page of every relation through the page service. Stock Postgres can start archive recovery on it."""
import io
import os
import pathlib
import shutil
import struct
import tarfile

from support import branch_pages
from support.account import server_user
from support.crc32c import crc32c
from support.page_service import PAGE_BYTES, lsn_value

SEGMENT_BLOCKS = 131072  # of a relation file
CATALOG_VERSION = "PG_15_202209061"
FORK_SUFFIX = {0: "", 1: "_fsm", 2: "_vm", 3: "_init"}
DIRECTORIES = ["base", "global", "pg_commit_ts", "pg_dynshmem", "pg_logical", "pg_logical/mappings", "pg_logical/snapshots", "pg_multixact",
               "pg_multixact/members", "pg_multixact/offsets", "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat",
               "pg_stat_tmp", "pg_subtrans", "pg_tblspc", "pg_twophase", "pg_wal", "pg_wal/archive_status", "pg_xact"]


def relation_directory(tablespace, database):
    if tablespace == 1664:
        return "global"
    if tablespace == 1663:
        return f"base/{database}"
    return f"pg_tblspc/{tablespace}/{CATALOG_VERSION}/{database}"


def relation_path(tablespace, database, relation, fork):
    return f"{relation_directory(tablespace, database)}/{relation}{FORK_SUFFIX[fork]}"


def materialise(system, branch, begin, directory, segment):
    """Fills `directory` (empty, of server_user()) with the branch at `begin`. `segment` is the safekeeper's WAL segment that holds
    the first compute's checkpoint there: the control file is pointed at it."""
    directory = pathlib.Path(directory)
    project, branch_id = system.project_id(), system.branch_id(branch)
    pageserver = system.admin("pageserver")
    described = pageserver.get(f"/v1/projects/{project}/branches/{branch_id}")
    assert described["lsn"] == begin, (described, begin)
    archive = pageserver.bytes(f"/v1/projects/{project}/branches/{branch_id}/basebackup?lsn={begin}&prev_lsn={described['prev_lsn']}")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            path = directory / member.name
            assert not member.name.startswith(("/", "..")), member.name
            if member.isdir():
                path.mkdir(parents=True, exist_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(tar.extractfile(member).read())
    for name in DIRECTORIES:
        (directory / name).mkdir(parents=True, exist_ok=True)
    pages = _relations(system, branch, begin, directory)
    for path in (directory / "pg_wal").iterdir():
        if path.is_file():
            path.unlink()
    _point_control_file(directory / "global" / "pg_control", begin, segment)
    shutil.rmtree(directory / "bough", ignore_errors=True)
    user = server_user()
    for path in [directory, *directory.rglob("*")]:
        os.chown(path, user.pw_uid, user.pw_gid)
        path.chmod(0o700 if path.is_dir() else 0o600)
    return pages


def _relations(system, branch, begin, directory):
    count = 0
    with branch_pages.page_service(system, branch) as service:
        for (tablespace, database, relation, fork), blocks in branch_pages.relations(system, branch, begin).items():
            path = directory / relation_path(tablespace, database, relation, fork)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            for first, data in service.fork(tablespace, database, relation, fork, blocks, lsn_value(begin)):
                at = 0
                while at < len(data):  # a batch may cross from one segment file to the next
                    block = first + at // PAGE_BYTES
                    number, within = divmod(block, SEGMENT_BLOCKS)
                    size = min(len(data) - at, (SEGMENT_BLOCKS - within) * PAGE_BYTES)
                    with open(f"{path}.{number}" if number else path, "ab") as file:
                        assert file.tell() == within * PAGE_BYTES
                        file.write(data[at:at + size])
                    at += size
                    count += size // PAGE_BYTES
    return count


CHECKPOINT_BYTES = 88
_STATE, _CHECKPOINT, _COPY, _CRC = 16, 32, 40, 288
SHUT_DOWN = 1


def _point_control_file(path, begin, segment):
    """State "shut down", at the checkpoint record that lies at `begin` in the log."""
    control = bytearray(path.read_bytes())
    position = lsn_value(begin)
    header = 40 if position % (16 << 20) == 0 else 24 if position % PAGE_BYTES == 0 else 0
    record = _record_at(segment, position % (16 << 20) + header, 24 + 2 + CHECKPOINT_BYTES)
    assert record[16] in (0x00, 0x10) and record[17] == 0, f"no checkpoint record at {begin}: {record[:26].hex()}"
    assert record[24:26] == bytes([255, CHECKPOINT_BYTES])
    checkpoint = record[26:]
    assert struct.unpack_from("<Q", checkpoint)[0] == position + header, "its redo point is not itself"
    # Postgres 15 keeps the sum right after the fields; everything up to there must agree with it as the pageserver gave it.
    assert struct.unpack_from("<I", control, _CRC)[0] == crc32c(control[:_CRC]), "pg_control's checksum is wrong"
    struct.pack_into("<I", control, _STATE, SHUT_DOWN)
    struct.pack_into("<Q", control, _CHECKPOINT, position + header)
    control[_COPY:_COPY + CHECKPOINT_BYTES] = checkpoint
    struct.pack_into("<I", control, _CRC, crc32c(control[:_CRC]))
    path.write_bytes(control)


def _record_at(segment, offset, length):
    """`length` bytes of a record in a segment file, page headers left out."""
    data, record = pathlib.Path(segment).read_bytes(), b""
    while len(record) < length:
        room = PAGE_BYTES - offset % PAGE_BYTES
        take = min(room, length - len(record))
        record += data[offset:offset + take]
        offset += take
        if offset % PAGE_BYTES == 0:
            offset += 24
    return record
