"""HTTP with JSON bodies over a Unix socket: the admin interface of the storage daemons (docs/protocols/admin_http.md)."""
import http.client
import json
import socket


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class AdminError(Exception):
    def __init__(self, method, path, status, body):
        self.status, self.body = status, body
        super().__init__(f"{method} {path}: {status} {body!r}")


class AdminClient:
    def __init__(self, socket_path, timeout=60):
        self._path, self._timeout = socket_path, timeout

    def raw(self, method, path, body=None):
        """(status, body bytes) of any answer."""
        connection = UnixConnection(self._path, self._timeout)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def bytes(self, path):
        status, body = self.raw("GET", path)
        if status >= 400:
            raise AdminError("GET", path, status, body)
        return body

    def request(self, method, path, body=None):
        """The JSON document of a good answer (None when empty); AdminError otherwise."""
        status, answer = self.raw(method, path, body)
        if status >= 400:
            raise AdminError(method, path, status, answer)
        return json.loads(answer) if answer else None

    def get(self, path):
        return self.request("GET", path)
