"""A page server for tests: proto/page_service.h over a Unix socket, out of the data directory of a cleanly stopped cluster.

`faults` are what a test makes go wrong. Run as a program it serves until it is killed:
    page_server.py DATA_DIRECTORY SOCKET PROJECT BRANCH
"""
import os
import socket
import struct
import sys
import threading
import time

MAGIC = 0x31484742
VERSION = 1
PAGE_BYTES = 8192
SEGMENT_BLOCKS = 131072
FRAME = struct.Struct('<IB')
HELLO = struct.Struct('<IHHHH')
HELLO_OK = struct.Struct('<HQ')
GET_PAGES = struct.Struct('<QQBHIIIBI')
PAGES = struct.Struct('<QQQHIIIBI')
ERROR = struct.Struct('<Q5sHH')
FRAME_HELLO, FRAME_GET_PAGES, FRAME_HELLO_OK, FRAME_PAGES, FRAME_ERROR = 1, 2, 0x81, 0x82, 0xFF
PAGES_FIELDS = ('request_id', 'branch_tag', 'lsn', 'count', 'tablespace', 'database', 'relation', 'fork', 'block')
FORK_SUFFIX = ('', '_fsm', '_vm', '_init')


class Refusal(Exception):
    def __init__(self, sqlstate, message, hint=''):
        super().__init__(message)
        self.sqlstate, self.message, self.hint = sqlstate, message, hint


class ClosedAfter(Exception):
    """Send these bytes, then close the connection."""


class Faults:
    """Everything None or zero: no faults."""
    reply = None        # function(fields: dict, pages: bytes) -> bytes of a frame, or None for no reply
    hello = None        # function() -> bytes to send in place of the welcome
    request = None      # function(fields: dict): may raise Refusal, or close by raising ConnectionError
    delay = 0.0         # seconds before each reply


def frame(kind, body):
    return FRAME.pack(len(body), kind) + body


def pages_frame(fields, pages):
    return frame(FRAME_PAGES, PAGES.pack(*(fields[name] for name in PAGES_FIELDS)) + pages)


def error_frame(request_id, refusal):
    message, hint = refusal.message.encode(), refusal.hint.encode()
    return frame(FRAME_ERROR, ERROR.pack(request_id, refusal.sqlstate.encode(), len(message), len(hint)) + message + hint)


def relation_path(data_directory, tablespace, database, relation, fork):
    name = f'{relation}{FORK_SUFFIX[fork]}'
    if tablespace == 1664:
        return f'{data_directory}/global/{name}'
    if tablespace == 1663:
        return f'{data_directory}/base/{database}/{name}'
    base = f'{data_directory}/pg_tblspc/{tablespace}'
    version = next(entry for entry in os.listdir(base) if entry.startswith('PG_'))
    return f'{base}/{version}/{database}/{name}'


class PageServer:
    def __init__(self, data_directory, path, project, branch, lsn):
        self.data_directory, self.path, self.project, self.branch, self.lsn = data_directory, path, project, branch, lsn
        self.faults = Faults()
        self.requests = 0
        self.pages = 0
        self.served = []            # (relation, fork, block, count), when recording
        self.recording = False
        self.listener = None
        self.connections = set()
        self.lock = threading.Lock()
        self.files = {}

    def start(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o777)
        self.listener.listen(128)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        """As a killed server: the listener and every connection go."""
        listener, self.listener = self.listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            os.unlink(self.path)
        self.drop_connections()

    def close(self):
        """Stops for good, once nobody asks any more."""
        if self.listener is not None:
            self.stop()
        with self.lock:
            for file in self.files.values():
                os.close(file)
            self.files = {}

    def drop_connections(self):
        with self.lock:
            for connection in self.connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            self._converse(connection)
        except (ConnectionError, OSError, EOFError):
            pass
        finally:
            with self.lock:
                self.connections.discard(connection)
            connection.close()

    @staticmethod
    def _receive(connection, length):
        data = b''
        while len(data) < length:
            more = connection.recv(length - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def _receive_frame(self, connection):
        length, kind = FRAME.unpack(self._receive(connection, FRAME.size))
        assert length <= 4096, 'request frame too long'
        return kind, self._receive(connection, length)

    def _converse(self, connection):
        kind, body = self._receive_frame(connection)
        magic, version, token_length, project_length, branch_length = HELLO.unpack_from(body)
        names = body[HELLO.size + token_length:]
        project, branch = names[:project_length].decode(), names[project_length:].decode()
        assert (kind, magic, version, len(names)) == (FRAME_HELLO, MAGIC, VERSION, project_length + branch_length)
        self.last_token = body[HELLO.size:HELLO.size + token_length]
        if self.faults.hello is not None:
            connection.sendall(self.faults.hello())
            return
        if (project, branch) != (self.project, self.branch):
            connection.sendall(error_frame(0, Refusal('3D000', f'branch "{branch}" does not exist', 'Create it first.')))
            return
        branch_tag = hash((project, branch)) & 0xFFFFFFFFFFFFFFFF
        connection.sendall(frame(FRAME_HELLO_OK, HELLO_OK.pack(VERSION, branch_tag)))
        while True:
            kind, body = self._receive_frame(connection)
            assert kind == FRAME_GET_PAGES
            request_id, lsn, mode, count, tablespace, database, relation, fork, block = GET_PAGES.unpack(body)
            assert mode == 0 and 1 <= count <= 128 and lsn <= self.lsn
            fields = dict(request_id=request_id, branch_tag=branch_tag, lsn=self.lsn, count=count, tablespace=tablespace,
                          database=database, relation=relation, fork=fork, block=block)
            self.requests += 1
            self.pages += count
            if self.recording:
                self.served.append((relation, fork, block, count))
            try:
                if self.faults.request is not None:
                    self.faults.request(fields)
                reply = self._reply(fields)
            except Refusal as refusal:
                reply = error_frame(request_id, refusal)
            except ClosedAfter as closed:
                connection.sendall(closed.args[0])
                return
            if self.faults.delay:
                time.sleep(self.faults.delay)
            if reply is not None:
                connection.sendall(reply)

    def _reply(self, fields):
        pages = self.read(fields)
        if self.faults.reply is not None:
            return self.faults.reply(fields, pages)
        return pages_frame(fields, pages)

    def _open(self, path):
        with self.lock:
            if path not in self.files:
                self.files[path] = os.open(path, os.O_RDONLY)
            return self.files[path]

    def read(self, fields):
        first = relation_path(self.data_directory, fields['tablespace'], fields['database'], fields['relation'], fields['fork'])
        pages = b''
        for block in range(fields['block'], fields['block'] + fields['count']):
            segment, offset = divmod(block, SEGMENT_BLOCKS)
            path = first if segment == 0 else f'{first}.{segment}'
            page = b''
            if segment == 0 or os.path.exists(path):
                page = os.pread(self._open(path), PAGE_BYTES, offset * PAGE_BYTES)
            pages += page.ljust(PAGE_BYTES, b'\0')
        return pages


if __name__ == '__main__':
    from compute_directory import checkpoint_lsn
    server = PageServer(*sys.argv[1:5], checkpoint_lsn(sys.argv[1]))
    server.start()
    threading.Event().wait()
