"""The beginning of every slow test: makes tests/ importable, and ends what the test started, whatever happens."""
import contextlib
import pathlib
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "pg_regress")]

from support.account import ScratchDirectory  # noqa: E402
from support.system import BoughSystem  # noqa: E402

_BEGIN = time.monotonic()


def say(text=""):
    print(f"[{time.monotonic() - _BEGIN:7.1f} s] {text}", flush=True)


@contextlib.contextmanager
def workplace(name):
    """A scratch directory and a function that makes systems in it."""
    scratch, systems = ScratchDirectory(name), []

    def make(safekeepers=1, **options):
        systems.append(BoughSystem(scratch.make(f"s{len(systems)}"), safekeepers=safekeepers, **options))
        return systems[-1]
    good = False
    try:
        yield scratch, make
        good = True
    finally:
        for system in systems:
            system.destroy()
        if good:
            scratch.remove()
        else:
            say(f"what was there is kept in {scratch.path}")
