"""A page that was asked for, and comes when its block is present already, never replaces what is there."""
import random
import threading
import time

import pytest

from cluster import BINDIR, run
from page_server import pages_frame

FRESH = "INSERT INTO accounts SELECT i, 3, 1, repeat('n', 60) FROM generate_series(100001, 140000) i"


class Hold:
    """Keeps back the replies with blocks of one relation from a certain one on, until they are let go."""

    def __init__(self, server, relation, first_block, single_pages):
        self.event, self.held = threading.Event(), []
        def reply(fields, pages):
            if fields['relation'] == relation and fields['block'] >= first_block and (single_pages or fields['count'] > 1):
                self.held.append(fields)
                self.event.wait(60)
            return pages_frame(fields, pages)
        server.faults.reply = reply

    def wait(self):
        for _ in range(200):
            if self.held:
                return
            time.sleep(0.05)
        raise AssertionError('nothing was asked for ahead')


@pytest.fixture
def small(new_compute):
    """With so few buffers that pages come and go all the time."""
    compute = new_compute()
    compute.start(shared_buffers='128kB', autovacuum='off')
    return compute


def evict(cursor):
    cursor.execute('CHECKPOINT')
    cursor.execute('SELECT count(*) FROM pg_proc, LATERAL (SELECT 1 LIMIT 1) x')
    cursor.execute('SELECT sum(length(words::text)) FROM shapes')


def test_block_changed_while_it_was_asked_for_ahead(small):
    reader, writer = small.connect().cursor(), small.connect().cursor()
    relation = small.value("SELECT pg_relation_filenode('accounts')")
    writer.execute('SET bough.readahead = 1')
    writer.execute("UPDATE accounts SET balance = 5 WHERE ctid = '(0,1)'")
    writer.execute('SET enable_seqscan = off')
    hold = Hold(small.pageserver, relation, 1, single_pages=False)
    thread = threading.Thread(target=reader.execute, args=('SELECT count(*), sum(length(filler)) FROM accounts',))
    thread.start()
    hold.wait()
    # All but the first, which the reader itself waits for: nobody else can read that one meanwhile.
    blocks = range(hold.held[0]['block'] + 1, hold.held[0]['block'] + hold.held[0]['count'])
    for block in blocks:
        writer.execute(f"UPDATE accounts SET balance = 77 WHERE ctid IN ('({block},1)', '({block},2)')")
    evict(writer)
    before = small.stats()['pages_discarded']
    hold.event.set()
    thread.join(60)
    assert reader.fetchone() == (40000, 40000 * 60)
    assert small.stats()['pages_discarded'] >= before + len(blocks)
    evict(writer)
    assert small.rows('SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE balance = 77) FROM accounts') == \
        [(40000, 40000, 2 * len(blocks))]
    small.check_indexes()


CHANGES = {
    'truncated and grown again': ['DELETE FROM accounts', 'VACUUM accounts', FRESH],
    'cut off at a block and grown again': ['DELETE FROM accounts WHERE id > 900', 'VACUUM accounts', FRESH,
                                           'DELETE FROM accounts WHERE id <= 900'],
    'emptied and filled in one transaction': [f'BEGIN; TRUNCATE accounts; {FRESH}; COMMIT'],
    'dropped': ['CREATE TABLE other (LIKE accounts)', 'DROP TABLE accounts CASCADE', 'ALTER TABLE other RENAME TO accounts', FRESH],
    'rewritten': ['DELETE FROM accounts', FRESH, 'VACUUM FULL accounts'],
    'overwritten': ['DELETE FROM accounts', 'VACUUM (TRUNCATE off) accounts', FRESH],
    'moved': ['DELETE FROM accounts', FRESH, 'ALTER TABLE accounts SET TABLESPACE elsewhere',
              'ALTER TABLE accounts SET TABLESPACE pg_default'],
}


@pytest.mark.parametrize('change', CHANGES)
def test_relation_changed_while_pages_asked_for_ahead_were_on_their_way(small, change):
    reader, writer = small.connect().cursor(), small.connect().cursor()
    relation = small.value("SELECT pg_relation_filenode('accounts')")
    reader.execute('SELECT count(*) FROM pg_class')
    hold = Hold(small.pageserver, relation, 21, single_pages=False)
    # Stops in the middle; what was asked for beyond is still on its way when the session is idle and holds no lock.
    reader.execute('SELECT filler FROM accounts LIMIT 1500')
    hold.wait()
    writer.execute('SET bough.readahead = 1')
    for statement in CHANGES[change]:
        writer.execute(statement)
    evict(writer)
    hold.event.set()
    reader.execute('SELECT sum(length(body)) FROM wide')       # takes what is on its way before its own
    assert reader.fetchone() == (400 * 6400,)
    evict(writer)
    reader.execute('SELECT count(*), count(DISTINCT id), min(id), max(id), sum(length(filler)) FROM accounts')
    assert reader.fetchone() == (40000, 40000, 100001, 140000, 40000 * 60)
    small.check_indexes()
    small.stop()
    run([f'{BINDIR}/pg_checksums', '--check', '-D', small.directory])


def test_two_sessions_that_read_the_same_cold_table_share_what_comes(small):
    cursors = [small.connect().cursor() for _ in range(4)]
    small.pageserver.faults.delay = 0.002
    threads = [threading.Thread(target=cursor.execute, args=('SELECT count(*), sum(id), sum(length(filler)) FROM accounts',))
               for cursor in cursors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {cursor.fetchone() for cursor in cursors} == {(40000, 40000 * 40001 // 2, 40000 * 60)}


SCRIPTS = {
    'update': '''\\set id random(1, 40000)
\\set d random(-100, 100)
BEGIN;
UPDATE accounts SET balance = balance + :d WHERE id = :id;
INSERT INTO history VALUES (:id, :d);
COMMIT;
''',
    'scan': 'SELECT sum(balance), count(*), sum(length(filler)) FROM accounts;\n',
    'scan_others': '''SELECT sum(length(body)) FROM wide;
SELECT count(*) FROM shapes WHERE words @> ARRAY['a7'];
SELECT sum(length(filler)) FROM shrunk;
''',
    'vacuum': 'VACUUM accounts;\nVACUUM shrunk;\n',
    'churn': '''\\set k random(0, 96)
BEGIN;
WITH d AS (DELETE FROM shrunk WHERE id % 97 = :k RETURNING 1) INSERT INTO shrunk_log SELECT -count(*) FROM d;
INSERT INTO shrunk SELECT 100000 * (:k + 1) + i, repeat('n', 300) FROM generate_series(1, 30) i;
INSERT INTO shrunk_log VALUES (30);
COMMIT;
''',
    'empty': '''BEGIN;
TRUNCATE parted_1;
INSERT INTO parted SELECT i, 1 FROM generate_series(1, 1000) i;
COMMIT;
''',
    'checkpoint': 'CHECKPOINT;\nSELECT pg_sleep(0.1);\n',
}


@pytest.mark.parametrize('seed', range(4))
def test_invariants_hold_under_concurrent_reads_writes_and_vacuum(small, home, seed):
    dice = random.Random(seed)
    small.stop()
    small.start(shared_buffers='384kB')         # eight clients pin more than the fewest that there can be
    small.rows('CREATE TABLE history (id int, delta int); CREATE TABLE shrunk_log (n int)')
    small.pageserver.faults.request = lambda fields: time.sleep(dice.choice([0, 0, 0.001, 0.004]))
    arguments = []
    for name, script in SCRIPTS.items():
        path = f'{home}/{name}.sql'
        with open(path, 'w') as file:
            file.write(script)
        arguments += ['-f', f'{path}@{10 if name in ("update", "scan") else 2}']
    done = threading.Event()

    def drop_connections():
        while not done.wait(dice.uniform(0.05, 0.4)):
            small.pageserver.drop_connections()
    dropping = threading.Thread(target=drop_connections)
    dropping.start()
    try:
        small.program('pgbench', '-n', '-c', '8', '-j', '2', '-T', '6', '--random-seed', seed + 1, '--max-tries', '20', *arguments, 'postgres')
    finally:
        done.set()
        dropping.join()
        small.pageserver.faults.request = None

    def check():
        assert small.value('SELECT (SELECT sum(balance) FROM accounts) - (SELECT coalesce(sum(delta), 0) FROM history)') == 0
        assert small.rows('SELECT count(*), count(DISTINCT id) FROM accounts') == [(40000, 40000)]
        assert small.value('SELECT 2000 + (SELECT coalesce(sum(n), 0) FROM shrunk_log) - (SELECT count(*) FROM shrunk)') == 0
        assert small.value('SELECT count(*) FROM parted_2') == 1500
        small.check_indexes()
    check()
    assert 'leak' not in small.log() and 'PANIC' not in small.log()
    small.stop()
    run([f'{BINDIR}/pg_checksums', '--check', '-D', small.directory])
    small.start()
    check()
