"""One page truth run over a branch's whole log: pageserver against stock replay, at its end and at positions on the way."""
import shutil

from support import layout, wait
from support.account import server_user
from support.page_service import lsn_text, lsn_value
from support.stock import StockPostgres

from .materialise import materialise
from .pages import Comparison, Masker, compare_branch, find_library
from .replay import SHARED_SETTINGS, StockReplay, segment_name


def settings_of(connection):
    return {name: connection.execute(f"show {name}").fetchone()[0] for name in SHARED_SETTINGS}


def mark(superuser):
    """A position for comparisons: something comes after it, so that it is the start of a record."""
    superuser.execute("select pg_logical_emit_message(true, 'page truth', 'the end')")
    return superuser.execute("select pg_current_wal_flush_lsn()::text").fetchone()[0]


def log_directory(system, branch):
    """The directory of one safekeeper that holds the branch's segments."""
    identifier = system.branch_id(branch)
    found = sorted(directory for directory in layout.wal_directories(system.data_dir) if identifier in str(directory))
    assert found, f"no safekeeper keeps {identifier}"
    return found[0]


def log_contains(directory, lsn):
    position = lsn_value(lsn)
    return (directory / segment_name((position - 1) >> 24)).exists()


class Truth:
    def __init__(self, system, branch, scratch_directory):
        """The branch's compute must be running, and quiet from now on."""
        self.system, self.branch = system, branch
        self.directory = scratch_directory
        library = find_library(system.build)
        described = system.admin("pageserver").get(f"/v1/projects/{system.project_id()}/branches/{system.branch_id(branch)}")
        self.begin = described["lsn"]
        with system.connect(branch, superuser=True) as superuser:
            settings = settings_of(superuser)
            self.end = mark(superuser)
        system.wait_ingested(branch, self.end)
        self.log = log_directory(system, branch)
        wait.until(lambda: log_contains(self.log, self.end), 30, "the log on the safekeeper")
        data_dir = self.directory / "truth"
        data_dir.mkdir(mode=0o700)
        shutil.chown(data_dir, server_user().pw_uid, server_user().pw_gid)
        self.base_pages = materialise(system, branch, self.begin, data_dir, self.log / segment_name(lsn_value(self.begin) >> 24))
        self.replay = StockReplay(self.directory, data_dir, self.log, settings, library)
        self.mask_server = StockPostgres(self.directory, "mask")
        self.mask_server.start()
        self.masker = Masker(self.mask_server, self.replay.library)

    def run(self, positions, report=print):
        """Compares at `positions` places on the way and at the end. Returns the sum of all Comparisons."""
        begin, end = lsn_value(self.begin), lsn_value(self.end)
        stops = self.replay.record_starts(begin, end, positions)
        assert len(stops) == positions, f"only {len(stops)} distinct records on the way"
        return self.compare(stops, report)

    def compare(self, stops, report=print):
        """The same at the places given, in ascending order, each the start of a record, and at the end."""
        total, problems = Comparison(), []
        for stop in [*stops, lsn_value(self.end)]:
            self.replay.advance(stop)
            one, found = compare_branch(self.system, self.branch, stop, self.replay.data_dir, self.masker)
            report(f"at {lsn_text(stop)}: {one.total()} pages compared, {len(one.differences)} differ", flush=True)
            for difference in one.differences[:10]:
                report(f"  {difference!r}", flush=True)
            for problem in found[:10]:
                report(f"  {problem}", flush=True)
            total.add(one)
            problems += found
        report(total.table(), flush=True)
        assert not problems, f"{len(problems)} relations differ in presence or length, such as {problems[:5]}"
        assert not total.differences, f"{len(total.differences)} pages differ, such as {total.differences[:5]}"
        return total

    def stop(self):
        self.replay.stop()
        self.mask_server.stop()
