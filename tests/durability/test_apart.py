"""What finished long ago is kept beside the snapshots: whatever snapshot a run is taken up from, no call of before is made again."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import CommandLine
from core.talk import Root, Talk, Work
from lightning_apps.base import messages as m
from lightning_apps.base.encoding import decode, encode
from lightning_apps.core.coordinator import Coordinator, Options
from lightning_apps.core.restore import put_together
from lightning_apps.storage.history import History
from lightning_apps.storage.journal import SqliteJournal
from lightning_apps.wire.codec import dump, load_from_worker


class Spoken(Talk):
    """A conversation whose workers' words are bytes, as they have to be to be recorded, and whose turns are."""

    def __init__(self, journal: SqliteJournal, root: Root) -> None:
        super().__init__(root, history=5)
        self.journal = journal
        journal.append(self.outcome.record)

    def tell(self, *events: Any) -> list[Any]:
        super().tell(*events)
        self.journal.append(self.outcome.record, later=not self.outcome.effects)
        return self.outcome.effects

    def said(self, name: str, message: Any) -> Any:
        event = super().said(name, message)
        raw = dump(message)
        return m.Said(event.place, event.offset, load_from_worker(raw), raw)

    def keep(self) -> None:
        whole, grown = self.core.snapshot_apart()
        parts = {name: (everything, encode(part)) for name, (everything, part) in grown.items()}
        self.journal.keep_snapshot(self.core.turn, self.now, encode(whole), parts)


def taken_up(journal: SqliteJournal, root: Root, until: int | None = None) -> Coordinator:
    """The app as it was after a turn."""
    kept, apart, records = journal.load_all(until)
    core = Coordinator(root, Options(history=5))
    parts = {name: [(n, decode(part)) for n, part in each] for name, each in apart.items()}
    core.restore(put_together(decode(kept), parts) if kept else None, records, load_from_worker, 0.0)
    return core


def call(name: str, number: int) -> Callable[[Any], None]:
    return lambda root: getattr(root, name).run(number)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_snapshot_a_run_is_taken_up_from_it_knows_every_call_that_succeeded(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    todo: list[Any] = []

    def build() -> Root:
        works = {name: Work(parallel=True, cache_calls=name == "kept") for name in ("kept", "again")}
        return Root(lambda root: [step(root) for step in todo], **works)

    journal = SqliteJournal(str(tmp_path / "journal.db"))
    talk, known = Spoken(journal, build()), dict[int, dict[str, set[str]]]()
    talk.arrive("kept", "again")
    for number in range(400):
        name = rng.choice(["kept", "again"])
        todo[:] = [call(name, number if name == "kept" else rng.randrange(40))]
        talk.tell(m.Got(talk.place(name), 0))
        talk.core.awake = True
        talk.tell()
        todo.clear()
        if talk.core.crew.lives[f"root.{name}"].calls.active is not None:
            talk.running(name)
            talk.succeed(name, rng.choice([None, number]))
        if rng.random() < 0.1:
            talk.keep()
        known[talk.core.turn] = finished(talk.core)
        if number % 100 == 99:  # another host goes on
            journal.close()
            journal = SqliteJournal(str(tmp_path / "journal.db"))
            talk.journal = journal

    journal.flush()
    for turn in [*rng.sample(sorted(known), 12), max(known)]:
        core = taken_up(journal, build(), turn)
        assert finished(core) == known[turn]
        for name, life in core.crew.lives.items():
            table = talk.core.crew.lives[name].calls
            assert all(life.calls.done(key) for key in known[turn][name])
            assert turn != max(known) or {k: life.calls.value(k) for k in table.finished} == dict(table.finished)


def finished(core: Coordinator) -> dict[str, set[str]]:
    return {
        name: {*life.calls.finished, *(key for key in life.calls.by_key if life.calls.done(key))}
        for name, life in core.crew.lives.items()
    }


APP = """
import lightning as L

class Work(L.LightningWork):
    def run(self, number):
        with open("ran", "a") as file:
            file.write(f"{number}\\n")
        return number

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.work, self.sum, self.limit = Work(), 0, 200
    def run(self):
        for number in range(self.limit):
            self.work.run(number)
        self.sum = sum(self.work.run(number) for number in range(self.limit))
        with open("sum", "w") as file:
            file.write(str(self.sum))
        if self.sum != -1:
            raise RuntimeError("not yet")
        self.stop()

app = L.LightningApp(Root())
"""


def test_a_run_that_ended_needs_no_turns_to_be_gone_through_and_is_taken_up_without_a_call_again(
    command_line: CommandLine,
) -> None:
    folder = command_line.folder
    words = ("run", "app", command_line.app(APP), "--run-dir", folder / "runs", "--open-ui", "false")
    options: dict[str, Any] = {"cwd": folder, "env": {"LIGHTNING_CALL_HISTORY": "20"}}
    first = command_line.run(*words, **options)
    assert first.process.returncode == 1, first.report()
    (path,) = (folder / "runs").glob("*/journal.db")
    with History(str(path)) as history:
        snapshot = history.snapshot()
        assert snapshot is not None and not list(history.records(snapshot[0] + 1))

    command_line.app(APP.replace("!= -1", "!= 19900").replace("not yet", "no"))
    command_line.run(*words, "--resume", "last", **options)

    assert (folder / "sum").read_text() == "19900"
    assert (folder / "ran").read_text().split() == [str(number) for number in range(200)]
