"""Runs Postgres's own regression suite against a server that already runs, and compares two runs result file by result file.

The oracle is not the suite's expected output (Debian serves the source of an earlier minor version than the binaries, so stock
itself shows a few differences) but the result files of a stock server set up alike, on the same machine.
"""
import pathlib
import re
import shutil
import subprocess

from support.account import BINDIR, run_as_server, server_user
from support.system import ROOT

# Tests left out of the parallel schedule, with the reason. Empty: all of them run.
LEFT_OUT = {}

PG_REGRESS = BINDIR.parent / "lib" / "pgxs" / "src" / "test" / "regress" / "pg_regress"


class RegressSuite:
    """The suite in a directory that the server's user may read and write: server-side COPY reads and writes there."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        fetch = subprocess.run([str(ROOT / "tests" / "pg_regress" / "fetch_source.sh")], stdout=subprocess.PIPE, text=True, check=True)
        fetched = pathlib.Path(fetch.stdout.strip().splitlines()[-1])
        self.input = self.directory / "input"
        self.modules = self.directory / "modules"
        shutil.copytree(fetched / "postgresql-15" / "src" / "test" / "regress", self.input)
        shutil.copytree(fetched / "modules", self.modules)
        self._give_to_server(self.directory)
        self.schedule = self.input / "parallel_schedule"
        self._leave_out()

    @staticmethod
    def _give_to_server(path):
        user = server_user()
        for item in [path, *path.rglob("*")]:
            shutil.chown(item, user.pw_uid, user.pw_gid)

    def _leave_out(self):
        lines = []
        for line in self.schedule.read_text().splitlines():
            if line.startswith("test:"):
                names = [name for name in line[5:].split() if name not in LEFT_OUT]
                line = f"test: {' '.join(names)}" if names else ""
            lines.append(line)
        self.schedule.write_text("\n".join(lines) + "\n")

    def tests(self):
        return [name for line in self.schedule.read_text().splitlines() if line.startswith("test:") for name in line[5:].split()]

    def run(self, name, host, port, user, password=None, timeout=3600):
        """Runs the whole schedule; result files are kept under `name`. Paths that get into results are the same in every run."""
        output = self.directory / "output"
        shutil.rmtree(output, ignore_errors=True)
        # Objects that an earlier run left in this place on the server's file system would change results.
        output.mkdir()
        shutil.chown(output, server_user().pw_uid, server_user().pw_gid)
        environment = {"PGPASSWORD": password} if password else {}
        done = run_as_server([PG_REGRESS, f"--inputdir={self.input}", f"--outputdir={output}", f"--bindir={BINDIR}",
                              f"--dlpath={self.modules}", f"--host={host}", f"--port={port}", f"--user={user}",
                              "--max-concurrent-tests=20", f"--schedule={self.schedule}"],
                             check=False, timeout=timeout, cwd=output, env=environment)
        (output / "pg_regress.txt").write_text(done.stdout + done.stderr)
        kept = self.directory / name
        shutil.rmtree(kept, ignore_errors=True)
        output.rename(kept)
        return RegressRun(kept, done)


class RegressRun:
    def __init__(self, directory, done):
        self.directory, self.output, self.status = directory, done.stdout + done.stderr, done.returncode
        self.results = directory / "results"

    def finished(self):
        """What each test said: name -> "ok" or "FAILED"; tests whose psql ended badly or that did not run are absent or FAILED."""
        said = {}
        for match in re.finditer(r"^(?:test |     )\s*(\S+)\s+\.\.\. (ok|FAILED|failed \(ignored\))(.*)$", self.output, re.M):
            said[match.group(1)] = match.group(2) + (" " + match.group(3).strip() if "exit code" in match.group(3) else "")
        return {name: re.sub(r"\s+\d+ ms$", "", what).strip() for name, what in said.items()}

    def differences_from_expected(self):
        diffs = self.directory / "regression.diffs"
        return diffs.read_text(errors="replace") if diffs.exists() else ""

    def files(self):
        return {path.name: path.read_bytes() for path in sorted(self.results.glob("*.out"))}


def compare(suite, stock, ours):
    """The result files that differ between the two runs: name -> unified diff. Both runs must have one for every test."""
    names = set(suite.tests())
    a, b = stock.files(), ours.files()
    for what, files in (("stock", a), ("compute", b)):
        missing = {name for name in names if f"{name}.out" not in files}
        assert not missing, f"no result file on {what}: {sorted(missing)}"
    import difflib
    different = {}
    for name in sorted(names):
        left, right = a[f"{name}.out"], b[f"{name}.out"]
        if left != right:
            different[name] = "\n".join(difflib.unified_diff(left.decode(errors="replace").splitlines(),
                                                             right.decode(errors="replace").splitlines(),
                                                             f"stock/{name}.out", f"compute/{name}.out", lineterm=""))
    return different
