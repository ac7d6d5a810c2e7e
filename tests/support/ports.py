"""Free TCP ports on loopback."""
import socket

# Never hand out what a system or server of the machine itself would use.
RESERVED = {5432, 8432, 55432}
_given = set()


def free_port():
    """A port nobody listens on now, and that this test run has not been given before."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _given and port not in RESERVED:
            _given.add(port)
            return port
