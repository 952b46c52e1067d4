"""The same ends with real apps: the command line, `app.run()` in a script, and the portable ways."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

APP = """
import sys, time
import lightning as L

class Work(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)

    def run(self):
        print("up", self.name, flush=True)
        while True:
            time.sleep(1000)

    def on_exit(self):
        print("left", self.name, flush=True)

class Flow(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.a, self.b = Work(), Work()

    def run(self):
        self.a.run()
        self.b.run()

app = L.LightningApp(Flow())
if __name__ == "__main__" and "--here" in sys.argv:
    sys.exit(app.run())
"""
ROLES = {
    "command": ("keeper", "zygote", "host"),
    "script": ("host", "keeper", "zygote"),
    "portable": ("keeper", "host"),
}
WAYS = list(ROLES)


@pytest.fixture
def start(command_line: Any) -> Any:
    """Starts the app in one of the ways and waits until both works run; gives the process and its parts' numbers."""

    def start(way: str, **more: str) -> tuple[Any, dict[str, int]]:
        path = command_line.app(APP)
        env = {"LIGHTNING_ORPHAN_LIMIT": "1", "LIGHTNING_PORTABLE": "1" if way == "portable" else "0", **more}
        if way == "script":
            process = command_line.execute([sys.executable, str(path), "--here"], env=env)
        else:
            process = command_line.start("run", "app", path, env=env)
        process.wait_for("up root.a")
        process.wait_for("up root.b")
        return process, dict(zip(ROLES[way], sorted(process.living()), strict=False))

    return start


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_real_app(start: Any, way: str, number: int, code: int) -> None:
    process, _ = start(way)

    process.interrupt() if number == signal.SIGINT else process.signal(number)

    assert process.wait() == code
    process.assert_nothing_left(0)
    assert sorted(line for line in process.stdout.splitlines() if "left" in line) == ["left root.a", "left root.b"]
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize("way", ["command", "portable"])
def test_a_killed_host_without_a_journal_ends_a_real_app_with_1(start: Any, way: str) -> None:
    process, parts = start(way, LIGHTNING_DURABILITY="memory")

    os.kill(parts["host"], signal.SIGKILL)

    assert process.wait() == 1
    process.assert_nothing_left(0)
    assert "SIGKILL" in process.stderr


@pytest.mark.parametrize("way", ["command", "portable"])
def test_a_killed_host_is_replaced_and_its_works_go_on(start: Any, way: str, eventually: Any) -> None:
    process, parts = start(way)
    works = set(process.living()) - set(parts.values())

    os.kill(parts["host"], signal.SIGKILL)
    eventually(lambda: "another takes its place" in process.stderr)
    eventually(lambda: len(set(process.living()) - works) >= len(parts))
    process.interrupt()

    assert process.wait() == 130
    process.assert_nothing_left(0)
    assert process.stdout.count("up root.a") == process.stdout.count("up root.b") == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("killed", [["keeper"], ["keeper", "host"]], ids=["keeper", "both"])
def test_a_real_app_whose_keeper_is_killed_leaves_nothing(start: Any, way: str, killed: list[str]) -> None:
    process, parts = start(way)

    for name in killed:
        os.kill(parts[name], signal.SIGKILL)

    process.wait()
    process.assert_nothing_left(10)


@pytest.mark.parametrize("way", ["command", "script"])
def test_a_killed_zygote_ends_nothing_of_a_real_app(start: Any, way: str, eventually: Any) -> None:
    process, parts = start(way)

    os.kill(parts["zygote"], signal.SIGKILL)

    eventually(lambda: parts["zygote"] not in process.living() and len(process.living()) == 6)  # with a spare
    assert "left" not in process.stdout
    process.interrupt()
    assert process.wait() == 130
    process.assert_nothing_left(0)


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(0, 300, 15))
def test_ctrl_c_at_any_moment_of_the_command_line_leaves_nothing_and_says_nothing(
    command_line: Any, moment: int
) -> None:
    process = command_line.start("run", "app", command_line.app(APP))

    with contextlib.suppress(subprocess.TimeoutExpired):
        process.process.wait(moment / 1000)
    process.interrupt()

    assert process.wait(10) in (130, -signal.SIGINT, 1)
    process.assert_nothing_left(1)
    assert "lightning_apps/cli" not in process.stderr, process.stderr  # Python's own start may say where it was
