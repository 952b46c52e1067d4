"""What a host has to do with its journal: write turns, keep snapshots, take up where an earlier host left off.  Performs no effect."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

from ..base import messages as m
from ..base.encoding import decode, encode
from ..base.errors import JournalFull, RunError, StateMismatch
from ..base.log import Log
from ..base.messages import Event, Outcome
from ..base.settings import Settings
from ..core.coordinator import Coordinator
from ..core.restore import put_together
from ..ports import Clock, Engine, Journal, Survey
from ..storage.journal import SqliteJournal
from ..wire.codec import load_from_worker
from . import first_state
from .journal import Recorder, next_generation, open_journal
from .run_folder import RunFolder

TAIL = 4 << 20  # bytes of records after which a snapshot is worth while; they are gone through in half a second
SHORT_TAIL = 64 << 10  # bytes of records that are gone through in a moment
PAUSE, LONGEST = 0.1, 5.0  # seconds between tries to write to a disk that is full

T = TypeVar("T")


class Alive:
    """The places whose workers may still be there: the engine knows of them, or their process is found."""

    def __init__(self, survey: Survey, coordinator: Coordinator, engine: Engine) -> None:
        self._known = frozenset([*survey.living, *(event.place for event in survey.ended)])
        self._coordinator, self._engine = coordinator, engine

    def __contains__(self, place: object) -> bool:
        life = self._coordinator.crew.places.get(str(place))
        if place in self._known or life is None:
            return place in self._known
        return bool(life.pid) and self._engine.adopt(life.place, life.pid, life.began)


class Resumed:
    """How a run goes on, or that it does not.

    Attributes:
        outcome: of the first turn.
        survey: what the engine knows of an earlier host's places; None for a new run.
        ended: the exit code of a run that has ended already, and what to say then.
    """

    def __init__(self, outcome: Outcome, survey: Survey | None = None, ended: tuple[int, str] | None = None) -> None:
        self.outcome, self.survey, self.ended = outcome, survey, ended


class Keeping:
    """The journal of one run, for its host.

    Args:
        wait: is given seconds, lets them pass, and raises KeyboardInterrupt if the end was asked for.
        journal: None: the one that the settings ask for.

    Attributes:
        generation: number of this host within the run.
        complete: the last turn of which nothing is missing in the journal.
        progressed: whether a turn was written that changed something.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        folder: RunFolder,
        log: Log,
        clock: Clock,
        wait: Callable[[float], None],
        journal: Journal | None = None,
    ) -> None:
        self._engine, self._folder, self._log, self._clock, self._wait = engine, folder, log, clock, wait
        self.journal = journal or open_journal(settings, engine, folder)
        self.recorder = Recorder(self.journal, clock.monotonic)
        self.generation = next_generation(self.journal)
        self.complete = -1
        self.progressed = False

    # -- turns ---------------------------------------------------------------------------------------------------

    def take(self, outcome: Outcome, events: list[Event]) -> bool:
        """One turn; whether it is written, as it has to be before any of its effects."""
        return self._insist(lambda: self.recorder.take(outcome, events))

    def catch_up(self) -> None:
        """Turns that asked for nothing have waited to be written."""
        self._insist(self.recorder.flush)

    def _insist(self, write: Callable[[], T]) -> T:
        """A turn that cannot be recorded has no effect: the flow waits, works go on."""
        pause = PAUSE
        while True:
            try:
                return write()
            except JournalFull as error:
                self._log.once("error", f"{error} The flow waits until it can; works go on.")
            self._wait(pause)
            pause = min(pause * 2, LONGEST)

    def last_words(self, outcome: Outcome) -> bool:
        """What works say at the end of the app makes sense only on top of everything before it; whether it was kept."""
        turn = outcome.record.turn
        if self.complete != turn - 1:
            return False
        try:
            self.journal.append(outcome.record)
        except JournalFull as error:
            self._log.error(f"{error} What works said at the end of the app is not kept.")
            return False
        self.complete = turn
        return True

    # -- snapshots -----------------------------------------------------------------------------------------------

    def snapshot(self, coordinator: Coordinator, wanted: bool = False) -> None:
        """Now and then, so that a resume has little to go through: when the tail is longer than what it would save.

        Args:
            wanted: whatever its length.
        """
        journal = self.journal
        if isinstance(journal, SqliteJournal) and (
            wanted or journal.bytes_since_snapshot > max(TAIL, 2 * journal.bytes_of_snapshot)
        ):
            self._insist(_snapshot_of(coordinator, journal, self._clock.wall()))

    def last_snapshot(self, coordinator: Coordinator, wanted: bool = False) -> None:
        """At the end, so that whoever looks at the run then has no turns to go through; not where something is missing in the journal.

        Args:
            wanted: also where these are few.
        """
        journal = self.journal
        if not isinstance(journal, SqliteJournal) or not self.progressed:
            return
        if self.complete != coordinator.turn or coordinator.turn < journal.last_turn():
            return
        if wanted or journal.bytes_since_snapshot > max(SHORT_TAIL, journal.bytes_of_snapshot // 4):
            with contextlib.suppress(JournalFull):  # then they have
                _snapshot_of(coordinator, journal, self._clock.wall())()

    # -- what later hosts have to know ---------------------------------------------------------------------------

    def note(self, name: str, value: str) -> None:
        """Keep a word for later hosts of this run."""
        if isinstance(self.journal, SqliteJournal):
            self.journal.set(name, value)

    def noted(self, name: str) -> str | None:
        """What an earlier host of this run has kept."""
        return self.journal.get(name) if isinstance(self.journal, SqliteJournal) else None

    # -- taking up -----------------------------------------------------------------------------------------------

    def begin(self, coordinator: Coordinator) -> Resumed:
        """The first turn of a new run, or where an earlier host of this one left off.

        Raises:
            RunError: code and journal do not go together.
        """
        journal = self.journal
        if not isinstance(journal, SqliteJournal) or not journal.last_turn():
            return Resumed(coordinator.begin(self._clock.wall()))
        nothing = Outcome(m.Record(0, 0.0), [])
        before = journal.get("ended")
        if before == "0":
            self._log.info(f"The run {self._folder.id} has ended well; there is nothing to resume.")
            return Resumed(nothing, ended=(0, ""))
        kept, parts, records = journal.load_all()
        if before is None and (code := _ended(records)) is not None:
            return Resumed(nothing, ended=(code, "The app had just ended when its process was killed."))
        survey = self._engine.survey()
        snapshot = None if kept is None else _whole(kept, parts)
        former = first_state.attributes(self._folder)
        alive = Alive(survey, coordinator, self._engine)
        try:
            outcome = coordinator.restore(snapshot, records, load_from_worker, self._clock.wall(), alive, former)
        except StateMismatch as error:
            raise RunError(f"The run {self._folder.id} cannot be resumed. {error}") from None
        journal.set("ended", "")  # not before: a run that could not be taken up has ended as it had
        return Resumed(outcome, survey)


def _snapshot_of(coordinator: Coordinator, journal: SqliteJournal, at: float) -> Callable[[], None]:
    """Keeps everything as it is now, in as many tries as it takes."""
    snapshot, grown = coordinator.snapshot_apart()
    data, parts = encode(snapshot), {name: (whole, encode(part)) for name, (whole, part) in grown.items()}
    return lambda: journal.keep_snapshot(coordinator.turn, at, data, parts)


def _whole(kept: bytes, parts: dict[str, list[tuple[int, bytes]]]) -> Any:
    """A snapshot as it is kept, and what is kept apart from it."""
    return put_together(decode(kept), {name: [(n, decode(part)) for n, part in each] for name, each in parts.items()})


def _ended(records: list[m.Record]) -> int | None:
    """The exit code of an app that ended in the last turn that is recorded."""
    done = next((record.done for record in reversed(records) if not record.ending), [])
    return next((int(code) for what, code, *_ in done if what == "ended"), None)
