#!/usr/bin/env python3
"""Many calls and as many changes through one app: memory, journal and time per call over the run, as CSV and as a plot.

usage: benchmarks/soak.py [--calls 100000] [--out soak] [--repeat-arguments] [--plot-only]

Writes OUT.csv and, where matplotlib is installed (the extra `bench`), OUT.svg.

Every call is another one to the cache, unless --repeat-arguments (cache_calls=False).  Each changes two values of the work's state.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

APP = """
import glob, os, time
import lightning as L

N, STEP, REPEAT = (int(os.environ[name]) for name in ("N", "STEP", "REPEAT"))
OUT, RUNS = os.environ["OUT"], os.environ["RUNS"]

def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:")) / 1024

class Work(L.LightningWork):
    def __init__(self):
        super().__init__(cache_calls=not REPEAT)
        self.pid, self.count, self.table = 0, 0, {}
    def run(self, number):
        self.pid = os.getpid()
        self.count += 1
        self.table[str(number % 100)] = number

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.work, self.n = Work(), 0
        self._since, self._turns, self._longest, self._last = time.perf_counter(), 0, 0.0, time.perf_counter()
    def run(self):
        now = time.perf_counter()
        self._turns, self._longest, self._last = self._turns + 1, max(self._longest, now - self._last), now
        if self.work.count > self.n:
            self.n = self.work.count
            if self.n % STEP == 0:
                self.tell()
            if self.n >= N:
                return self.stop()
        self.work.run(0 if REPEAT else self.n)
    def tell(self):
        took = time.perf_counter() - self._since
        size = sum(os.path.getsize(path) for path in glob.glob(os.path.join(RUNS, "*", "journal.db*")))
        row = (self.n, 1e6 * took / STEP, 1e6 * took / self._turns, 1e3 * self._longest, pss(os.getpid()), pss(self.work.pid), size / 2**20)
        with open(OUT, "a") as file:
            file.write(",".join(f"{value:.3f}" for value in row) + "\\n")
        self._since, self._turns, self._longest = time.perf_counter(), 0, 0.0

app = L.LightningApp(Root())
"""
COLUMNS = ["calls", "us_per_call", "us_per_turn", "longest_turn_ms", "host_pss_mib", "work_pss_mib", "journal_mib"]


def soak(calls: int, out: str, repeat: bool) -> None:
    path = Path(f"{out}.csv").absolute()
    path.write_text(",".join(COLUMNS) + "\n")
    with tempfile.TemporaryDirectory() as folder:
        app, runs = Path(folder, "app.py"), os.path.join(folder, "runs")
        app.write_text(APP)
        env = {
            **os.environ,
            "N": str(calls),
            "STEP": str(max(1, calls // 100)),
            "OUT": str(path),
            "RUNS": runs,
            "REPEAT": str(int(repeat)),
        }
        words = ["-m", "lightning_apps", "run", "app", str(app), "--run-dir", runs, "--without-server"]
        subprocess.run([sys.executable, *words], env=env, check=True, cwd=folder)
    tell(read(path))
    plot(read(path), f"{out}.svg")


def read(path: Path) -> list[dict[str, float]]:
    """The rows of a run."""
    return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(path.open())]


def tell(rows: list[dict[str, float]]) -> None:
    """The beginning beside the end, and what each call in between has left behind."""
    tenth = max(1, len(rows) // 10)
    first, last = rows[:tenth], rows[-tenth:]
    for name, part in (("first tenth", first), ("last tenth", last)):
        print(json.dumps({"of": name, **{c: round(sum(row[c] for row in part) / len(part), 1) for c in COLUMNS[1:]}}))
    calls = rows[-1]["calls"] - rows[tenth]["calls"]
    for name in ("host_pss_mib", "journal_mib"):
        grown = (rows[-1][name] - rows[tenth][name]) * 2**20 / max(1.0, calls)
        print(json.dumps({"of": "a call after the first tenth", f"{name[:-4]}_bytes": round(grown, 1)}))


PANELS = (
    ("microseconds", {"us_per_call": "a call", "us_per_turn": "a turn"}),
    ("milliseconds", {"longest_turn_ms": "longest turn of each hundredth, waiting included"}),
    (
        "MiB",
        {"host_pss_mib": "memory of the flow's process", "work_pss_mib": "of the work's", "journal_mib": "journal"},
    ),
)


def plot(rows: list[dict[str, float]], path: str) -> None:
    """Where matplotlib is installed."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        print('no plot: matplotlib is not installed (pip install "lightning-apps[bench]")', file=sys.stderr)
        return
    figure, places = pyplot.subplots(len(PANELS), 1, sharex=True, figsize=(8, 8))
    calls = [row["calls"] for row in rows]
    for place, (unit, lines) in zip(places, PANELS, strict=True):
        for name, label in lines.items():
            place.plot(calls, [row[name] for row in rows], label=label)
        place.set_ylim(bottom=0)
        place.set_ylabel(unit)
        place.legend(loc="best", fontsize="small")
    places[-1].set_xlabel("calls so far, each with other arguments")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--out", default="soak")
    parser.add_argument("--repeat-arguments", action="store_true")
    parser.add_argument("--plot-only", action="store_true", help="of OUT.csv")
    options = parser.parse_args()
    if options.plot_only:
        tell(read(Path(f"{options.out}.csv")))
        plot(read(Path(f"{options.out}.csv")), f"{options.out}.svg")
        sys.exit()
    soak(options.calls, options.out, options.repeat_arguments)
