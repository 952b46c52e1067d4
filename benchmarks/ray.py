#!/usr/bin/env python3
"""Works on a Ray cluster beside plain Ray actors, in one run: machines are namespaces of this one, joined by a bridge; needs root.

usage: .venv/bin/python benchmarks/ray.py [--repeat 5] [--patience 3]      prints one JSON object a line: medians, in seconds
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from conftest import CommandLine, eventually
from engines.distant.ray_cluster import RayCluster
from lab import Lab

WORKS = """
import os, time
import lightning as L

class Work(L.LightningWork):
    def __init__(self):
        super().__init__(cloud_compute=L.CloudCompute(cpus=1), start_with_flow=False)
        self.began = 0.0

    def run(self, number):
        self.began = time.time()

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        repeat = int(os.environ["REPEAT"])
        self.works = L.structures.List(*(Work() for _ in range(repeat)))
        self._asked, self._seen = {}, {}

    def run(self):
        for work in self.works:
            asked = self._asked.setdefault(work.name, time.time())
            work.run(0)
            if work.name not in self._seen:
                self._seen[work.name] = work.began - asked
                work.stop()
        print("start", *self._seen.values(), flush=True)
        self.stop()

app = L.LightningApp(Root())
"""
CALLS = """
import os, time
import lightning as L

class Work(L.LightningWork):
    def __init__(self):
        super().__init__(cloud_compute=L.CloudCompute(cpus=1))

    def run(self, number):
        pass

class Tells(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True, cloud_compute=L.CloudCompute(cpus=1))
        self.at = 0.0

    def run(self):
        for _ in range(400):
            self.at = time.time()
            time.sleep(0.005)

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.work, self.tells = Work(), Tells()
        self._number, self._since, self._late, self._last = 0, 0.0, [], 0.0

    def run(self):
        self.tells.run()
        if self.tells.at != self._last:
            self._late.append(time.time() - self.tells.at)
            self._last = self.tells.at
        if not self.tells.has_succeeded:
            return
        while self._number < 500:
            self.work.run(self._number)
            self._number += 1
            if self._number == 1:
                self._since = time.time()
        print("call", (time.time() - self._since) / 499, flush=True)
        print("state", *self._late[10:], flush=True)
        self.stop()

app = L.LightningApp(Root())
"""
FILES = """
import os, time
import lightning as L
from lightning.app.storage import Path

class Writer(L.LightningWork):
    def __init__(self):
        super().__init__(cloud_compute=L.CloudCompute(cpus=2))
        self.path, self.since = None, 0.0

    def run(self, number):
        with open("big.bin", "wb") as file:
            file.write(os.urandom(100 << 20))
        self.since = time.time()
        self.path = Path("big.bin")

class Reader(L.LightningWork):
    def __init__(self):
        super().__init__(cloud_compute=L.CloudCompute(cpus=2))
        self.took = 0.0

    def run(self, path, since, number):
        with open(path, "rb") as file:
            assert len(file.read()) == 100 << 20
        self.took = time.time() - since

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.writer, self.reader = Writer(), Reader()
        self._took = []

    def run(self):
        for number in range(int(os.environ["REPEAT"])):
            self.writer.run(number)
            self.reader.run(self.writer.path, self.writer.since, number)
            if len(self._took) == number:
                self._took.append(self.reader.took)
        print("file", *self._took, flush=True)
        self.stop()

app = L.LightningApp(Root())
"""
LOSS = """
import os, time
import lightning as L

class Work(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True, cloud_compute=L.CloudCompute(cpus=1, patience=float(os.environ["PATIENCE"])))

    def run(self):
        print("begun", os.uname().nodename, flush=True)
        with open(os.environ["BEGUN"], "a") as file:
            file.write(f"{time.time()} {os.uname().nodename}\\n")
        while not os.path.exists(os.environ["FINISH"]):
            time.sleep(0.01)

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.work = Work()

    def run(self):
        self.work.run()
        if self.work.has_succeeded:
            self.stop()

app = L.LightningApp(Root())
"""
PLAIN = """
import json, os, sys, time
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On

address, own_ip, repeat = sys.argv[1], sys.argv[2], int(sys.argv[3])
ray.init(address=address, _node_ip_address=own_ip, log_to_driver=False, logging_level="error")

@ray.remote(num_cpus=1)
class Actor:
    def began(self):
        return time.time()

    def nothing(self, number):
        pass

    def make(self):
        data = os.urandom(100 << 20)
        return time.time(), [ray.put(data)]

    def take(self, since, boxed):
        value = ray.get(boxed[0])
        assert len(value) == 100 << 20
        return time.time() - since

started = []
for _ in range(repeat):
    asked = time.time()
    actor = Actor.remote()
    started.append(ray.get(actor.began.remote()) - asked)
    ray.kill(actor)
print("start", *started)
actor = Actor.remote()
ray.get(actor.nothing.remote(0))
began = time.time()
for number in range(500):
    ray.get(actor.nothing.remote(number))
print("call", (time.time() - began) / 500)
nodes = [n["NodeID"] for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU")]
one, other = (Actor.options(num_cpus=0, scheduling_strategy=On(node, soft=False)).remote() for node in nodes[:2])
took = []
for _ in range(repeat):
    since, boxed = ray.get(one.make.remote())
    took.append(ray.get(other.take.remote(since, boxed)))
print("file", *took)
"""


def say(what: str, **figures: Any) -> None:
    """One line."""
    print(json.dumps({"case": what, "load": round(os.getloadavg()[0], 1), **figures}), flush=True)


def median(values: list[float]) -> float:
    return round(statistics.median(values), 5)


def told(output: str) -> dict[str, list[float]]:
    """Lines of a word and numbers."""
    lines = (line.split() for line in output.splitlines())
    return {
        words[0]: [float(word) for word in words[1:]]
        for words in lines
        if words and words[0] in ("start", "call", "state", "file")
    }


class Bench:
    """The cluster and what is run on it."""

    def __init__(self, cluster: RayCluster, line: CommandLine, repeat: int) -> None:
        self.cluster, self.line, self.repeat = cluster, line, repeat

    def app(self, text: str, **env: str) -> dict[str, list[float]]:
        env = {"REPEAT": str(self.repeat), **env}
        process = self.cluster.run(self.line, self.line.app(text), "--without-server", env=env)
        if process.wait(180.0):
            raise SystemExit(process.report())
        return told(process.stdout)

    def spawned(self) -> list[float]:
        """Our process start: a work's call to its run(), on one machine, in a fresh interpreter."""
        app = self.line.app(WORKS)
        env = {"LIGHTNING_START_METHOD": "spawn", "REPEAT": str(self.repeat)}
        process = self.line.start("run", "app", app, "--without-server", env=env)
        if process.wait(60.0):
            raise SystemExit(process.report())
        return told(process.stdout)["start"]

    def plain(self) -> dict[str, list[float]]:
        cluster = self.cluster
        command = [
            *cluster.lab[0].entering(),
            sys.executable,
            "-c",
            PLAIN,
            cluster.address,
            cluster.lab[0].ip,
            str(self.repeat),
        ]
        done = subprocess.run(
            command, env={**os.environ, **cluster.environ}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        return told(done.stdout)

    def loss(self, patience: float, lose: Callable[[int], None]) -> float:
        """Seconds from the loss of a node to the call running elsewhere."""
        begun, finish = self.line.folder / f"begun{time.time()}", self.line.folder / f"finish{time.time()}"
        begun.touch()
        env = {"PATIENCE": str(patience), "BEGUN": str(begun), "FINISH": str(finish)}
        process = self.cluster.run(self.line, self.line.app(LOSS), "--without-server", env=env)
        eventually(lambda: "begun" in process.stdout, 60.0, what=process.report)
        machine = int(begun.read_text().split()[1].rpartition("m")[2])
        at = time.time()
        lose(machine)
        eventually(lambda: len(begun.read_text().splitlines()) == 2, 60.0, what=process.report)
        took = float(begun.read_text().splitlines()[1].split()[0]) - at
        finish.touch()
        process.wait(60.0)
        return took


def measure(bench: Bench, patience: float) -> None:
    cluster = bench.cluster
    ours, spawned, plain = bench.app(WORKS), bench.spawned(), bench.plain()
    say("call to run()", ours=median(ours["start"]), actor=median(plain["start"]), spawned=median(spawned))
    calls = bench.app(CALLS)
    say("blocking call", ours=median(calls["call"]), actor=median(plain["call"]))
    late = sorted(calls["state"])
    say("state to flow", p50=median(late), p99=round(late[int(len(late) * 0.99)], 5))
    files = median(bench.app(FILES)["file"])
    say("100 MB made there, read here", ours=files, actor=median(plain["file"]), ours_holds="hash checked, on disk")

    def cut(machine: int) -> None:
        cluster.lab[machine].cut()

    took = bench.loss(patience, cut)
    say("cut to running elsewhere", ours=round(took, 3), patience=patience, beyond=round(took - patience, 3))
    for machine in cluster.lab.machines:
        machine.heal()

    def kill(machine: int) -> None:
        cluster.daemons[machine].kill()
        cluster.lab[machine].kill("/raylet/raylet ")

    say("node's Ray killed to running elsewhere", ours=round(bench.loss(patience, kill), 3))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--patience", type=float, default=3.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Lab(4) as lab:
        cluster, line = RayCluster(lab), CommandLine(Path(folder))
        try:
            cluster.start()
            measure(Bench(cluster, line, options.repeat), options.patience)
        finally:
            for process in line.started:
                process.end()
            cluster.end()


if __name__ == "__main__":
    main()
