"""Whatever is killed at whatever moment: every call is done, never in two places, and the flow's state is exact.  On a real Ray cluster."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

import history
from conftest import CommandLine, eventually
from engines.distant.ray_cluster import RayCluster
from engines.distant.test_ray_losses import host_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]

APP = (
    history.APP
    + """
class Short(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True, retries=50, cloud_compute=L.CloudCompute(cpus=1, patience=2))
        self.sum = 0

    def run(self, call):
        note(self, "begin", call)
        for _ in range(10):
            time.sleep(0.02)
            note(self, "beat", call)
        self.sum += call
        note(self, "end", call)

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.a, self.b = Short(), Short()
        self.calls = 0

    def run(self):
        go_on = not os.path.exists(os.environ["FINISH"])
        for call in range(self.calls):
            self.a.run(call)
            self.b.run(call)
        if not (self.a.has_succeeded and self.b.has_succeeded) and self.calls:
            return
        if go_on:
            self.calls += 1
        else:
            print("done", self.calls, self.a.sum, self.b.sum, flush=True)
            self.stop()

app = L.LightningApp(Root())
"""
)
KINDS = ("host", "broker", "minder", "worker", "raylet", "cut")
WORDS = {
    "broker": "lightning_apps.engines.ray_broker",
    "minder": "lightning_apps.engines.minding.minder",
    "worker": "lightning_apps.worker.spawned",
}


class Chaos:
    """One app and what happens to it."""

    def __init__(self, cluster: RayCluster, line: CommandLine) -> None:
        self.cluster, self.folder = cluster, line.folder
        self.history, self.finish = line.folder / "history", line.folder / "finish"
        self.history.touch()
        env = {"HISTORY": str(self.history), "FINISH": str(self.finish)}
        self.process = cluster.run(line, line.app(APP), "--without-server", env=env)
        self.machines = cluster.lab.machines[1:]

    def ends(self) -> int:
        return sum(entry.what == "end" for entry in history.entries(self.history))

    def progress(self, count: int = 3) -> None:
        """Wait until some more calls have ended."""
        before = self.ends()

        def further() -> bool:
            assert self.process.process.poll() is None, self.process.report()
            return self.ends() >= before + count

        eventually(further, 60.0, what=self.process.report)

    def happen(self, kind: str, choice: random.Random) -> None:
        machine = choice.choice(self.machines)
        if kind == "host":
            os.kill(host_of(self.process, self.folder), signal.SIGKILL)
        elif kind == "cut":
            machine.cut()
        elif kind == "raylet":
            self.cluster.daemons[machine.number].kill()
            machine.kill("/raylet/raylet ")
            self.cluster.reboot(machine.number)
        else:
            places = [self.cluster.lab[0]] if kind == "broker" else self.machines
            for place in choice.sample(places, len(places)):
                with contextlib.suppress(AssertionError):  # none there
                    place.kill(WORDS[kind])
                    return

    def heal(self) -> None:
        for machine in self.machines:
            machine.heal()

    def judge(self) -> dict[str, Any]:
        self.finish.touch()
        assert self.process.wait(90.0) == 0, self.process.report()
        done, one, other = map(int, self.process.stdout.split("done ")[1].split()[:3])
        assert one == other == sum(range(done)), self.process.report()
        (journal,) = Path(self.folder).glob("home/.lightning-runs/*/journal.db")
        return history.check(self.history, str(journal), {"root.a": done, "root.b": done})


@pytest.mark.parametrize("seed", range(int(os.environ.get("CHAOS_SEEDS", "2"))))
def test_every_call_is_done_once_whatever_is_killed(cluster: RayCluster, command_line: CommandLine, seed: int) -> None:
    choice, chaos = random.Random(seed), Chaos(cluster, command_line)
    chaos.progress()
    moments = [[kind] for kind in KINDS[:4]] + [choice.sample(KINDS, 2)]
    choice.shuffle(moments)

    for kinds in moments:
        for kind in kinds:
            sys.stderr.write(f"{kind} ")
            chaos.happen(kind, choice)
        chaos.heal() if choice.random() < 0.5 else chaos.progress(2)
        chaos.heal()
        chaos.progress()

    assert chaos.judge()["calls"] > 10
