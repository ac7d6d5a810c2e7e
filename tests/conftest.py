"""Fixtures. A system fixture is shared by the tests of one file: tests take branches of their own, not systems."""
import pathlib
import re
import signal
import sys
import zlib

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from support.account import ScratchDirectory  # noqa: E402
from support.system import BoughSystem  # noqa: E402


def pytest_configure(config):
    # Ended from outside, a run still ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", returncode=1))


@pytest.fixture(scope="module")
def scratch(request):
    """A directory for the tests of one file."""
    directory = ScratchDirectory(request.module.__name__.split(".")[-1].replace("_test", "")[:12])
    yield directory
    directory.remove()


@pytest.fixture(scope="module")
def make_system(scratch):
    """A function that makes systems (not yet up) in directories of their own; all of them are ended with the file's tests."""
    made = []

    def make(safekeepers=1, name=None, **options):
        system = BoughSystem(scratch.make(name or f"s{len(made)}"), safekeepers=safekeepers, **options)
        made.append(system)
        return system

    yield make
    for system in made:
        system.destroy()


@pytest.fixture(scope="module")
def system(make_system):
    """A running system with one safekeeper."""
    running = make_system()
    running.up()
    return running


@pytest.fixture
def branch_name(request):
    """A name for a branch of this test's own, short enough to add to."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return f"{words[5:35]}-{zlib.crc32(words.encode()) % 10000:04}"
