"""Machines cut off, switched off and coming back, hosts killed: on a real Ray cluster, judged by what works wrote themselves."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

import history
from conftest import CommandLine, CommandProcess, eventually, marked
from engines.distant.ray_cluster import RayCluster

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]

APP = (
    history.APP
    + """
class Long(L.LightningWork):
    def __init__(self, patience):
        super().__init__(parallel=True, raise_exception=False, cloud_compute=L.CloudCompute(cpus=1, patience=patience))
        self.done, self.where = 0, ""

    def run(self, call):
        note(self, "begin", call)
        self.where = os.environ["MACHINE"]
        print("begun", call, "on", self.where, flush=True)
        while not os.path.exists(os.environ["FINISH"]):
            note(self, "beat", call)
            time.sleep(0.02)
        self.done += 1
        note(self, "end", call)

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        patience = os.environ.get("PATIENCE")
        self.w = Long(float(patience) if patience else None)

    def run(self):
        self.w.run(0)
        if self.w.has_succeeded:
            print("done", self.w.done)
            self.stop()

app = L.LightningApp(Root())
"""
)


class Scene:
    """One app on the cluster with one long call."""

    def __init__(self, cluster: RayCluster, line: CommandLine, patience: str = "") -> None:
        self.cluster, self.folder, self.line = cluster, line.folder, line
        self.history, self.finish_file = line.folder / "history", line.folder / "finish"
        self.history.touch()
        env = {"HISTORY": str(self.history), "FINISH": str(self.finish_file), "PATIENCE": patience}
        self.process: CommandProcess = cluster.run(line, line.app(APP), env=env)

    def entries(self, what: str) -> list[history.Entry]:
        return [entry for entry in history.entries(self.history) if entry.what == what]

    def until_begun(self, count: int = 1, timeout: float = 40.0) -> history.Entry:
        """Wait for so many beginnings; the last of them."""

        def begun() -> bool:
            assert self.process.process.poll() is None, self.process.report()
            return len(self.entries("begin")) >= count

        eventually(begun, timeout, what=self.process.report)
        return self.entries("begin")[-1]

    def machine_of(self, number: int) -> int:
        """Which machine the attempt with this number ran on."""
        names = [line.split()[-1] for line in self.process.stdout.splitlines() if line.startswith("begun")]
        return int(names[number - 1].rpartition("m")[2])

    def until_seen(self, number: int = 1) -> int:
        eventually(lambda: self.process.stdout.count("begun") >= number, 20.0, what=self.process.report)
        return self.machine_of(number)

    def say(self, *words: str) -> str:
        """A command in another terminal of machine 0; what it printed on stdout."""
        line = self.line
        command = [*self.cluster.lab[0].entering(self.folder), sys.executable, "-m", "lightning_apps", *words]
        process = line.execute(command)
        assert process.wait() == 0, process.report()
        return process.stdout

    def beats(self) -> bool:
        """Whether a call is going on."""
        before = len(self.entries("beat"))
        return bool(eventually(lambda: len(self.entries("beat")) > before, 3.0))

    def finish(self) -> dict[str, Any]:
        """Let the call end, wait for the app, judge."""
        self.finish_file.touch()
        assert self.process.wait(40.0) == 0, self.process.report()
        assert "done 1" in self.process.stdout, self.process.report()
        (journal,) = Path(self.folder).glob("home/.lightning-runs/*/journal.db")
        return history.check(self.history, str(journal), {"root.w": 1})


@pytest.fixture
def scene(cluster: RayCluster, command_line: CommandLine) -> Any:
    return lambda patience="": Scene(cluster, command_line, patience)


def host_of(process: CommandProcess, folder: Path) -> int:
    """The process of the flow, as this machine numbers it."""
    (path,) = folder.glob("home/.lightning-runs/*/host.json")
    inner = json.loads(path.read_text())["pid"]
    for pid in marked(process.mark):
        status = Path(f"/proc/{pid}/status").read_text()
        numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
        if int(numbers[-1]) == inner and (len(numbers) > 1 or pid == inner):
            return pid
    raise AssertionError("no host")


def test_a_call_whose_node_loses_its_raylet_runs_on_another_one(scene, cluster):
    play = scene()
    play.until_begun()
    machine = play.until_seen()

    cluster.daemons[machine].kill()  # with it, the minder's lifeline
    cluster.lab[machine].kill("/raylet/raylet ")
    play.until_begun(2)

    assert play.until_seen(2) != machine
    assert play.finish()["begun"] == 2
    cluster.reboot(machine)
    cluster.until(4)


def test_a_call_on_a_machine_that_is_switched_off_runs_on_another_when_its_patience_is_over(scene, cluster):
    play = scene("2")
    play.until_begun()
    machine = play.until_seen()

    cluster.lab[machine].off()
    play.until_begun(2)

    assert play.until_seen(2) != machine
    assert play.finish()["begun"] == 2
    cluster.reboot(machine)
    cluster.until(4)


def test_a_work_that_is_cut_off_for_less_than_its_patience_goes_on(scene, cluster):
    play = scene("20")
    play.until_begun()
    machine = play.until_seen()

    cluster.lab[machine].cut()
    eventually(lambda: "not heard" in play.process.stderr, 15.0)
    cluster.lab[machine].heal()

    assert play.beats()
    assert play.finish()["begun"] == 1


def test_a_work_that_is_cut_off_for_longer_has_ended_before_another_begins(scene, cluster):
    play = scene("2")
    play.until_begun()
    machine = play.until_seen()

    cluster.lab[machine].cut()
    play.until_begun(2)
    cluster.lab[machine].heal()

    assert play.until_seen(2) != machine
    assert play.finish()["begun"] == 2


def test_a_work_without_patience_is_left_alone_while_it_is_cut_off(scene, cluster):
    play = scene()
    play.until_begun()
    machine = play.until_seen()

    cluster.lab[machine].cut()
    eventually(lambda: "not heard" in play.process.stderr, 15.0)
    begun = len(play.entries("begin"))
    assert play.beats()
    cluster.lab[machine].heal()

    assert begun == 1
    assert play.finish()["begun"] == 1


def test_a_call_whose_machine_is_switched_off_waits_until_a_person_says_that_it_is_gone(scene, cluster):
    play = scene()
    play.until_begun()
    machine = play.until_seen()

    cluster.lab[machine].off()
    eventually(lambda: "not heard" in play.process.stderr, 15.0)
    eventually(lambda: "not heard" in play.say("works", "--json"), 10.0)
    why = play.say("why", "w")
    begun = len(play.entries("begin"))
    play.say("works", "abandon", "w")
    play.until_begun(2)

    assert begun == 1
    assert "`lightning works abandon root.w`" in why
    assert play.until_seen(2) != machine
    assert play.finish()["begun"] == 2
    cluster.reboot(machine)
    cluster.until(4)


def test_works_go_on_when_their_host_is_killed_and_the_next_one_takes_them_over(scene, cluster):
    play = scene()
    play.until_begun()
    play.until_seen()

    os.kill(host_of(play.process, play.folder), signal.SIGKILL)
    eventually(lambda: "another takes its place" in play.process.stderr, 15.0)

    assert play.beats()
    assert play.finish()["begun"] == 1


def test_a_call_ends_well_although_rays_head_has_died(scene, cluster):
    play = scene()
    play.until_begun()
    play.until_seen()

    cluster.kill_head()

    assert play.beats()
    assert play.finish()["begun"] == 1
