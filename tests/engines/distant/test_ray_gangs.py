"""A gang on a real Ray cluster: on machines of their own, a member that is lost comes back, and nothing of the gang is left."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from conftest import CommandLine, eventually
from engines.distant.ray_cluster import RayCluster

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]

APP = """
import os, time
import lightning as L

class Node(L.LightningWork):
    def __init__(self, cpus):
        compute = L.CloudCompute(cpus=cpus, patience=2, gang=L.Gang("train", 2, "strict_spread"))
        super().__init__(parallel=True, start_with_flow=False, cloud_compute=compute)

    def run(self):
        print("begun", self.name, self.attempt, os.environ["MACHINE"], flush=True)
        while not os.path.exists(os.environ["FINISH"]):
            time.sleep(0.02)

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.a, self.b = Node(2), Node(2)

    def run(self):
        for work in (self.a, self.b):
            work.run()
        if self.a.has_succeeded and self.b.has_succeeded:
            print("done")
            self.stop()

app = L.LightningApp(Root())
"""
GROUPS = """
import ray, sys
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="error", _node_ip_address=sys.argv[2])
print([each["state"] for each in ray.util.placement_group_table().values()])
"""


def test_a_member_of_a_gang_that_is_cut_off_begins_anew_on_another_machine_and_the_other_goes_on(
    cluster: RayCluster, command_line: CommandLine
) -> None:
    finish = command_line.folder / "finish"
    process = cluster.run(command_line, command_line.app(APP), env={"FINISH": str(finish)})

    def begun(count: int) -> list[list[str]]:
        def seen() -> list[list[str]]:
            assert process.process.poll() is None, process.report()
            return [line.split() for line in process.stdout.splitlines() if line.startswith("begun")]

        eventually(lambda: len(seen()) >= count, 40.0, what=process.report)
        return seen()

    first = {name: machine for _, name, _, machine in begun(2)}
    lost = cluster.lab[int(first["root.a"].rpartition("m")[2])]
    lost.cut()
    again = begun(3)[2]
    lost.heal()
    finish.touch()

    assert process.wait(40.0) == 0, process.report()
    assert again[1:3] == ["root.a", "2"] and len({*first.values(), again[3]}) == 3
    assert process.stdout.count("begun") == 3
    assert "CREATED" not in groups(cluster) and "PENDING" not in groups(cluster)


def groups(cluster: RayCluster) -> str:
    """The states of all placement groups."""
    command = [*cluster.lab[0].entering(), sys.executable, "-c", GROUPS, cluster.address, str(cluster.lab[0].ip)]
    done = subprocess.run(
        command, env={**os.environ, **cluster.environ}, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout
