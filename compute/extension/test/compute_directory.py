"""Makes a compute's data directory from the data directory of a cleanly stopped cluster, as a basebackup would: everything but the
relation files, which the manifest stands for. Run as a program:
    compute_directory.py SOURCE DESTINATION
"""
import os
import re
import shutil
import struct
import subprocess
import sys

BINDIR = os.environ.get('BOUGH_PG_BINDIR', '/usr/lib/postgresql/15/bin')
MANIFEST_MAGIC = 0x494E414D48474F42
HEADER = struct.Struct('<QIIQQII')
ENTRY = struct.Struct('<IIIIIIQ')
FORKS = {None: 0, 'fsm': 1, 'vm': 2, 'init': 3}
RELATION_FILE = re.compile(r'^(\d+)(?:_(fsm|vm|init))?(?:\.(\d+))?$')
PAGE_BYTES = 8192


def _crc32c_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


CRC32C_TABLE = _crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC32C_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def checkpoint_lsn(data_directory):
    output = subprocess.run([f'{BINDIR}/pg_controldata', data_directory], check=True, capture_output=True, text=True,
                            env={'LC_ALL': 'C'}).stdout
    high, low = re.search(r'Latest checkpoint location:\s+([0-9A-F]+)/([0-9A-F]+)', output).groups()
    return int(high, 16) << 32 | int(low, 16)


def lsn_text(lsn):
    return f'{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}'


def relation_directories(source):
    """(path below the data directory, tablespace, database) of each directory that holds relations."""
    yield 'global', 1664, 0
    for database in os.listdir(f'{source}/base'):
        if database.isdigit():
            yield f'base/{database}', 1663, int(database)
    for tablespace in os.listdir(f'{source}/pg_tblspc'):
        for version in os.listdir(f'{source}/pg_tblspc/{tablespace}'):
            for database in os.listdir(f'{source}/pg_tblspc/{tablespace}/{version}'):
                if database.isdigit():
                    yield f'pg_tblspc/{tablespace}/{version}/{database}', int(tablespace), int(database)


def base_forks(source):
    """{(tablespace, database, relation, fork): blocks}, without unlogged relations, which arrive as files."""
    forks = {}
    for directory, tablespace, database in relation_directories(source):
        names = os.listdir(f'{source}/{directory}')
        unlogged = {RELATION_FILE.match(name).group(1) for name in names if re.match(r'^\d+_init', name)}
        for name in names:
            match = RELATION_FILE.match(name)
            if match is None or match.group(1) in unlogged:
                continue
            key = tablespace, database, int(match.group(1)), FORKS[match.group(2)]
            blocks, rest = divmod(os.path.getsize(f'{source}/{directory}/{name}'), PAGE_BYTES)
            assert rest == 0, name
            forks[key] = forks.get(key, 0) + blocks
    return forks


def manifest(forks, lsn):
    entries, number = b'', 0
    for (tablespace, database, relation, fork), blocks in sorted(forks.items()):
        entries += ENTRY.pack(tablespace, database, relation, fork, blocks, 0, number)
        number += blocks
    def header(crc):
        return HEADER.pack(MANIFEST_MAGIC, 1, len(forks), number, lsn, crc, 0)
    return header(crc32c(header(0) + entries)) + entries


def make_compute_directory(source, destination):
    """Returns the start LSN. The destination is owned by whoever owns the source."""
    forks = base_forks(source)
    left_out = {directory: (tablespace, database) for directory, tablespace, database in relation_directories(source)}

    def ignore(directory, names):
        relative = os.path.relpath(directory, source)
        if relative not in left_out:
            return {name for name in names if name in ('postmaster.pid', 'log')}
        tablespace, database = left_out[relative]
        return {name for name in names if (match := RELATION_FILE.match(name)) is not None
                and (tablespace, database, int(match.group(1)), FORKS[match.group(2)]) in forks}

    shutil.copytree(source, destination, ignore=ignore, symlinks=False)
    lsn = checkpoint_lsn(source)
    os.mkdir(f'{destination}/bough')
    with open(f'{destination}/bough/manifest', 'wb') as file:
        file.write(manifest(forks, lsn))
    owner = os.stat(source)
    for directory, _, names in os.walk(destination):
        os.chmod(directory, 0o700)
        os.chown(directory, owner.st_uid, owner.st_gid)
        for name in names:
            os.chown(f'{directory}/{name}', owner.st_uid, owner.st_gid)
    return lsn


if __name__ == '__main__':
    print(lsn_text(make_compute_directory(*sys.argv[1:3])))
