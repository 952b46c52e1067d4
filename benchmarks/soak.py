#!/usr/bin/env python3
"""Many calls and as many changes through one app: memory, journal and time per call over the run, as CSV and as a plot.

usage: benchmarks/soak.py [--calls 100000] [--out soak] [--repeat-arguments]

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
        words = ["-m", "lightning_apps", "run", "app", str(app), "--run-dir", runs, "--open-ui=false"]
        subprocess.run([sys.executable, *words], env=env, check=True, cwd=folder)
    rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(path.open())]
    tenth = max(1, len(rows) // 10)
    first, last = rows[:tenth], rows[-tenth:]
    for name, part in (("first tenth", first), ("last tenth", last)):
        print(json.dumps({"of": name, **{c: round(sum(row[c] for row in part) / len(part), 1) for c in COLUMNS[1:]}}))
    plot(rows, f"{out}.png")


def plot(rows: list[dict[str, float]], path: str) -> None:
    """Where matplotlib is installed."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        print("no plot: matplotlib is not installed", file=sys.stderr)
        return
    figure, places = pyplot.subplots(3, 1, sharex=True, figsize=(8, 8))
    calls = [row["calls"] for row in rows]
    for place, names in zip(places, (COLUMNS[1:3], COLUMNS[4:6], COLUMNS[6:]), strict=True):
        for name in names:
            place.plot(calls, [row[name] for row in rows], label=name)
        place.set_ylim(bottom=0)
        place.legend()
    places[-1].set_xlabel("calls")
    figure.savefig(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--out", default="soak")
    parser.add_argument("--repeat-arguments", action="store_true")
    options = parser.parse_args()
    soak(options.calls, options.out, options.repeat_arguments)
