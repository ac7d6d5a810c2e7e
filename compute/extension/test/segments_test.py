"""A fork longer than one file: its segments are made, filled, extended, cut off and removed."""
import glob
import os
import shutil

import pytest

from cluster import Cluster, run

SEGMENT_BLOCKS = 131072
TAIL_BLOCKS = 50


@pytest.fixture
def long_source(home, source):
    """The source, with `shrunk` grown by pages that are all zero, as a crash in mid-extension would leave them. Costs no space."""
    directory = f'{home}/long_source'
    run(['cp', '-r', source.directory, directory])
    cluster = Cluster(directory, home, 6503)
    cluster.start(allow_in_place_tablespaces='on')
    path = cluster.value("SELECT pg_relation_filepath('shrunk')")
    cluster.stop()
    os.truncate(f'{directory}/{path}', SEGMENT_BLOCKS * 8192)
    with open(f'{directory}/{path}.1', 'wb') as file:
        file.truncate(TAIL_BLOCKS * 8192)
    owner = os.stat(f'{directory}/{path}')
    os.chown(f'{directory}/{path}.1', owner.st_uid, owner.st_gid)
    cluster.path = path
    yield cluster
    shutil.rmtree(directory)


@pytest.fixture
def long_compute(home, long_source):
    from conftest import NUMBERS, Compute
    compute = Compute(home, long_source, next(NUMBERS))
    compute.start(autovacuum='off')
    yield compute
    compute.remove()
    compute.pageserver.close()


def sizes_of_files(compute):
    return {os.path.basename(path): os.path.getsize(path) for path in glob.glob(f'{compute.directory}/{compute.source.path}*')
            if '_' not in os.path.basename(path)}


def test_segments_are_made_at_their_length_and_filled(long_compute):
    name = os.path.basename(long_compute.source.path)
    assert long_compute.value("SELECT pg_relation_size('shrunk')") == (SEGMENT_BLOCKS + TAIL_BLOCKS) * 8192
    assert sizes_of_files(long_compute) == {name: SEGMENT_BLOCKS * 8192, f'{name}.1': TAIL_BLOCKS * 8192}
    assert long_compute.value(f"SELECT count(*) FROM shrunk WHERE ctid >= '({SEGMENT_BLOCKS - 70},0)'") == 0
    assert long_compute.value("SELECT count(*) FROM shrunk WHERE ctid < '(300,0)'") == 2000
    assert sum(os.stat(path).st_blocks for path in glob.glob(f'{long_compute.directory}/{long_compute.source.path}*')) * 512 < 20_000_000


def test_rows_go_to_the_last_segment_and_come_back(long_compute):
    long_compute.rows("INSERT INTO shrunk SELECT i, repeat('n', 400) FROM generate_series(10001, 16000) i")
    long_compute.rows('CHECKPOINT')
    long_compute.stop()
    long_compute.start(autovacuum='off')
    low = long_compute.value("SELECT count(*) FROM shrunk WHERE ctid < '(400,0)'")
    high = long_compute.value(f"SELECT count(*) FROM shrunk WHERE ctid >= '({SEGMENT_BLOCKS},0)'")
    assert low + high == 8000


def test_unlinked_segments_go_and_do_not_come_back(long_compute):
    long_compute.rows("SELECT count(*) FROM shrunk WHERE ctid < '(3,0)'")
    long_compute.rows('TRUNCATE shrunk')
    long_compute.rows('CHECKPOINT')
    assert sizes_of_files(long_compute) == {}
    long_compute.rows("INSERT INTO shrunk SELECT i, 'x' FROM generate_series(1, 100) i")
    assert long_compute.value('SELECT count(*) FROM shrunk') == 100
