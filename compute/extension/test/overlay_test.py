"""A compute shows what its branch holds, and goes on from there as stock Postgres would: each test that changes something makes
the same changes on a stock copy of the source and compares."""
import shutil

import pytest

from cluster import BINDIR, Cluster, run
from workload import sizes


@pytest.fixture
def twin(home, source):
    """A stock server on a full copy of the source."""
    directory = f'{home}/twin'
    run(['cp', '-r', source.directory, directory])
    cluster = Cluster(directory, home, 6502)
    cluster.start(allow_in_place_tablespaces='on', full_page_writes='off')
    yield cluster
    cluster.remove()


def on_both(compute, twin, *statements, database='postgres'):
    for statement in statements:
        twin.rows(statement, database)
        compute.rows(statement, database)


def assert_same(compute, twin):
    assert compute.dump() == twin.dump()
    compute.check_indexes()


def test_dump_of_a_fresh_compute_equals_the_source(compute):
    assert compute.dump() == compute.source.dump_text


def test_first_connection_fetches_few_pages(compute):
    assert compute.value('SELECT count(*) FROM pg_class') > 300
    assert compute.pageserver.pages < 400


def test_indexes_agree_with_heaps(compute):
    compute.check_indexes()


def test_sizes_are_right_before_files_exist(compute):
    assert sizes(compute) == compute.source.sizes


def test_database_and_tablespace_sizes_are_right_first(compute):
    expected = {name: size for name, size, _ in compute.source.sizes['databases']}
    # The cache that the first connection leaves is what one that was never connected to lacks.
    assert expected['second'] - compute.value("SELECT pg_database_size('second')") in range(0, 200_000)
    assert compute.value("SELECT pg_tablespace_size('pg_global')") > 500_000


def test_sizes_are_right_after_files_exist(compute):
    for database in ('postgres', 'second', 'settled'):
        compute.program('pg_dump', '-f', '/dev/null', database)
    assert sizes(compute) == compute.source.sizes


def test_sequential_scan_is_read_ahead(compute):
    compute.rows('SELECT count(*) FROM pg_class')
    before = compute.stats()
    assert compute.value('SELECT sum(length(filler)) FROM accounts') == 40000 * 60
    after = compute.stats()
    pages = compute.value("SELECT pg_relation_size('accounts') / 8192")
    assert after['pages_fetched'] - before['pages_fetched'] >= pages
    assert after['requests'] - before['requests'] < pages / 8
    assert after['readahead_hits'] - before['readahead_hits'] > pages * 0.9


@pytest.mark.parametrize('pages_per_row', [1, 20])
def test_parallel_scan_of_a_cold_table(compute, pages_per_row):
    relation = {1: 'accounts', 20: 'wide'}[pages_per_row]
    oid = compute.value(f"SELECT coalesce(nullif(reltoastrelid, 0), oid) FROM pg_class WHERE oid = '{relation}'::regclass")
    settings = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; ' \
               'SET max_parallel_workers_per_gather = 4; SET enable_indexscan = off; SET enable_bitmapscan = off; '
    if relation == 'accounts':
        assert compute.rows(settings + 'SELECT count(*), sum(id), sum(length(filler)) FROM accounts') == \
            [(40000, 40000 * 40001 // 2, 40000 * 60)]
    else:
        toast = compute.value(f'SELECT {oid}::regclass')
        assert compute.rows(settings + f'SELECT sum(length(chunk_data)) FROM {toast}') == [(400 * 6400,)]
    assert compute.stats()['failures'] == 0


def test_readahead_off_asks_for_single_pages(compute):
    connection = compute.connect()
    with connection.cursor() as cursor:
        cursor.execute('SET bough.readahead = 1')
        cursor.execute('SELECT count(*) FROM wide')
        compute.pageserver.recording = True
        cursor.execute('SELECT sum(length(filler)) FROM accounts')
        compute.pageserver.recording = False
    assert {count for _, _, _, count in compute.pageserver.served} == {1}


def test_bitmap_scan_prefetches(compute):
    sql = "SET enable_seqscan = off; SET enable_indexscan = off; SET effective_io_concurrency = 32; " \
          "SELECT count(*), sum(length(filler)) FROM accounts WHERE id % 100 = 7 AND id BETWEEN 100 AND 39000"
    assert compute.rows(sql) == [(389, 389 * 60)]


def test_unlogged_relations_arrive_as_they_were(compute):
    assert compute.value('SELECT count(*) FROM scratch') == 500


def test_writing_goes_on(compute, twin):
    on_both(compute, twin, 'UPDATE accounts SET balance = id WHERE id % 3 = 0', 'DELETE FROM accounts WHERE id % 7 = 0',
            'VACUUM accounts', "INSERT INTO accounts SELECT i, 5, 1, 'new' FROM generate_series(50001, 60000) i",
            'REINDEX TABLE accounts', 'CLUSTER accounts USING accounts_pkey', 'UPDATE wide SET body = body || $$more$$ WHERE id < 50',
            'INSERT INTO empty_one SELECT generate_series(1, 1000)', 'REFRESH MATERIALIZED VIEW summary',
            "SELECT setval('numbers', 500)", "SELECT nextval('numbers')", 'INSERT INTO parted VALUES (9999, 1)',
            "SELECT lo_from_bytea(0, decode(repeat('12', 50000), 'hex'))", 'VACUUM FULL shapes', 'CHECKPOINT',
            'ANALYZE')
    assert_same(compute, twin)


def test_restart_keeps_what_is_local(compute, twin):
    on_both(compute, twin, 'UPDATE accounts SET balance = balance + 1', 'DELETE FROM shrunk')
    compute.dump()
    compute.stop()
    compute.start()
    assert_same(compute, twin)
    compute.stop()
    compute.start()
    pages = compute.pageserver.pages
    compute.dump()
    assert compute.pageserver.pages == pages


def test_truncated_blocks_do_not_come_back(compute, twin):
    on_both(compute, twin, 'DELETE FROM accounts WHERE id > 10', 'VACUUM accounts', 'VACUUM accounts')
    assert compute.value("SELECT pg_relation_size('accounts')") == twin.value("SELECT pg_relation_size('accounts')")
    assert compute.value("SELECT pg_relation_size('accounts')") < 100_000
    on_both(compute, twin, "INSERT INTO accounts SELECT i, 5, 1, repeat('w', 50) FROM generate_series(50001, 90000) i",
            'DELETE FROM shrunk', 'VACUUM shrunk', "INSERT INTO shrunk SELECT i, 'again' FROM generate_series(1, 9000) i",
            'BEGIN; TRUNCATE wide; INSERT INTO wide VALUES (1, $$one$$); COMMIT', 'BEGIN; TRUNCATE parted; ROLLBACK')
    assert_same(compute, twin)
    compute.rows('CHECKPOINT')
    compute.stop()
    compute.start()
    assert_same(compute, twin)


def test_relations_never_touched_can_be_dropped_and_their_names_reused(compute, twin):
    on_both(compute, twin, 'DROP TABLE wide, shapes, far', 'DROP TABLE parted', 'DROP MATERIALIZED VIEW summary',
            'TRUNCATE accounts', 'CHECKPOINT', 'CREATE TABLE far (id int)', 'INSERT INTO far SELECT generate_series(1, 10000)')
    assert_same(compute, twin)


def test_dropped_relation_leaves_its_marker_until_the_checkpoint(compute):
    path = compute.value("SELECT pg_relation_filepath('wide')")
    compute.rows('DROP TABLE wide')
    exists = compute.rows("SELECT size FROM pg_stat_file(%s, true)", parameters=(path,))
    assert exists == [(0,)]
    compute.rows('CHECKPOINT')
    assert compute.rows("SELECT size FROM pg_stat_file(%s, true)", parameters=(path,)) == [(None,)]


def test_relations_move_between_tablespaces(compute, twin):
    on_both(compute, twin, 'ALTER TABLE accounts SET TABLESPACE elsewhere', 'ALTER INDEX shapes_gin SET TABLESPACE elsewhere',
            'ALTER TABLE far SET TABLESPACE pg_default', 'ALTER TABLE accounts SET TABLESPACE pg_default',
            'ALTER TABLE accounts SET UNLOGGED', 'ALTER TABLE accounts SET LOGGED')
    assert_same(compute, twin)


@pytest.mark.parametrize('strategy', ['wal_log', 'file_copy', 'FILE_COPY'])
def test_database_is_copied_whole(compute, twin, strategy):
    on_both(compute, twin, f'CREATE DATABASE copy TEMPLATE second STRATEGY {strategy}',
            f'CREATE DATABASE copy_settled TEMPLATE settled STRATEGY {strategy}',
            f'CREATE DATABASE plain STRATEGY {strategy}')
    on_both(compute, twin, 'UPDATE items SET id = -id WHERE id % 2 = 0', 'INSERT INTO items_far SELECT * FROM items',
            database='copy')
    assert_same(compute, twin)
    compute.stop()
    compute.start()
    assert_same(compute, twin)


def test_database_moves_between_tablespaces(compute, twin):
    on_both(compute, twin, 'ALTER DATABASE settled SET TABLESPACE pg_default')
    assert_same(compute, twin)
    on_both(compute, twin, 'INSERT INTO t SELECT generate_series(1, 5000)', database='settled')
    on_both(compute, twin, 'ALTER DATABASE settled SET TABLESPACE elsewhere')
    on_both(compute, twin, 'CREATE TABLE u AS SELECT * FROM t', database='settled')
    assert_same(compute, twin)
    with pytest.raises(Exception, match='some relations of database "second" are already in tablespace "elsewhere"'):
        compute.rows('ALTER DATABASE second SET TABLESPACE elsewhere')
    assert_same(compute, twin)


def test_template_with_tables_in_the_target_tablespace_is_refused_as_by_stock(compute):
    with pytest.raises(Exception, match='cannot assign new default tablespace'):
        compute.rows('CREATE DATABASE copy TEMPLATE second TABLESPACE elsewhere')


def test_dropped_database_is_forgotten(compute, twin):
    oid = compute.value("SELECT oid FROM pg_database WHERE datname = 'second'")
    on_both(compute, twin, 'DROP DATABASE second', f'CREATE DATABASE second OID {oid}',)
    on_both(compute, twin, 'CREATE TABLE items AS SELECT generate_series(1, 3000) AS id', database='second')
    assert_same(compute, twin)
    compute.stop()
    compute.start()
    assert_same(compute, twin)


def test_tablespace_that_only_the_base_fills_is_not_empty(compute):
    with pytest.raises(Exception, match='tablespace "elsewhere" is not empty'):
        compute.rows('DROP TABLESPACE elsewhere')


def test_prepared_transactions_and_savepoints(compute, twin):
    for cluster in (compute, twin):
        cluster.stop()
        cluster.start(max_prepared_transactions=4)
    on_both(compute, twin, "BEGIN; UPDATE accounts SET balance = 7 WHERE id < 2000; DROP TABLE wide; PREPARE TRANSACTION 'p'",
            'CHECKPOINT')
    for cluster in (compute, twin):
        cluster.stop()
        cluster.start(max_prepared_transactions=4)
    on_both(compute, twin, "COMMIT PREPARED 'p'", '''DO $$ BEGIN
        FOR i IN 1..50 LOOP BEGIN UPDATE accounts SET balance = balance / (i % 3) WHERE id = i * 100;
        EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END $$''')
    assert_same(compute, twin)


def test_fetched_pages_carry_checksums(compute):
    compute.dump()
    compute.check_indexes()
    compute.stop()
    run([f'{BINDIR}/pg_checksums', '--check', '-D', compute.directory])


def test_single_user_mode_reads_the_base(compute):
    compute.stop()
    options = [part for name, value in compute.settings.items() for part in ('-c', f'{name}={value}')]
    done = run([f'{BINDIR}/postgres', '--single', '-D', compute.directory, *options, 'postgres'],
               input='SELECT count(*), sum(id) FROM accounts\n')
    assert 'count = "40000"' in done.stdout
    compute.start()
    assert compute.dump() == compute.source.dump_text


def test_backend_crash_loses_nothing(compute, twin):
    """Such a compute is not restarted in earnest, but must not go wrong either."""
    compute.stop()
    compute.start(restart_after_crash='on', full_page_writes='on')
    on_both(compute, twin, 'UPDATE accounts SET balance = 3 WHERE id % 2 = 0', 'DROP TABLE wide', 'DELETE FROM shrunk',
            'VACUUM shrunk')
    pid = compute.value('SELECT pg_backend_pid()')
    connection = compute.connect()
    with connection.cursor() as cursor:
        cursor.execute('SELECT pg_backend_pid()')
        run(['kill', '-9', cursor.fetchone()[0]])
    compute.wait_for_log('all server processes terminated; reinitializing')
    for _ in range(100):
        if compute.program('pg_isready', check=False).returncode == 0:
            break
        run(['sleep', '0.1'])
    # Unlogged relations are empty after a crash.
    twin.rows('TRUNCATE scratch')
    assert pid and compute.dump() == twin.dump()
    compute.check_indexes()


def test_without_a_pageserver_the_library_does_nothing(twin, home):
    twin.stop()
    twin.start(shared_preload_libraries=f'{home}/bough.so')
    assert twin.value('SELECT count(*) FROM accounts') == 40000
    assert '"bough.pageserver" is not set' in twin.log()
    assert twin.value("SELECT pg_relation_size('accounts')") > 0
    shutil.rmtree(f'{twin.directory}/bough', ignore_errors=True)
