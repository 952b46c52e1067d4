"""Works, hosts and whole apps that do nothing for a while, since something holds or stops them: nothing is ended, nothing is lost."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import MARK, CommandLine, eventually, marked

HOLDS = """
import ctypes, os, sys, time
import lightning as L

class Held(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True, raise_exception=False)
        self.before, self.after, self.pid = [], [], 0

    def run(self):
        self.pid = os.getpid()
        for number in range(200):
            self.before.append(number)
        open("held", "w").close()
        ctypes.PyDLL(None).usleep(1_500_000)  # a C call that keeps the interpreter's lock: no thread of this process runs
        for number in range(200):
            self.after.append(number)
        return self.attempt

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.work = Held()

    def run(self):
        attempt = self.work.run()
        if self.work.has_succeeded:
            print(attempt, self.work.num_successes, self.work.before == self.work.after == list(range(200)), flush=True)
            self.stop()
        elif self.work.has_failed:
            self.fail(self.work.status.message)

app = L.LightningApp(Root())
"""


@pytest.mark.parametrize("killed", [False, True], ids=["host lives", "host is killed"])
def test_a_work_that_holds_the_interpreters_lock_is_left_alone_and_loses_nothing(
    command_line: CommandLine, killed: bool
) -> None:
    env = {"LIGHTNING_ORPHAN_LIMIT": "0.5", "LIGHTNING_GRACE": "0.5"}  # both shorter than it is held
    runs = command_line.folder / "runs"
    process = command_line.start(
        "run", "app", command_line.app(HOLDS), "--run-dir", runs, "--open-ui", "false", env=env
    )
    eventually((command_line.folder / "held").exists, 20, what=process.report)
    if killed:
        (run,) = [path for path in runs.iterdir() if path.is_dir()]
        os.kill(int(json.loads((run / "host.json").read_text())["pid"]), signal.SIGKILL)

    assert process.wait() == 0, process.report()
    assert process.stdout.split() == ["1", "1", "True"], process.report()
    assert ("another takes its place" in process.stderr) == killed
    process.assert_nothing_left()


BEATS = """
import os, time
import lightning as L

class Beat(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.n = 0

    def run(self):
        while not os.path.exists("enough"):
            self.n += 1
            with open("beats", "w") as file:
                file.write(str(self.n))
            time.sleep(0.01)
        return self.n

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.beat = Beat()

    def run(self):
        counted = self.beat.run()
        with open("turns", "a") as file:
            file.write(f"{os.getpid()}\\n")
        if self.beat.has_succeeded:
            print("counted", counted == self.beat.n, self.beat.attempt, flush=True)
            self.stop()

app = L.LightningApp(Root())
"""
SHELL = """
import fcntl, os, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
"""


class Terminal:
    """A shell with job control at a terminal of its own, as a person has it."""

    def __init__(self, line: CommandLine) -> None:
        self.folder, self.mark = line.folder, uuid.uuid4().hex
        self._master, slave = pty.openpty()
        os.set_blocking(self._master, False)
        environ = {**line.environ(), MARK: self.mark, "PS1": "ready> ", "TERM": "dumb"}
        self._shell = subprocess.Popen(
            [sys.executable, "-c", SHELL],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=self.folder,
            env=environ,
            start_new_session=True,
        )
        os.close(slave)
        self._read = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def shown(self) -> str:
        try:
            self._read += os.read(self._master, 1 << 16).decode(errors="replace")
        except OSError:
            """Nothing new."""
        return self._read

    def until(self, text: str) -> None:
        """What is shown behind what was waited for before."""
        eventually(lambda: text in self.shown(), 20, what=lambda: f"{text!r} at the terminal:\n{self.shown()}")
        self._read = self._read.partition(text)[2]

    def close(self) -> None:
        while left := marked(self.mark):
            for pid in left:
                os.kill(pid, signal.SIGKILL)
        self._shell.wait()
        os.close(self._master)


@pytest.fixture
def terminal(command_line: CommandLine) -> Iterator[Terminal]:
    if shutil.which("bash") is None:
        pytest.skip("bash is not there")
    made = Terminal(command_line)
    yield made
    made.close()


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_ctrl_z_stops_the_flow_and_not_its_works_and_fg_goes_on(command_line: CommandLine, terminal: Terminal) -> None:
    folder, file = command_line.folder, command_line.app(BEATS)
    beats, turns = folder / "beats", folder / "turns"
    terminal.until("ready> ")
    terminal.type(f"{sys.executable} -m lightning_apps run app {file} --open-ui false; echo code=$?\n")
    eventually(lambda: turns.exists() and turns.read_bytes().count(b"\n") > 5, 20, what=terminal.shown)
    host = int(turns.read_text().split()[0])

    terminal.type("\x1a")
    terminal.until("Stopped")
    assert state_of(host) == "T"
    seen, there = turns.read_bytes(), int(beats.read_text() or 0)
    eventually(lambda: int(beats.read_text() or 0) > there + 20)
    assert turns.read_bytes() == seen
    terminal.type("fg\n")
    eventually(lambda: turns.read_bytes() != seen, 20, what=terminal.shown)
    (folder / "enough").touch()

    terminal.until("counted True 1")
    assert {int(pid) for pid in turns.read_text().split()} == {host}
    eventually(lambda: len(marked(terminal.mark)) == 1, what=lambda: str(marked(terminal.mark)))


def test_ctrl_c_after_ctrl_z_and_fg_ends_everything(command_line: CommandLine, terminal: Terminal) -> None:
    turns, file = command_line.folder / "turns", command_line.app(BEATS)
    terminal.until("ready> ")
    terminal.type(f"{sys.executable} -m lightning_apps run app {file} --open-ui false\n")
    eventually(lambda: turns.exists() and turns.read_bytes().count(b"\n") > 5, 20, what=terminal.shown)
    terminal.type("\x1a")
    terminal.until("Stopped")
    terminal.type("fg\n")
    terminal.until("fg")

    terminal.type("\x03")

    eventually(lambda: len(marked(terminal.mark)) == 1, 20, what=lambda: str(marked(terminal.mark)))
    terminal.type("echo code=$?\n")
    terminal.until("code=130")
