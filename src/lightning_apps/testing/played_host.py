"""The host's part without a process: events in, one turn, its record, its effects.  Does not decide what happens when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..base import messages as m
from ..base.encoding import decode, encode, ext_hook
from ..base.messages import Event, Outcome, Record
from ..base.status import AppStage
from ..core.coordinator import Coordinator, Options
from ..model.app import LightningApp
from ..model.binding import UNBOUND
from ..model.work import LightningWork
from ..ports import Clock
from ..wire import codec
from .scripted_engine import ScriptedEngine
from .terminal import Terminal

Point = Callable[[str, Any], None]

encode_record = msgspec.msgpack.Encoder().encode
decode_record = msgspec.msgpack.Decoder(Record, ext_hook=ext_hook).decode

BEFORE, RECORDED, PERFORMED = "before its record", "after its record", "after its effect"
FELT = (m.Place, m.Send, m.Stop, m.Reply)  # after the others a death is no different, or the app is over


class HostDied(BaseException):
    """The host's process is gone, in the middle of what it did."""


class Journal:
    """Records as bytes, as they would be on a disk; each survives its host.

    Args:
        every: records between two snapshots; 0: there are none.
    """

    def __init__(self, every: int = 0) -> None:
        self.data: list[bytes] = []
        self._every, self._snapshot, self._kept = every, b"", 0

    def keep_snapshot(self, coordinator: Coordinator) -> None:
        """Between two turns: what there is, if it is time."""
        if self._every and len(self.data) - self._kept >= self._every:
            self._snapshot, self._kept = encode(coordinator.snapshot()), len(self.data)

    def load(self) -> tuple[dict[str, Any] | None, list[Record]]:
        """The last snapshot, if there is one, and the records after it."""
        kept = decode(self._snapshot) if self._snapshot else None
        return kept, [decode_record(data) for data in self.data[self._kept :]]

    def append(self, record: Record) -> None:
        """Keep one turn's record."""
        self.data.append(encode_record(record))

    def close(self) -> None:
        """Nothing to let go of."""

    def records(self) -> list[Record]:
        """Everything, read back."""
        return [decode_record(data) for data in self.data]


class PlayedHost:
    """One life of an app's host.

    Args:
        app: its root is bound to a coordinator of this host's own.
        generation: number of this life.
        point: told of every point at which the host could die; raises HostDied to let it die there.
    """

    def __init__(
        self,
        app: LightningApp,
        options: Options,
        engine: ScriptedEngine,
        journal: Journal,
        clock: Clock,
        terminal: Terminal,
        generation: int = 1,
        point: Point | None = None,
    ) -> None:
        self.app, self.generation = app, generation
        self.coordinator = Coordinator(app.root, options)
        self.events: list[Event] = []
        self.exit: m.Exit | None = None
        self.replies: dict[str, m.Reply] = {}
        self._engine, self._journal, self._clock, self._terminal = engine, journal, clock, terminal
        self.point = point

    def begin(self) -> None:
        """The first turn of a new app, or where an earlier host of it left off."""
        self.app.stage = AppStage.RUNNING
        self.app.connect(self)
        if not self._journal.data:
            self._commit(self.coordinator.begin(self._clock.wall()), [])
            return
        survey = self._engine.survey()
        alive = {*survey.living, *(event.place for event in survey.ended)}
        now = self._clock.wall()
        kept, records = self._journal.load()
        self._commit(self.coordinator.restore(kept, records, codec.load_from_worker, now, alive), [])
        self.events += survey.ended

    def turn(self) -> None:
        """Take what is there, step, write, act."""
        events, self.events = self.events, []
        UNBOUND.app_runs = True
        try:
            outcome = self.coordinator.step(events, self._clock.wall())
        finally:
            UNBOUND.app_runs = False
        self._commit(outcome, events)
        self._journal.keep_snapshot(self.coordinator)

    def _commit(self, outcome: Outcome, events: list[Event]) -> None:
        point, nothing = self.point, outcome.record.empty
        if point is not None and not nothing:
            point(BEFORE, None)
        if not nothing:
            self._journal.append(outcome.record)
            if point is not None:
                point(RECORDED, None)
        for effect in outcome.effects:
            if (perform := PERFORM.get(type(effect))) is not None:  # what is for readers outside concerns nobody here
                perform(self, effect)
                if point is not None and type(effect) in FELT:
                    point(PERFORMED, effect)
        for event in events:
            if isinstance(event, m.Said):
                self._engine.recorded(event)

    # -- effects -----------------------------------------------------------------------------------------

    def _place(self, effect: m.Place) -> None:
        work = self.coordinator.tree[effect.work]
        assert isinstance(work, LightningWork)
        self._engine.place(effect.place, work, self.coordinator.lineage.is_new(work))

    def _send(self, effect: m.Send) -> None:
        message = effect.message
        if isinstance(message, m.Welcome):
            message = msgspec.structs.replace(message, generation=self.generation)
        self._engine.send(effect.place, message)

    def _stop(self, effect: m.Stop) -> None:
        self._engine.stop(effect.place)

    def _reply(self, effect: m.Reply) -> None:
        self.replies[effect.id] = effect

    def _exit(self, effect: m.Exit) -> None:
        if self.exit is None:
            self.exit = effect
            self.app.stage = AppStage.FAILED if effect.code else AppStage.STOPPING
        if effect.message:
            self._terminal.plainly(effect.message)

    def _say(self, effect: m.Say) -> None:
        self._terminal.say(effect)

    # -- the end -----------------------------------------------------------------------------------------

    def finish(self, last: list[Event]) -> None:
        """Every worker has ended; these were their last words."""
        now = self._clock.wall()
        self.coordinator.absorb(last, now)
        self.coordinator.finish(now)
        self.app.exit_code = self.exit.code if self.exit is not None else 1


PERFORM: dict[type, Callable[[PlayedHost, Any], None]] = {
    m.Place: PlayedHost._place,
    m.Send: PlayedHost._send,
    m.Stop: PlayedHost._stop,
    m.Reply: PlayedHost._reply,
    m.Exit: PlayedHost._exit,
    m.Say: PlayedHost._say,
}
