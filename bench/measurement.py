"""What every benchmark of this folder does with its figures: percentiles, the machine's description, a report that is printed as it grows
and kept whole in build/bench/."""
import argparse
import json
import os
import pathlib
import platform
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.account import BINDIR, run_as_server  # noqa: E402


def some_of(known):
    """Type of an option: some names of those that are known, with commas between."""
    def parse(text):
        chosen = text.split(",")
        if not set(chosen) <= set(known):
            raise argparse.ArgumentTypeError(f"known: {','.join(known)}")
        return chosen
    return parse


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(round(part * (len(ordered) - 1))))]


def summary(values):
    return {"n": len(values), "p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "min": min(values), "max": max(values)}


def timed(action):
    """Milliseconds that it took, and what it gave."""
    begin = time.perf_counter()
    result = action()
    return (time.perf_counter() - begin) * 1000, result


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8") if line.startswith("model name")), "?")
    memory = next(int(line.split()[1]) for line in open("/proc/meminfo", encoding="utf-8") if line.startswith("MemTotal"))
    postgres = run_as_server([BINDIR / "postgres", "--version"]).stdout.strip()
    return {"cpus": os.cpu_count(), "model": model, "memory_gib": round(memory / (1 << 20), 1), "kernel": platform.release(), "postgres": postgres}


class Report:
    """Rows of measurements: a work, who did it, every single value."""

    def __init__(self, name, options):
        self.name = name
        self.data = {"when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "options": vars(options), "machine": machine(),
                     "load_average_before": os.getloadavg(), "rows": []}

    def row(self, work, who, unit, values, **more):
        self.data["rows"].append({"work": work, "who": who, "unit": unit, "values": [round(v, 4) for v in values], **summary(values), **more})
        print(f"  {work:<46} {who:<10} p50 {percentile(values, 0.5):>10.2f}  p99 {percentile(values, 0.99):>10.2f} {unit}  (n={len(values)})",
              flush=True)

    def of(self, work, who):
        return next(row for row in self.data["rows"] if row["work"] == work and row["who"] == who)

    def median(self, work, who):
        return statistics.median(self.of(work, who)["values"])

    def described_machine(self):
        m = self.data["machine"]
        return f"{self.data['when'][:10]}, {m['cpus']} CPUs ({m['model']}), {m['memory_gib']} GiB, Linux {m['kernel']}, {m['postgres']}."

    def write(self, markdown):
        """Every measurement as JSON, `markdown` beside it; the path of the former."""
        directory = ROOT / "build" / "bench"
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{self.name}-{self.data['when'].replace(':', '')}.json"
        path.write_text(json.dumps(self.data, indent=1) + "\n")
        path.with_suffix(".md").write_text(markdown)
        print(f"\n{markdown}\nevery measurement: {path}")
        return path
