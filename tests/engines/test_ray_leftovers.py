"""When all of an app's own machine is killed at once, nothing of it stays on the cluster: no process, no actor, no placement group."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import CommandLine, CommandProcess, eventually
from lightning_apps.engines import process_tree

APP = """
import os, subprocess, sys, time
import lightning as L

class Member(L.LightningWork):
    def __init__(self, gang):
        super().__init__(parallel=True, cloud_compute=L.CloudCompute(cpus=0.5, gang=gang))

    def run(self):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
        print("pids", os.getpid(), child.pid, os.getppid(), flush=True)
        time.sleep(1000)

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        gang = L.Gang("left behind", 2)
        self.a, self.b = Member(gang), Member(gang)

    def run(self):
        self.a.run()
        self.b.run()

app = L.LightningApp(Root())
"""
LOOK = """
import ray, sys
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="error", _node_ip_address="127.0.0.1")
def left():
    actors = [each["name"] for each in ray.util.list_named_actors(all_namespaces=True) if each["namespace"] == sys.argv[2]]
    groups = [each for each in ray.util.placement_group_table().values() if each["name"].startswith("left behind")]
    return actors or [each["state"] for each in groups if each["state"] != "REMOVED"]
import time
until = time.monotonic() + 60
while left() and time.monotonic() < until:
    time.sleep(0.2)
print(left())
"""


def pids(process: CommandProcess) -> list[int]:
    """Of two workers, what they started, and their minders."""
    lines = [line.split() for line in process.stdout.splitlines() if line.startswith("pids")]
    return [int(word) for line in lines for word in line[1:]]


@pytest.mark.slow
def test_nothing_of_an_app_stays_on_the_cluster_when_its_machine_dies(
    command_line: CommandLine, ray_here: dict[str, str]
) -> None:
    env = {**ray_here, "LIGHTNING_REMOTE_ORPHAN_LIMIT": "2", "LIGHTNING_ENGINE": "ray", "LIGHTNING_LOG_PREFIX": "never"}
    process = command_line.start("run", "app", command_line.app(APP), "--without-server", env=env)
    eventually(lambda: len(pids(process)) == 6, 40.0, what=process.report)

    here = list(process.living())
    for pid in here:  # keeper, host and broker at once
        process_tree.send_signal(pid, signal.SIGKILL)

    eventually(lambda: not any(process_tree.look(pid) for pid in pids(process)), 15.0, what=process.report)
    (run,) = Path(command_line.folder).glob("home/.lightning-runs/2*")
    look = [sys.executable, "-c", LOOK, ray_here["LIGHTNING_ADDRESS"], run.name]
    left = subprocess.run(look, env={**os.environ, **ray_here}, capture_output=True, text=True, timeout=90, check=True)
    assert left.stdout.strip() == "[]"


START = """
import os, sys
from lightning_apps.engines import ray_launcher
print(ray_launcher.start_head(sys.argv[1]).pid, flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_cluster_of_our_own_ends_with_who_started_it_and_the_next_one_removes_its_folder(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    left, used_by_nobody_of_ours = tmp_path / f"ray-{os.getuid()}-left", tmp_path / f"ray-{os.getuid()}-other"
    (tmp_path / f"{left.name}.use").touch()
    left.mkdir(), used_by_nobody_of_ours.mkdir()

    started = subprocess.run(
        [sys.executable, "-c", START, str(tmp_path)], env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE, text=True, timeout=30, check=False,
    )  # fmt: skip

    assert started.returncode == -signal.SIGKILL
    eventually(lambda: process_tree.look(int(started.stdout)) is None, 15.0)
    assert not left.exists() and used_by_nobody_of_ours.exists()
