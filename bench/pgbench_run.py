"""One measured run of pgbench."""
import re
import time

from measurement import BINDIR, run_as_server
from support.processes import cpu_seconds


def pgbench_run(scratch, url, arguments, clients, seconds, processes_of):
    """tps, latencies in ms (of a select-only run a sample), CPU seconds of the processes of directory `processes_of`, which are the
    servers' and not the client's."""
    directory = scratch.path / "log"
    if not directory.exists():
        scratch.make("log")
    prefix = directory / f"l{time.monotonic_ns()}"
    before = cpu_seconds(processes_of)
    done = run_as_server([BINDIR / "pgbench", "-n", "-c", clients, "-j", min(2, clients), "-T", seconds, "-l", "--log-prefix", prefix,
                          "--sampling-rate", "0.1" if "-S" in arguments else "1.0", *arguments, url], timeout=seconds + 120)
    cpu = cpu_seconds(processes_of) - before
    tps = float(re.search(r"tps = ([\d.]+) \(without initial", done.stdout).group(1))
    count = int(re.search(r"number of transactions actually processed: (\d+)", done.stdout).group(1))
    latencies = []
    for path in directory.glob(prefix.name + ".*"):
        latencies += [int(line.split()[2]) / 1000 for line in path.read_text().splitlines()]
        path.unlink()
    return {"tps": tps, "latency": latencies, "cpu": cpu, "transactions": count}
