"""A compute whose manifest or presence file is not what it must be does not start, and says why."""
import os
import struct

import pytest

from compute_directory import ENTRY, HEADER, base_forks, crc32c, manifest


def sealed(header, entries):
    fields = list(HEADER.unpack(header))
    fields[5] = 0
    fields[5] = crc32c(HEADER.pack(*fields) + entries)
    return HEADER.pack(*fields) + entries


def with_header(index, value):
    def change(whole):
        fields = list(HEADER.unpack(whole[:HEADER.size]))
        fields[index] = value
        return sealed(HEADER.pack(*fields), whole[HEADER.size:])
    return change


def swapped(whole):
    """The first two entries' names in the wrong order; their numbers still add up."""
    first, second = whole[HEADER.size:HEADER.size + ENTRY.size], whole[HEADER.size + ENTRY.size:HEADER.size + 2 * ENTRY.size]
    return sealed(whole[:HEADER.size], second[:16] + first[16:] + first[:16] + second[16:] + whole[HEADER.size + 2 * ENTRY.size:])


def with_entry(field, value):
    def change(whole):
        fields = list(ENTRY.unpack(whole[HEADER.size:HEADER.size + ENTRY.size]))
        fields[field] = value
        return sealed(whole[:HEADER.size], ENTRY.pack(*fields) + whole[HEADER.size + ENTRY.size:])
    return change


BAD_MANIFESTS = {
    'empty': (lambda whole: b'', 'it is too short'),
    'cut header': (lambda whole: whole[:20], 'it is too short'),
    'magic': (with_header(0, 5), 'it does not begin like one'),
    'version': (with_header(1, 9), 'its version is 9, this library knows 1'),
    'cut': (lambda whole: whole[:-1], 'its length does not fit its number of entries'),
    'longer': (lambda whole: whole + b'x', 'its length does not fit its number of entries'),
    'entry count': (with_header(2, 0xFFFFFFFF), 'its length does not fit its number of entries'),
    'bit flip': (lambda whole: whole[:100] + bytes([whole[100] ^ 4]) + whole[101:], 'its checksum is wrong'),
    'order': (swapped, 'its entries are not in order'),
    'fork': (with_entry(3, 4), 'it has an impossible entry'),
    'blocks': (with_entry(4, 0xFFFFFFFF), 'it has an impossible entry'),
    'block number': (with_entry(6, 1), 'its block numbers do not add up'),
    'block count': (with_header(3, 12), 'its number of blocks does not add up'),
    'LSN': (with_header(4, 12), 'it is of LSN 0/C, but "bough.start_lsn" is '),
}


@pytest.mark.parametrize('kind', BAD_MANIFESTS)
def test_manifest_that_is_not_right_is_refused(new_compute, kind):
    change, message = BAD_MANIFESTS[kind]
    compute = new_compute()
    path = f'{compute.directory}/bough/manifest'
    with open(path, 'rb') as file:
        whole = file.read()
    with open(path, 'wb') as file:
        file.write(change(whole))
    assert not compute.start(check=False)
    assert 'FATAL:  file "bough/manifest" is not a manifest that this compute can use: ' + message in compute.log()


def test_missing_manifest_is_refused(new_compute):
    compute = new_compute()
    os.unlink(f'{compute.directory}/bough/manifest')
    assert not compute.start(check=False)
    assert 'could not open file "bough/manifest": No such file or directory' in compute.log()


def test_presence_of_another_manifest_is_refused(compute):
    compute.stop()
    forks = base_forks(compute.source.directory)
    with open(f'{compute.directory}/bough/manifest', 'wb') as file:
        file.write(manifest(forks, compute.start_lsn - 8))
    low = compute.start_lsn - 8
    assert not compute.start(check=False, **{'bough.start_lsn': f'{low >> 32:X}/{low & 0xFFFFFFFF:X}'})
    assert 'file "bough/presence" belongs to another manifest' in compute.log()


def test_presence_of_the_wrong_length_is_refused(compute):
    compute.stop()
    with open(f'{compute.directory}/bough/presence', 'ab') as file:
        file.write(b'x')
    assert not compute.start(check=False)
    assert 'file "bough/presence" does not have the length that the manifest asks for' in compute.log()


def test_local_pages_without_their_presence_are_not_trusted(compute):
    compute.dump()
    compute.stop()
    os.unlink(f'{compute.directory}/bough/presence')
    compute.start()
    with pytest.raises(Exception, match='has data, although no page of it was fetched'):
        compute.rows('SELECT count(*) FROM accounts')


def test_malformed_start_lsn_is_refused(new_compute):
    compute = new_compute()
    assert not compute.start(check=False, **{'bough.start_lsn': 'yesterday'})
    assert 'invalid value for parameter "bough.start_lsn": "yesterday"' in compute.log()


@pytest.mark.parametrize('value', ['0', '129'])
def test_settings_have_ranges(compute, value):
    with pytest.raises(Exception, match='is outside the valid range for parameter "bough.readahead"'):
        compute.rows(f'SET bough.readahead = {value}')
    assert struct.calcsize('<QIIQQII') == 40
