"""Which journal a run has, one in memory, which survives nothing, and when turns are written.  Does not know how."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from typing import Any

from ..base.errors import JournalDamaged
from ..base.log import Log
from ..base.messages import Event, Heard, Outcome, Record
from ..base.settings import Settings
from ..ports import Engine, Journal
from ..storage.journal import SqliteJournal
from ..storage.salvage import open_sound
from . import first_state
from .run_folder import RunFolder

KEEP_BYTES = 64 << 20
MOMENT = 0.01  # seconds that a turn which asked for nothing may wait to be written


def _has_content(path: str) -> bool:
    return os.path.exists(path) and os.path.getsize(path) > 0


class MemoryJournal:
    """Keeps the newest records, about 64 MiB of what came in with them."""

    def __init__(self, keep: int = KEEP_BYTES) -> None:
        self.records: deque[Record] = deque()
        self.turns = 0
        self._keep, self._bytes = keep, 0

    def append(self, record: Record, later: bool = False) -> None:
        """Keep one turn's record, unless it changed nothing."""
        if record.empty:
            return
        self.turns += 1
        self.records.append(record)
        self._bytes += _size(record)
        while self._bytes > self._keep and len(self.records) > 1:
            self._bytes -= _size(self.records.popleft())

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


class Recorder:
    """Has turns written: at once if anything is to be done after them, else with the next, or a moment later.

    Args:
        journal: where to.
        monotonic: seconds that only grow.

    Attributes:
        due: when, on that clock, what waits has to be written; None: nothing waits.
    """

    def __init__(self, journal: Journal, monotonic: Callable[[], float]) -> None:
        self._journal, self._monotonic = journal, monotonic
        self._taken: list[tuple[Outcome, list[Event]]] = []
        self.due: float | None = None

    def take(self, outcome: Outcome, events: list[Event]) -> bool:
        """One turn; whether it is written, as it has to be before any of its effects.

        Raises:
            JournalFull: it was not taken.
        """
        later = not outcome.effects
        self._journal.append(outcome.record, later)
        self._taken.append((outcome, events))
        if not later:
            self.due = None
        elif self.due is None:
            self.due = self._monotonic() + MOMENT
        return not later

    @property
    def overdue(self) -> bool:
        """Whether what waits has waited long enough."""
        return self.due is not None and self._monotonic() >= self.due

    def flush(self) -> None:
        """Write what waits.

        Raises:
            JournalFull: it could not be.
        """
        self._journal.flush()
        self.due = None

    def take_written(self) -> list[tuple[Outcome, list[Event]]]:
        """Turns, and what came in with them, that were written since this was last asked; ask only where nothing waits."""
        taken, self._taken = self._taken, []
        return taken


def _size(record: Record) -> int:
    return 200 + sum(len(i.raw) for i in record.taken if isinstance(i, Heard)) + sum(_weight(i) for i in record.done)


def _weight(item: list[Any]) -> int:
    return sum(len(part) for part in item if isinstance(part, (bytes, str)))


def open_journal(settings: Settings, engine: Engine, folder: RunFolder) -> Journal:
    """The journal that `durability` asks for; by default one that survives what the engine's works survive.

    Raises:
        JournalDamaged: nothing of it can be read, or there is none although the run had begun.
    """
    durability = settings.durability or ("turn" if engine.name in ("local", "inline") else "fsync")
    if durability == "memory":
        return MemoryJournal()
    if first_state.kept(folder.path) and not _has_content(folder.journal):
        raise JournalDamaged(
            f"The run {folder.id} had begun, but its journal {folder.journal} is missing or empty (durability 'memory' makes none), "
            "so nothing can be taken up: begin a new run."
        )
    journal, aside = open_sound(folder.journal, durability, settings.journal_turns, settings.journal_bytes)
    if aside:
        Log(settings.log_level, settings.log_format).warning(
            f"The journal {folder.journal} was damaged: the run goes on from turn {journal.last_turn()}, the last that could be read. "
            f"The damaged file is kept as {aside}."
        )
    return journal


def next_generation(journal: Journal) -> int:
    """The number of this host within its run; only grows."""
    if not isinstance(journal, SqliteJournal):
        return 1
    generation = int(journal.get("generation") or "0") + 1
    journal.set("generation", str(generation))
    return generation
