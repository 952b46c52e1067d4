"""Real apps whose processes are killed and stopped at random moments: everything is done, once, and the state adds up."""

from __future__ import annotations

import errno
import itertools
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import history
from conftest import CommandLine, CommandProcess, eventually

APP = (
    history.APP
    + """
N = int(os.environ["CALLS"])

class Adder(L.LightningWork):
    def __init__(self, parallel):
        super().__init__(parallel=parallel, retries=1000, backoff=0.02, start_with_flow=False, raise_exception=False)
        self.total, self.seen, self.table = 0, [], {}

    def run(self, call):
        note(self, "begin", call)
        self.total += call
        self.seen.append(call)
        time.sleep(0.02)
        self.table[call] = self.total
        note(self, "end", call)
        return call

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = Adder(True), Adder(True), Adder(False)
        self.sum, self.turns = 0, 0

    def run(self):
        for call in range(N):
            self.a.run(call)
            self.b.run(call)
        self.sum = sum(self.c.run(call) for call in range(N))
        if self.a.num_successes == N and self.b.num_successes == N:
            works = {w.name: [w.total, list(w.seen), len(w.table)] for w in (self.a, self.b, self.c)}
            with open(os.environ["FINAL"], "w") as file:
                file.write(json.dumps({"sum": self.sum, "works": works}))
            self.stop()

app = L.LightningApp(Root())
"""
)


class Run:
    """One app through all its lives; `disk`: a file system with little room, for its journal; `way`: variables, as for an engine."""

    def __init__(
        self, line: CommandLine, calls: int, seed: int, disk: Path | None = None, way: Mapping[str, str] = {}
    ) -> None:
        self.line, self.calls, self.rng = line, calls, random.Random(seed)
        self.history, self.final = line.folder / "history", line.folder / "final"
        self.history.touch()
        self.file, self.runs = line.app(APP), (disk or line.folder) / "runs"
        self.told = {"HISTORY": str(self.history), "FINAL": str(self.final), "CALLS": str(calls)}
        self.way = way
        self.process = self.start()

    def start(self, *more: str) -> CommandProcess:
        words = [word for name, value in self.told.items() for word in ("--env", f"{name}={value}")]
        words += ["--run-dir", str(self.runs), "--open-ui", "false", *more]
        return self.line.start("run", "app", self.file, *words, env=self.way)

    @property
    def folder(self) -> Path:
        (folder,) = [path for path in self.runs.iterdir() if path.is_dir()]
        return folder

    def lines(self) -> int:
        return self.history.read_bytes().count(b"\n")

    def moment(self, most: int = 12) -> bool:
        """Some more lines of history, and a little; whether the app still goes on."""
        wanted = self.lines() + self.rng.randrange(1, most)
        eventually(lambda: self.lines() >= wanted or self.over(), 30, what=self.process.report)
        time.sleep(self.rng.random() * 0.03)  # any moment will do, and not only those right behind a line
        return not self.over()

    def over(self) -> bool:
        return self.final.exists() or self.process.process.poll() is not None

    def host(self) -> int:
        """The host's process."""
        return int(json.loads((self.folder / "host.json").read_bytes())["pid"])

    def works(self) -> list[int]:
        """The processes of works that have run something."""
        found = dict.fromkeys(entry.pid for entry in history.entries(self.history))
        return [pid for pid in found if Path(f"/proc/{pid}").exists()]

    def finish(self, timeout: float = 60.0) -> dict[str, Any]:
        """Wait for the end, and look at everything."""
        assert self.process.wait(timeout) == 0, self.process.report()
        self.process.assert_nothing_left(5.0)
        names = ("root.a", "root.b", "root.c")
        told = history.check(self.history, str(self.folder / "journal.db"), dict.fromkeys(names, self.calls))
        every = sum(range(self.calls))
        final = json.loads(self.final.read_text())
        assert final["sum"] == every
        for name in names:
            total, seen, table = final["works"][name]
            assert (total, sorted(seen), table) == (every, list(range(self.calls)), self.calls), name
        return told


def kill_a_work(run: Run) -> None:
    send(run.rng.choice(run.works() or [0]), signal.SIGKILL)


def kill_a_work_in_a_call(run: Run) -> None:
    """One that is surely in the middle of a call: it is looked at while it stands still."""

    def struck() -> bool:
        for pid in run.works():
            send(pid, signal.SIGSTOP)
            eventually(lambda pid=pid: state_of(pid) in "TZX", what=f"{pid} stands still")
            said = [entry.what for entry in history.entries(run.history) if entry.pid == pid]
            send(pid, signal.SIGKILL if said[-1] == "begin" else signal.SIGCONT)
            if said[-1] == "begin":
                return True
        return run.over()

    eventually(struck, 30, what=run.process.report)


def state_of(pid: int) -> str:
    """One letter, as in proc(5); X for one that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def kill_everything(run: Run) -> None:
    run.process.end()
    run.process = run.start("--resume", run.folder.name)


def kill_the_host(run: Run) -> None:
    send(run.host(), signal.SIGKILL)


def kill_host_and_work(run: Run) -> None:
    host, works = run.host(), run.works()
    for pid in run.rng.sample([host, *works[:1]], len([host, *works[:1]])):
        send(pid, signal.SIGKILL)


def stop_a_while(pids: list[int], seconds: float) -> None:
    for pid in pids:
        send(pid, signal.SIGSTOP)
    time.sleep(seconds)  # that long they do nothing
    for pid in pids:
        send(pid, signal.SIGCONT)


def stop_a_work(run: Run) -> None:
    stop_a_while(run.works()[:1], 0.2)


def stop_the_host(run: Run) -> None:
    stop_a_while([run.host()], 0.2)


def stop_both(run: Run) -> None:
    stop_a_while([run.host(), *run.works()], 0.2)


def fill_the_disk(run: Run) -> None:
    """For a while there is no room for anything in the run's folder."""
    filler = run.runs / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            for size in (1 << 16, 1 << 9, 1):
                while file.write(bytes(size)) == size:
                    """Until it is full to the last byte."""
    except OSError as error:
        assert error.errno == errno.ENOSPC
    time.sleep(0.3)  # that long there is no room
    filler.unlink()


def send(pid: int, number: int) -> None:
    try:
        if pid:
            os.kill(pid, number)
    except ProcessLookupError:
        """It has just ended."""


BLOWS: dict[str, Callable[[Run], None]] = {
    "a work is killed": kill_a_work,
    "everything is killed and resumed": kill_everything,
    "the host is killed": kill_the_host,
    "host and work are killed": kill_host_and_work,
    "a work is stopped": stop_a_work,
    "the host is stopped": stop_the_host,
    "host and works are stopped": stop_both,
}


LASTING = ("a work is stopped", "the host is stopped", "host and works are stopped")
KILLING = ("a work is killed", "the host is killed", "host and work are killed")
FULL = "the disk is full"


def together(first: str, second: str) -> Callable[[Run], None]:
    """A blow that lasts, and another that falls meanwhile; two short ones, one right behind the other."""

    def blow(run: Run) -> None:
        if first not in (*LASTING, FULL):
            ALL[first](run)
            return ALL[second](run)
        lasting = threading.Thread(target=ALL[first], args=(run,))
        lasting.start()
        time.sleep(0.05)  # in the midst of it
        ALL[second](run)
        return lasting.join()

    return blow


def survive(run: Run, blows: list[Callable[[Run], None]]) -> dict[str, Any]:
    struck = 0
    for blow in blows:
        if run.moment():
            blow(run)
            struck += 1
    assert struck >= len(blows) // 2, f"only {struck} of {len(blows)}: the app ended too soon"
    return run.finish()


ALL = {**BLOWS, FULL: fill_the_disk}
PAIRS = [
    *itertools.combinations_with_replacement(KILLING, 2),
    *itertools.product(LASTING, KILLING),
    *itertools.combinations(LASTING, 2),
]
FULL_PAIRS = [(FULL, other) for other in (*LASTING, *KILLING)]


def test_undisturbed_every_call_is_made_once(command_line: CommandLine) -> None:
    told = Run(command_line, 12, 0).finish()

    assert told == {"begun": 36, "calls": 36, "hosts": 1}


@pytest.mark.parametrize("blow", BLOWS)
def test_it_is_done_whatever(command_line: CommandLine, blow: str) -> None:
    told = survive(Run(command_line, 40, 1), [BLOWS[blow]] * 4)

    assert (told["hosts"] > 1) == ("killed" in blow and blow != "a work is killed")
    assert told["begun"] > told["calls"] or "killed" not in blow or blow == "the host is killed"


def test_it_is_done_whatever_comes_together(command_line: CommandLine) -> None:
    run = Run(command_line, 40, 2)

    survive(run, run.rng.sample(list(BLOWS.values()), len(BLOWS)))


def test_it_is_done_whatever_comes_in_pairs(command_line: CommandLine) -> None:
    run = Run(command_line, 60, 3)

    survive(run, [together(*pair) for pair in run.rng.sample(PAIRS, 6)])


@pytest.mark.parametrize("pair", [(FULL, FULL), *FULL_PAIRS], ids=" and ".join)
def test_it_is_done_although_the_disk_is_full_meanwhile(
    command_line: CommandLine, small_disk: Path, pair: tuple[str, str]
) -> None:
    run = Run(command_line, 40, 4, small_disk)

    survive(run, [fill_the_disk if pair[1] == FULL else together(*pair)] * 3)


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS, ids=" and ".join)
def test_it_is_done_whatever_two_come_together(command_line: CommandLine, pair: tuple[str, str]) -> None:
    survive(Run(command_line, 60, 5), [together(*pair)] * 6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_it_is_done_whatever_comes_for_long(command_line: CommandLine, seed: int) -> None:
    run = Run(command_line, 250, 100 + seed)

    told = survive(run, run.rng.choices(list(BLOWS.values()), k=50))

    assert told["begun"] > told["calls"]
