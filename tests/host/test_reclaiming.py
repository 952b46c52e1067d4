"""A host looks now and then for content that nothing needs, beside the flow; pruning does so for runs that are over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from conftest import CommandLine, eventually
from lightning_apps.base.settings import Settings
from lightning_apps.core.details import from_bytes, without_told
from lightning_apps.host.reclaiming import Reclaiming
from lightning_apps.host.run_folder import RunFolder
from lightning_apps.host.sharing import LOOK, Sharing
from lightning_apps.storage.history import History
from lightning_apps.storage.reclaiming import named_in
from lightning_apps.storage.store import Store

APP = """
import lightning as L
import numpy as np

class Work(L.LightningWork):
    def __init__(self):
        super().__init__()
        self.big = None

    def run(self, array):
        self.big = array + 0.5
        return array[:1].sum()

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.work, self.sum = Work(), 0.0

    def run(self):
        for number in range(12):
            self.work.run(np.full(10_000, float(number)))
        self.sum = float(self.work.big.sum())
        raise RuntimeError("not yet") if FAILS else self.stop()

app = L.LightningApp(Root())
"""


def test_pruning_leaves_a_run_what_it_needs_to_be_taken_up(command_line: CommandLine) -> None:
    pytest.importorskip("numpy")
    words = ("--run-dir", command_line.folder / "runs")
    run = ("run", "app", command_line.app(APP.replace("FAILS", "True")), "--open-ui", "false", *words)
    assert command_line.run(*run).process.returncode == 1
    (folder,) = (path.parent for path in (command_line.folder / "runs").glob("*/journal.db"))
    store = Store(str(folder / "files" / "objects"))
    assert len(list(store.names())) >= 20

    command_line.run("runs", "prune", "--keep", "1", *words, env={"LIGHTNING_JOURNAL_VALUES": "0"})
    left = set(store.names())
    at = command_line.run("state", folder.name, "--at", "3", *words)
    command_line.app(APP.replace("FAILS", "False"))
    again = command_line.run(*run, "--resume", "last")

    assert len(left) < 20 and '"work"' not in at.stderr and "root.work" in at.stdout
    assert again.process.returncode == 0, again.report()
    assert '"sum": 115000.0' in command_line.run("state", folder.name, *words).stdout
    with History(str(folder / "journal.db")) as history:
        _, _, snapshot = history.snapshot() or (0, 0.0, b"")
    assert_arguments_are_told_only(snapshot)


def assert_arguments_are_told_only(snapshot: bytes) -> None:
    """All calls stay, without what they were asked with."""
    whole, bare = (from_bytes(calls_in(data)) for data in (snapshot, without_told(snapshot)))
    assert [each.key for each in whole] == [each.key for each in bare] and len(whole) == 12
    assert all(each.arguments for each in whole) and not any(each.arguments for each in bare)
    assert len(named_in(without_told(snapshot))) < len(named_in(snapshot))


def calls_in(snapshot: bytes) -> Any:
    return msgspec.msgpack.decode(snapshot)["lives"]["root.work"]["calls"]["calls"]


def test_a_host_looks_every_few_minutes_and_not_at_first(tmp_path: Path) -> None:
    folder = RunFolder(str(tmp_path))
    sharing = Sharing(Settings(), folder)
    store = Store(folder.objects)
    store.put(b"x")
    Path(folder.journal).touch()

    assert not sharing.turned(1.0) and sharing._reclaiming is None
    assert not sharing.turned(LOOK) and sharing._reclaiming is None
    assert not sharing.turned(LOOK + 1.0) and sharing._reclaiming is not None
    sharing._reclaiming.snapshot_wanted = True
    assert not sharing.turned(LOOK + 2.0) and sharing.turned(2 * LOOK + 2.0) and not sharing.turned(3 * LOOK + 3.0)
    sharing.close()


def test_a_journal_that_cannot_be_read_costs_nothing_its_content(tmp_path: Path) -> None:
    folder = RunFolder(str(tmp_path))
    store = Store(folder.objects)
    name = store.put(b"x")
    Path(folder.journal).write_bytes(b"no journal")
    reclaiming = Reclaiming(Settings(), folder, list, 0, 0.0)

    reclaiming.begin()
    eventually(lambda: reclaiming._thread is not None and not reclaiming._thread.is_alive())

    assert store.has(name) and not reclaiming.snapshot_wanted
