"""A journal that cannot be written: the flow waits and says why once, works go on, and so does the flow when there is room."""

from __future__ import annotations

import os
import time
from pathlib import Path

import lightning as L
import pytest

from conftest import CommandLine, eventually
from lightning_apps.base.errors import JournalFull, StorageError, Unreachable
from lightning_apps.base.messages import Record
from lightning_apps.base.settings import load
from lightning_apps.engines.inline import InlineEngine
from lightning_apps.host.host import Host
from lightning_apps.host.journal import MemoryJournal
from lightning_apps.host.run_folder import create
from lightning_apps.storage.exchange import Exchange
from lightning_apps.storage.fetching import Fetcher
from lightning_apps.storage.store import Store


class Tight(MemoryJournal):
    """Finds no room for so many tries, from its fifth record on."""

    def __init__(self, tries: int) -> None:
        super().__init__()
        self.tries, self.refused = tries, 0

    def append(self, record: Record, later: bool = False) -> None:
        if not record.empty and self.turns >= 4 and self.refused < self.tries:
            self.refused += 1
            raise JournalFull("The journal /disk/journal.db cannot be written: database or disk is full.")
        super().append(record, later)


class Once(L.LightningWork):
    """Counts how often it ran, where nobody takes it back."""

    ran = 0

    def run(self, number: int) -> int:
        Once.ran += 1
        return number


class Root(L.LightningFlow):
    """Three calls, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.w = Once()
        self.sum = 0

    def run(self) -> None:
        self.sum = sum(self.w.run(number) for number in (1, 2, 3))
        self.stop()


def test_the_flow_waits_and_says_why_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    settings = load(engine="inline", run_dir=str(tmp_path))
    app, journal = L.LightningApp(Root()), Tight(4)
    Once.ran = 0
    before = time.monotonic()

    code = Host(app, settings, InlineEngine(settings), create(settings), journal=journal).run()

    assert (code, app.root.sum, Once.ran, journal.refused) == (0, 6, 3, 4)
    assert time.monotonic() - before > 1.0  # 0.1 + 0.2 + 0.4 + 0.8 s between the tries
    said = capfd.readouterr().err
    assert said.count("disk is full. The flow waits until it can; works go on.") == 1


APP = """
import lightning as L, os, time

class Beat(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.text, self.n = "", 0
    def run(self):
        while not os.path.exists(os.environ["ENOUGH"]):
            self.text, self.n = os.urandom(20_000).hex(), self.n + 1
            with open(os.environ["BEATS"], "a") as file:
                file.write(f"{self.n}\\n")
            time.sleep(0.01)

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.beat = Beat()
        self.seen = 0
    def run(self):
        self.beat.run()
        self.seen = self.beat.n
        if self.beat.has_succeeded:
            print("seen", self.seen, flush=True)
            self.stop()

app = L.LightningApp(Root())
"""


def test_a_real_disk_that_fills_up_holds_the_flow_and_not_the_works(
    command_line: CommandLine, small_disk: Path
) -> None:
    beats, enough = command_line.folder / "beats", command_line.folder / "enough"
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(3 << 20))
    app = command_line.start(
        "run", "app", command_line.app(APP), "--run-dir", small_disk / "runs", "--open-ui", "false",
        env={"BEATS": str(beats), "ENOUGH": str(enough)},
    )  # fmt: skip

    app.wait_for("The flow waits until it can; works go on.", stream="stderr")
    count = beats.read_text().count("\n")
    eventually(lambda: beats.read_text().count("\n") > count + 20)
    enough.touch()
    os.truncate(ballast, 0)
    os.unlink(ballast)

    assert app.wait() == 0, app.report()
    assert app.stdout.split() == ["seen", beats.read_text().split()[-1]]
    assert app.stderr.count("The flow waits until it can") == 1


def test_what_comes_from_elsewhere_and_finds_no_room_leaves_none_taken(small_disk: Path, tmp_path: Path) -> None:
    there, here = Store(str(tmp_path / "there")), Store(str(small_disk / "here"))
    name, exchange = there.put(os.urandom(9 << 20)), Exchange(there, b"t" * 32)

    with pytest.raises(StorageError, match="cannot be written: the disk is full") as caught:
        Fetcher(here, b"t" * 32).fetch(name, [exchange.address])
    exchange.close()

    assert not isinstance(caught.value, Unreachable) and not list((small_disk / "here" / "incoming").iterdir())
