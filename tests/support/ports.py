"""Free TCP ports on loopback."""
import os
import random
import socket

# Below the range from which the kernel gives ports to clients, so that nothing takes one between our look and its use.
_FIRST, _LAST = 12000, 32000
# Never hand out what a system or server of the machine itself would use.
_RESERVED = {5432, 8432, 55432}
_random = random.Random(os.getpid() * 7919 + os.times().elapsed)
_given = set()


def _is_free(port):
    if port in _given or port in _RESERVED:
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count):
    """The first of `count` consecutive ports nobody listens on now, and that this test run has not been given before."""
    while True:
        first = _random.randrange(_FIRST, _LAST - count)
        ports = range(first, first + count)
        if all(map(_is_free, ports)):
            _given.update(ports)
            return first


def free_port():
    return free_ports(1)
