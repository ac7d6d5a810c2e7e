"""Whatever a pageserver answers or does not, a read gives the right page or a clear error, and the session lives on."""
import struct
import threading
import time

import psycopg2
import pytest

from page_server import ClosedAfter, FRAME, FRAME_PAGES, HELLO_OK, PAGES, PAGES_FIELDS, PAGE_BYTES, Refusal, error_frame, frame, pages_frame

SUM = 'SELECT count(*), sum(id), sum(length(filler)) FROM accounts'
RIGHT = (40000, 40000 * 40001 // 2, 40000 * 60)


class Session:
    def __init__(self, compute):
        self.connection = compute.connect()
        self.cursor = self.connection.cursor()
        self.cursor.execute('SELECT count(*) FROM pg_class, pg_attribute, pg_type WHERE false')
        self.cursor.execute('EXPLAIN ' + SUM)      # the catalogue is in memory; the table is not
        self.oid = self.value("SELECT pg_relation_filenode('accounts')")

    def value(self, sql):
        self.cursor.execute(sql)
        return self.cursor.fetchone()[0]

    def sum(self):
        self.cursor.execute(SUM)
        return self.cursor.fetchone()


@pytest.fixture
def session(compute):
    session = Session(compute)
    yield session
    session.connection.close()


def with_field(name, change):
    def reply(fields, pages):
        return pages_frame({**fields, name: change(fields[name])}, pages)
    return reply


WRONG_REPLIES = {
    'request_id': with_field('request_id', lambda value: value + 7),
    'request_id of before': with_field('request_id', lambda value: value - 1),
    'branch_tag': with_field('branch_tag', lambda value: value ^ 1),
    'lsn': with_field('lsn', lambda value: 1),
    'count': with_field('count', lambda value: value + 1),
    'tablespace': with_field('tablespace', lambda value: 1664),
    'database': with_field('database', lambda value: value + 1),
    'relation': with_field('relation', lambda value: value + 1),
    'fork': with_field('fork', lambda value: 1),
    'block': with_field('block', lambda value: value + 1),
    'one page more': lambda fields, pages: pages_frame(fields, pages + bytes(PAGE_BYTES)),
    'one page less': lambda fields, pages: pages_frame(fields, pages[PAGE_BYTES:]),
    'ragged pages': lambda fields, pages: pages_frame(fields, pages[1:]),
    'no body': lambda fields, pages: frame(FRAME_PAGES, b''),
    'short body': lambda fields, pages: frame(FRAME_PAGES, b'x' * 20),
    'unknown frame': lambda fields, pages: frame(0x55, b'x' * 100),
    'second welcome': lambda fields, pages: frame(0x81, HELLO_OK.pack(1, fields['branch_tag'])),
    'garbage': lambda fields, pages: b'HTTP/1.1 400 Bad Request\r\nServer: other\r\n\r\n' * 40,
    'refusal of another request': lambda fields, pages: error_frame(fields['request_id'] + 5, Refusal('XX001', 'no')),
}


@pytest.mark.parametrize('kind', WRONG_REPLIES)
def test_reply_that_is_not_the_answer_is_an_error(compute, session, kind):
    compute.pageserver.faults.reply = WRONG_REPLIES[kind]
    for _ in range(2):
        with pytest.raises(psycopg2.DatabaseError) as raised:
            session.sum()
        assert raised.value.pgcode == '08P01'
        assert "the pageserver's reply is not an answer to what was asked" in str(raised.value)
    compute.pageserver.faults.reply = None
    assert session.sum() == RIGHT


def test_error_frame_that_lies_about_its_length_is_an_error(compute, session):
    def reply(fields, pages):
        whole = error_frame(fields['request_id'], Refusal('XX001', 'no'))
        length, kind = FRAME.unpack_from(whole)
        return FRAME.pack(length + 10, kind) + whole[FRAME.size:] + b'0123456789'
    compute.pageserver.faults.reply = reply
    with pytest.raises(psycopg2.DatabaseError) as raised:
        session.sum()
    assert raised.value.pgcode == '08P01'
    compute.pageserver.faults.reply = None
    assert session.sum() == RIGHT


@pytest.mark.parametrize('bad', [b'\xa5' * PAGE_BYTES, bytes(100) + b'x' + bytes(PAGE_BYTES - 101),
                                 bytes(12) + struct.pack('<HHHH', 9000, 100, 8192, 0x2004) + bytes(PAGE_BYTES - 20)])
def test_page_that_is_no_page_is_an_error_and_is_not_kept(compute, session, bad):
    compute.pageserver.faults.reply = lambda fields, pages: pages_frame(fields, bad * fields['count'])
    with pytest.raises(psycopg2.errors.DataCorrupted) as raised:
        session.sum()
    assert 'could not read block 0 of fork "main" of relation base/' in str(raised.value)
    assert 'of branch "main" from the pageserver: invalid page' in str(raised.value)
    compute.pageserver.faults.reply = None
    assert session.sum() == RIGHT


def test_page_that_another_compute_has_changed_is_an_error(compute, session):
    """Only the compute that was started last writes a branch: what is newer than this one's start comes from a later one."""
    def changed_since(fields, pages):
        high, low = struct.unpack_from('<II', pages)
        if (high, low) != (0, 0):
            pages = struct.pack('<II', high + 1, low) + pages[8:]
        return pages_frame(fields, pages)
    compute.pageserver.faults.reply = changed_since
    for _ in range(2):
        with pytest.raises(psycopg2.DatabaseError) as raised:
            session.sum()
        assert raised.value.pgcode == '55000'
        assert 'another compute has taken over the branch' in str(raised.value)
    compute.pageserver.faults.reply = None
    assert session.sum() == RIGHT


def test_refusal_is_reported_with_its_code_and_place(compute, session):
    def request(fields):
        raise Refusal('XX001', 'layer is damaged\nbadly', 'Restore it.')
    compute.pageserver.faults.request = request
    with pytest.raises(psycopg2.errors.DataCorrupted) as raised:
        session.sum()
    text = raised.value.diag.message_primary
    assert text.startswith('could not read block 0 of fork "main" of relation base/')
    assert text.endswith('of branch "main" from the pageserver: layer is damaged?badly')
    assert raised.value.diag.message_hint == 'Restore it.'
    compute.pageserver.faults.request = None
    assert session.sum() == RIGHT


def test_one_damaged_block_does_not_hide_its_neighbours(compute, session):
    def request(fields):
        if fields['relation'] == session.oid and fields['block'] <= 40 < fields['block'] + fields['count']:
            raise Refusal('XX001', 'damaged')
    compute.pageserver.faults.request = request
    with pytest.raises(psycopg2.errors.DataCorrupted, match='could not read block 40 '):
        session.sum()
    low, high = session.value("SELECT min(id) FROM accounts"), session.value('SELECT max(id) FROM accounts')
    assert (low, high) == (1, 40000)
    below = session.value("SELECT count(filler) FROM accounts WHERE ctid < '(40,0)'")
    above = session.value("SELECT count(filler) FROM accounts WHERE ctid >= '(41,0)'")
    compute.pageserver.faults.request = None
    assert below + above + session.value("SELECT count(filler) FROM accounts WHERE ctid >= '(40,0)' AND ctid < '(41,0)'") == 40000


def test_passing_refusal_is_asked_again(compute, session):
    refusals = []

    def request(fields):
        if len(refusals) < 5:
            refusals.append(fields)
            raise Refusal('57P03', 'starting up')
    compute.pageserver.faults.request = request
    assert session.sum() == RIGHT
    assert len(refusals) == 5


def test_refused_branch_is_an_error_with_the_hint(compute, session):
    compute.pageserver.drop_connections()
    compute.pageserver.branch = 'other'
    with pytest.raises(psycopg2.errors.InvalidCatalogName) as raised:
        session.sum()
    assert 'the pageserver refused branch "main" of project "acme"' in str(raised.value)
    assert raised.value.diag.message_hint == 'Create it first.'
    compute.pageserver.branch = 'main'
    assert session.sum() == RIGHT


@pytest.mark.parametrize('hello', [b'SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n', frame(0x81, HELLO_OK.pack(2, 5)),
                                   frame(0x81, b'x'), pages_frame(dict.fromkeys(PAGES_FIELDS, 0), b'')])
def test_wrong_welcome_is_an_error(compute, session, hello):
    compute.pageserver.drop_connections()
    compute.pageserver.faults.hello = lambda: hello
    with pytest.raises(psycopg2.DatabaseError) as raised:
        session.sum()
    assert raised.value.pgcode == '08P01'
    compute.pageserver.faults.hello = None
    assert session.sum() == RIGHT


def test_server_that_closes_is_connected_to_again(compute, session):
    calls = []

    def reply(fields, pages):
        calls.append(fields)
        whole = pages_frame(fields, pages)
        if len(calls) % 3 != 0:
            return whole
        raise ClosedAfter((whole[:3], whole[:30], whole[:-100])[len(calls) // 3 % 3])
    compute.pageserver.faults.reply = reply
    session.cursor.execute('SET bough.readahead = 8')
    assert session.sum() == RIGHT
    assert len(calls) > 10


def test_server_killed_in_mid_scan_is_waited_for(compute, session):
    compute.pageserver.faults.delay = 0.01
    result = []
    thread = threading.Thread(target=lambda: result.append(session.sum()))
    session.cursor.execute('SET bough.readahead = 4')
    thread.start()
    for _ in range(3):
        time.sleep(0.1)
        compute.pageserver.stop()
        time.sleep(0.3)
        compute.pageserver.start()
    compute.pageserver.faults.delay = 0
    thread.join(60)
    assert result == [RIGHT]
    assert compute.stats()['connections'] >= 4


def test_server_that_is_gone_is_an_error_after_the_timeout(compute, session):
    compute.pageserver.stop()
    session.cursor.execute("SET bough.fetch_timeout = '700ms'")
    begin = time.monotonic()
    with pytest.raises(psycopg2.DatabaseError) as raised:
        session.sum()
    assert 0.6 < time.monotonic() - begin < 3
    assert raised.value.pgcode == '08006'
    assert 'could not connect: No such file or directory' in str(raised.value)
    compute.pageserver.start()
    assert session.sum() == RIGHT


def test_server_that_does_not_answer_is_an_error_after_the_timeout(compute, session):
    compute.pageserver.faults.reply = lambda fields, pages: None
    session.cursor.execute("SET bough.fetch_timeout = '700ms'")
    with pytest.raises(psycopg2.DatabaseError) as raised:
        session.sum()
    assert raised.value.pgcode == '08006' and 'did not answer in time' in str(raised.value)
    compute.pageserver.faults.reply = None
    assert session.sum() == RIGHT


def test_waiting_can_be_cancelled_and_terminated(compute, session):
    other = compute.connect().cursor()
    other.execute('SELECT pg_terminate_backend(0, 5000)')
    compute.pageserver.faults.reply = lambda fields, pages: None
    session.cursor.execute("SET statement_timeout = '300ms'")
    with pytest.raises(psycopg2.errors.QueryCanceled):
        session.sum()
    session.cursor.execute('SET statement_timeout = 0')
    compute.pageserver.faults.reply = None
    compute.pageserver.drop_connections()
    assert session.sum() == RIGHT

    compute.pageserver.faults.reply = lambda fields, pages: None
    pid = session.value('SELECT pg_backend_pid()')
    waiting = threading.Thread(target=lambda: pytest.raises(psycopg2.OperationalError, session.cursor.execute,
                                                            'SELECT count(*), sum(length(body)) FROM wide'))
    waiting.start()
    time.sleep(0.3)
    other.execute(f'SELECT pg_terminate_backend({pid}, 5000)')
    assert other.fetchone() == (True,)
    waiting.join(10)
    assert not waiting.is_alive()


def test_reply_that_comes_after_the_query_was_cancelled_is_taken(compute, session):
    before = compute.stats()['connections']
    compute.pageserver.faults.delay = 0.5
    session.cursor.execute("SET statement_timeout = '200ms'")
    with pytest.raises(psycopg2.errors.QueryCanceled):
        session.sum()
    session.cursor.execute('SET statement_timeout = 0')
    compute.pageserver.faults.delay = 0
    assert session.sum() == RIGHT
    assert compute.stats()['connections'] <= before + 2     # this session's first, and that of the one who asks


def test_token_is_sent(new_compute, home):
    compute = new_compute()
    with open(f'{home}/token', 'w') as file:
        file.write('s3cret\n')
    compute.start(**{'bough.token_file': f'{home}/token'})
    assert compute.value('SELECT count(*) FROM accounts') == 40000
    assert compute.pageserver.last_token == b's3cret'


def test_pageserver_over_tcp(new_compute):
    import socket
    compute = new_compute()
    listener = socket.create_server(('127.0.0.1', 0))
    threading.Thread(target=compute.pageserver._accept, args=(listener,), daemon=True).start()
    compute.start(**{'bough.pageserver': f'127.0.0.1:{listener.getsockname()[1]}'})
    assert compute.dump() == compute.source.dump_text
    listener.close()


def test_fork_copy_that_fails_can_be_repeated(compute):
    def request(fields):
        if len(compute.pageserver.served) > 60:
            raise Refusal('58030', 'disk failure')
    compute.pageserver.recording = True
    compute.pageserver.faults.request = request
    connection = compute.connect()
    with connection.cursor() as cursor:
        with pytest.raises(psycopg2.DatabaseError, match='disk failure'):
            cursor.execute('CREATE DATABASE copy TEMPLATE second STRATEGY file_copy')
        compute.pageserver.faults.request = None
        cursor.execute('CREATE DATABASE copy TEMPLATE second STRATEGY file_copy')
    assert compute.value('SELECT count(*) FROM items_far', 'copy') == 9000
    compute.check_indexes()
