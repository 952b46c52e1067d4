#!/usr/bin/env python3
"""How long an app is without its flow when the host is killed: SIGKILL to the first turn of the next, and to news from every work.

usage: benchmarks/failover.py [--works 4] [--kills 7]      prints one JSON object: seconds, smallest, median and largest
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

APP = """
import os, time
import lightning as L

class Beat(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.at = 0.0

    def run(self):
        while True:
            self.at = time.time()
            time.sleep(0.01)

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.beats = L.structures.List(*(Beat() for _ in range(int(os.environ["WORKS"]))))
        self._began = 0.0
        self._told = False

    def run(self):
        self._began = self._began or time.time()
        for beat in self.beats:
            beat.run()
        if not self._told and all(beat.at > self._began for beat in self.beats):
            self._told = True
            print("all", os.getpid(), self._began, time.time(), flush=True)

app = L.LightningApp(Root())
"""


def next_line(process: "subprocess.Popen[str]") -> tuple[int, float, float]:
    """The host's process, when it began its first turn, and when it had heard of every work."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("all "):
            _, pid, began, told = line.split()
            return int(pid), float(began), float(told)
    raise SystemExit("the app has ended")


def spread(values: list[float]) -> list[float]:
    return [round(value, 3) for value in (min(values), statistics.median(values), max(values))]


def measure(works: int, kills: int) -> dict[str, Any]:
    turns, news = [], []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "app.py")
        file.write_text(APP)
        words = [
            sys.executable,
            "-m",
            "lightning_apps",
            "run",
            "app",
            str(file),
            "--run-dir",
            folder,
            "--open-ui",
            "false",
        ]
        env = {**os.environ, "WORKS": str(works), "LIGHTNING_RESTARTS": str(kills + 1)}
        process = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            host, _, _ = next_line(process)
            for _ in range(kills):
                time.sleep(0.3)  # it goes on for a while
                killed = time.time()
                os.kill(host, signal.SIGKILL)
                host, began, told = next_line(process)
                turns.append(began - killed)
                news.append(told - killed)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()
    return {"works": works, "kills": kills, "first turn": spread(turns), "news from every work": spread(news)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--works", type=int, default=4)
    parser.add_argument("--kills", type=int, default=7)
    print(json.dumps(measure(**vars(parser.parse_args()))))
