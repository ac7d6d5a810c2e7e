"""What the daemons' metrics say: in the format that Prometheus reads, and true as far as something else says the same."""
import re

import pytest

from support import wait

SAMPLE = re.compile(r'^([a-z_]+)(?:\{((?:[a-z_]+="[^"]*",?)*)\})? (-?[0-9.e+-]+|NaN|\+Inf)$')


class Metrics:
    """The samples of one answer: (name, labels) -> value."""

    def __init__(self, text):
        self.types, self.samples = {}, {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                name, kind = line.split()[2:]
                assert name not in self.types, f"{name} is described twice"
                self.types[name] = kind
            elif not line.startswith("# HELP "):
                parsed = SAMPLE.match(line)
                assert parsed, f"no sample: {line}"
                key = (parsed[1], parsed[2] or "")
                assert key not in self.samples, f"twice: {line}"
                family = parsed[1] if parsed[1] in self.types else re.sub("_(bucket|sum|count)$", "", parsed[1])
                assert family in self.types, f"before its description: {line}"
                self.samples[key] = float(parsed[3])

    def of(self, name):
        return {labels: value for (sample, labels), value in self.samples.items() if sample == name}

    def value(self, name, labels=""):
        return self.samples[name, labels]


def metrics(system, daemon="pageserver"):
    return Metrics(system.admin(daemon).bytes("/metrics").decode())


@pytest.fixture(scope="module")
def written(system):
    system.sql("create table t as select i as id, repeat('x', 100) as words from generate_series(1, 20000) i")
    system.sql("update t set words = 'y' where id % 3 = 0")
    system.branch("child")
    system.sql("update t set words = repeat('z', 90)", "child")
    for name in ("main", "child"):
        system.wait_ingested(name, system.tip(name))
    system.admin("pageserver").request("POST", f"/v1/projects/{system.project_id()}/gc")
    return system


def test_every_daemon_s_metrics_can_be_read(written):
    for daemon in written.daemons():
        if daemon != "control":
            assert len(metrics(written, daemon).samples) > 10, daemon


def test_bytes_by_kind_add_up_to_the_store_s(written):
    project = f'project="{written.project_id()}"'

    def add_up():
        now = metrics(written)
        kinds = {labels: value for labels, value in now.of("bough_pageserver_store_kind_bytes").items() if project in labels}
        assert not any("unknown" in labels for labels in kinds), kinds
        assert kinds[f'{project},kind="page"'] > 100_000
        return sum(kinds.values()) == now.value("bough_pageserver_store_bytes", project)

    wait.until(add_up, 30, "the kinds' bytes are those of all files")  # files come and go


def test_deleted_branches_are_counted_until_their_space_is_back(written):
    project = f'project="{written.project_id()}"'
    assert metrics(written).value("bough_pageserver_store_deleted_bytes", project) == 0
    before = metrics(written).value("bough_pageserver_store_bytes", project)
    own = written.json("branch", "get", "child")["branch"]["stored_size"]
    written.cli("branch", "delete", "child")
    wait.until(lambda: metrics(written).value("bough_pageserver_store_deleted_bytes", project) == 0
               and before - metrics(written).value("bough_pageserver_store_bytes", project) > 0.8 * own, 60,
               "the deleted branch's space is back")


def test_chains_and_debt_are_told(written):
    written.restart_compute("main")
    assert written.value("select count(*) from t where words = 'y'", "main") == 6666
    now = metrics(written)
    assert now.types["bough_pageserver_chain_steps"] == "histogram"
    count = now.value("bough_pageserver_chain_steps_count")
    assert count > 0
    assert now.value("bough_pageserver_chain_steps_bucket", 'le="+Inf"') == count
    assert now.value("bough_pageserver_chain_steps_sum") >= count
    pages = now.of("bough_pageserver_pages_total")
    assert count == pages['source="redo"'] + pages['source="edits"']
    assert f'project="{written.project_id()}"' in now.of("bough_pageserver_compaction_debt_bytes")
