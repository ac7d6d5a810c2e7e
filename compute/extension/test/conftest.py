"""One stopped source cluster for the whole run, and for each test computes made from it."""
import itertools
import os
import shutil
import tempfile

import pytest

from cluster import ACCOUNT, LIBRARY, Cluster, make_directory
from compute_directory import lsn_text, make_compute_directory
from page_server import PageServer
from workload import make_source

STATS = '''CREATE FUNCTION bough_stats(OUT pages_fetched bigint, OUT pages_discarded bigint, OUT requests bigint,
    OUT readahead_pages bigint, OUT readahead_hits bigint, OUT waits bigint, OUT wait_microseconds bigint,
    OUT connections bigint, OUT failures bigint, OUT files_made bigint)
    RETURNS record AS '{library}', 'bough_stats' LANGUAGE C'''


@pytest.fixture(scope='session')
def home():
    path = tempfile.mkdtemp(prefix='bough-ext-')
    shutil.chown(path, ACCOUNT)
    os.chmod(path, 0o755)
    library = shutil.copy(LIBRARY, f'{path}/bough.so')      # where the server's account can read it
    os.chmod(library, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope='session')
def source(home):
    """Stopped; `source.dump_text` is what it held."""
    cluster = Cluster(f'{home}/source', home, 6501)
    make_source(cluster)
    yield cluster


class Compute(Cluster):
    def __init__(self, home, source, number):
        super().__init__(f'{home}/compute{number}', home, 6600 + number)
        self.source = source
        self.library = f'{home}/bough.so'
        self.start_lsn = make_compute_directory(source.directory, self.directory)
        self.pageserver = PageServer(source.directory, f'{home}/pages{number}', 'acme', 'main', self.start_lsn)
        self.pageserver.start()
        self.settings = {
            'shared_preload_libraries': self.library,
            'full_page_writes': 'off',
            'restart_after_crash': 'off',
            'allow_in_place_tablespaces': 'on',
            'bough.pageserver': f'unix:{self.pageserver.path}',
            'bough.project': 'acme',
            'bough.branch': 'main',
            'bough.start_lsn': lsn_text(self.start_lsn),
        }

    def stats(self):
        connection = self.connect('template1')
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regproc('bough_stats')")
            if cursor.fetchone()[0] is None:
                cursor.execute(STATS.format(library=self.library))
            cursor.execute('SELECT * FROM bough_stats()')
            names = [column[0] for column in cursor.description]
            values = dict(zip(names, cursor.fetchone()))
        connection.close()
        return values


@pytest.fixture
def new_compute(home, source):
    """Makes computes; they and their page servers go when the test ends."""
    made = []

    def make():
        compute = Compute(home, source, next(NUMBERS))
        made.append(compute)
        return compute

    yield make
    for compute in made:
        if os.environ.get('BOUGH_KEEP'):
            continue
        compute.remove()
        compute.pageserver.close()


NUMBERS = itertools.count()


@pytest.fixture
def compute(new_compute):
    """A running one."""
    made = new_compute()
    made.start()
    return made
