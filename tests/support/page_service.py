"""A client of the page service (proto/page_service.h): pages of one branch at an LSN."""
import socket
import struct

MAGIC, VERSION, PAGE_BYTES, PAGES_MAX = 0x31484742, 1, 8192, 128
HELLO, GET_PAGES, HELLO_OK, PAGES, ERROR = 1, 2, 0x81, 0x82, 0xFF
AT_LEAST, EXACT = 0, 1
_HEADER, _TAG = struct.Struct("<IB"), struct.Struct("<IIIBI")


def lsn_value(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def lsn_text(value):
    return f"{value >> 32:X}/{value & 0xFFFFFFFF:X}"


def frame(kind, body):
    return _HEADER.pack(len(body), kind) + body


def hello(project, branch, token=""):
    words = [word.encode() for word in (token, project, branch)]
    return frame(HELLO, struct.pack("<IHHHH", MAGIC, VERSION, *map(len, words)) + b"".join(words))


def get_pages(request_id, lsn, mode, count, tag):
    return frame(GET_PAGES, struct.pack("<QQBH", request_id, lsn, mode, count) + _TAG.pack(*tag))


class PageServiceError(Exception):
    def __init__(self, sqlstate, message, hint):
        self.sqlstate, self.message, self.hint = sqlstate, message, hint
        super().__init__(f"{sqlstate}: {message} ({hint})")


class PageService:
    """One connection. Every reply is checked against its request, as a compute does."""

    def __init__(self, socket_path, project, branch, timeout=120):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        self._socket.connect(str(socket_path))
        self._socket.sendall(hello(project, branch))
        kind, body = self._read_frame()
        assert kind == HELLO_OK, (kind, body)
        _, self._branch_tag = struct.unpack("<HQ", body)
        self._next_id = 1

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _read(self, count):
        parts = bytearray()
        while len(parts) < count:
            part = self._socket.recv(min(count - len(parts), 1 << 20))
            if not part:
                raise ConnectionError("the page service closed the connection")
            parts += part
        return bytes(parts)

    def _read_frame(self):
        length, kind = _HEADER.unpack(self._read(_HEADER.size))
        body = self._read(length)
        if kind == ERROR:
            _, sqlstate, message, hint = struct.unpack_from("<Q5sHH", body)
            text = body[17:].decode(errors="replace")
            raise PageServiceError(sqlstate.decode(), text[:message], text[message:message + hint])
        return kind, body

    def read(self, tag, count, lsn, mode=EXACT):
        """`count` pages from tag = (tablespace, database, relation, fork, block) on, as bytes."""
        request_id, self._next_id = self._next_id, self._next_id + 1
        self._socket.sendall(get_pages(request_id, lsn, mode, count, tag))
        kind, body = self._read_frame()
        assert kind == PAGES, kind
        got_id, got_branch, got_lsn, got_count = struct.unpack_from("<QQQH", body)
        got_tag = _TAG.unpack_from(body, 26)
        assert (got_id, got_branch, got_count, got_tag) == (request_id, self._branch_tag, count, tuple(tag)), "a reply to another question"
        assert got_lsn == lsn if mode == EXACT else got_lsn >= lsn, (got_lsn, lsn)
        pages = body[26 + _TAG.size:]
        assert len(pages) == count * PAGE_BYTES, len(pages)
        return pages

    def fork(self, tablespace, database, relation, fork, blocks, lsn):
        """All pages of a fork, batch by batch: yields (first block, bytes)."""
        for first in range(0, blocks, PAGES_MAX):
            count = min(PAGES_MAX, blocks - first)
            yield first, self.read((tablespace, database, relation, fork, first), count, lsn)
