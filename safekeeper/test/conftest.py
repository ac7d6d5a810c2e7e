import os
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from support import Postgres, Safekeeper  # noqa: E402


@pytest.fixture(scope="session")
def template():
    """A cluster to copy: initdb takes a second."""
    directory = tempfile.mkdtemp(prefix="bough-sk-template-")
    os.chmod(directory, 0o755)
    yield Postgres(pathlib.Path(directory) / "pg").init()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def workdir(request):
    directory = tempfile.mkdtemp(prefix="bough-sk-")
    os.chmod(directory, 0o755)
    yield pathlib.Path(directory)
    failed = getattr(request.node, "failed", False)
    if not failed and "BOUGH_KEEP" not in os.environ:
        shutil.rmtree(directory, ignore_errors=True)
    elif failed:
        print(f"left for inspection: {directory}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if outcome.get_result().failed:
        item.failed = True


@pytest.fixture
def pg(template, workdir):
    server = template.copy_to(workdir / "pg")
    yield server
    server.stop("immediate")


@pytest.fixture
def safekeepers(workdir):
    """safekeepers(n) starts n of them."""
    started = []

    def start(n, extra=()):
        for i in range(len(started) + 1, len(started) + n + 1):
            started.append(Safekeeper(workdir, f"sk{i}", i, extra).start())
        return started

    yield start
    for safekeeper in started:
        safekeeper.kill()


@pytest.fixture
def one(safekeepers):
    return safekeepers(1)[0]
