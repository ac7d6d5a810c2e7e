"""A safekeeper that asks for it is sent a little WAL only when it has answered what came before: less is woken, nothing is left lying."""
import os
import select
import threading
import time

import psycopg2
import pytest

from psycopg2.extras import PhysicalReplicationConnection

AT_ONCE = 5             # seconds: long before a walsender would look by itself
SILENCE = 0.4
MUCH = 64 * 1024        # UNANSWERED_BYTES_MAX
# Nobody but the commits writes WAL out: what is sent first depends on how much there is then.
PATIENT = {'wal_sender_timeout': '10min', 'autovacuum': 'off', 'bgwriter_lru_maxpages': '0', 'wal_writer_delay': '10s'}


class Receiver:
    """Streams from the compute's end of WAL on."""

    def __init__(self, compute, options='-c bough.send_when_answered=on'):
        self.connection = compute.connect(connection_factory=PhysicalReplicationConnection, application_name='bough_test',
                                          options=options)
        begin = compute.value("SELECT pg_current_wal_flush_lsn() - '0/0'")
        self.cursor = self.connection.cursor()
        self.cursor.start_replication(start_lsn=int(begin))
        self.end = int(begin)
        self.answer()

    def receive(self, seconds):
        """What arrives within so many seconds at the latest, in bytes; 0: nothing did."""
        before, until = self.end, time.monotonic() + seconds
        while self.end == before:
            message = self.cursor.read_message()
            if message is not None:
                self.end = message.data_start + len(message.payload)
            elif not select.select([self.connection], [], [], max(0, until - time.monotonic()))[0]:
                break
        return self.end - before

    def receive_all(self):
        """Until it has all that the compute has written."""
        while self.receive(SILENCE) > 0:
            pass

    def answer(self):
        self.cursor.send_feedback(write_lsn=self.end, flush_lsn=self.end, force=True)


@pytest.fixture
def writing(compute):
    """The compute, and a connection that writes."""
    compute.stop()
    compute.start(**PATIENT)
    connection = compute.connect()
    cursor = connection.cursor()
    cursor.execute('CREATE TABLE written (id int, filler text)')
    yield compute, cursor
    connection.close()


def insert(cursor):
    cursor.execute("INSERT INTO written VALUES (1, 'x')")


def settled(receiver):
    """It has all there is, and has said so."""
    receiver.receive_all()
    receiver.answer()
    return receiver


def wait_until_it_sleeps(compute):
    """The walsender, after what it has just sent: on a busy machine that is later than its receipt."""
    until = time.monotonic() + AT_ONCE
    while compute.value("SELECT wait_event FROM pg_stat_activity WHERE backend_type = 'walsender'") != 'WalSenderMain':
        assert time.monotonic() < until
        time.sleep(0.01)


def test_the_first_after_an_answer_comes_at_once_and_the_next_with_the_answer_to_it(writing):
    compute, cursor = writing
    receiver = settled(Receiver(compute))
    for _ in range(5):
        insert(cursor)
        assert receiver.receive(AT_ONCE) > 0
        wait_until_it_sleeps(compute)
        for _ in range(3):
            insert(cursor)
        assert receiver.receive(SILENCE) == 0
        receiver.answer()
        assert receiver.receive(AT_ONCE) > 0
        settled(receiver)


def test_a_receiver_that_does_not_ask_for_it_gets_everything_at_once(writing):
    compute, cursor = writing
    receiver = settled(Receiver(compute, options=''))
    for _ in range(5):
        insert(cursor)
        assert receiver.receive(AT_ONCE) > 0


def test_much_wal_goes_on_without_answers(writing):
    compute, cursor = writing
    receiver = settled(Receiver(compute))
    cursor.execute("INSERT INTO written SELECT i, repeat('x', 1000) FROM generate_series(1, 1000) i")
    answered = receiver.end
    while receiver.end - answered <= MUCH:
        assert receiver.receive(AT_ONCE) > 0
    receiver.receive_all()
    insert(cursor)
    assert receiver.receive(AT_ONCE) > 0


def test_no_commit_that_waits_for_the_receiver_is_forgotten(writing):
    compute, _ = writing
    compute.stop()
    compute.start(**PATIENT, synchronous_standby_names='bough_test')
    ending, failures, slowest, count = threading.Event(), [], [], 4

    def write():
        connection = compute.connect()
        cursor = connection.cursor()
        longest, until = 0, time.monotonic() + 4
        while time.monotonic() < until:
            begin = time.monotonic()
            insert(cursor)
            longest = max(longest, time.monotonic() - begin)
        connection.close()
        slowest.append(longest)

    def answer_everything(receiver):
        while not ending.is_set():
            if receiver.receive(0.1) > 0:
                receiver.answer()

    def guarded(action, *arguments):
        try:
            action(*arguments)
        except (psycopg2.Error, OSError) as error:
            failures.append(error)

    receiver = Receiver(compute)
    threads = [threading.Thread(target=guarded, args=(write,)) for _ in range(count)]
    answering = threading.Thread(target=guarded, args=(answer_everything, receiver))
    for thread in (answering, *threads):
        thread.start()
    for thread in threads:
        thread.join(60)
    stuck = any(thread.is_alive() for thread in threads)
    ending.set()
    answering.join()
    assert not failures and not stuck
    assert len(slowest) == count and max(slowest) < AT_ONCE


def cpu_seconds(pid):
    with open(f'/proc/{pid}/stat', encoding='utf-8') as stat:
        fields = stat.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def test_a_walsender_whose_receiver_does_not_read_sleeps(writing):
    compute, cursor = writing
    receiver = settled(Receiver(compute))  # and never receives again
    walsender = compute.value('SELECT pid FROM pg_stat_replication')
    # More than its socket takes.
    cursor.execute("INSERT INTO written SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) i")
    time.sleep(1)
    before = cpu_seconds(walsender)
    time.sleep(2)
    assert cpu_seconds(walsender) - before < 0.5
    receiver.connection.close()


def test_the_compute_stops_while_an_answer_is_outstanding(writing):
    compute, cursor = writing
    receiver = settled(Receiver(compute))
    insert(cursor)
    assert receiver.receive(AT_ONCE) > 0
    stopping = threading.Thread(target=compute.stop)
    stopping.start()
    ended = False
    while not ended:
        try:
            assert receiver.receive(AT_ONCE) > 0
            receiver.answer()
        except psycopg2.Error:
            ended = True
    stopping.join(60)
    assert not stopping.is_alive()
    compute.start()
