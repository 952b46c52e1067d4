"""An app with its host, workers and clock, all in the test's own hands: lets happen what can happen, and hosts die.  Judges nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Protocol

from ..base import messages as m
from ..base.errors import AppNeverRests
from ..core.coordinator import Options
from ..model.app import LightningApp
from .clock import VirtualClock
from .played_host import HostDied, Journal, PlayedHost, Point
from .played_worker import PlayedWorker
from .scripted_engine import ScriptedEngine
from .terminal import Terminal

__tracebackhide__ = True  # for pytest: a test's author is shown the test
Move = Callable[[], None]
FIRST_PORT = 50001
MOMENT = 100  # turns that a flow may take while the code of a work goes on for a moment


class Chance(Protocol):
    """Chooses what happens next, where more than one thing could."""

    def choose(self, moves: list[Move]) -> Move:
        """One of these."""

    def how_many(self) -> int:
        """How many things happen while a work's code goes on for a moment."""


class Stage:
    """Everything of one app.

    Args:
        make: makes the app; again for each host after the first.
        clock: its time.
        inline: whether the code of the work of this name is run for real.
        point: told of every point at which the host could die.
        chance: the order of things; None: each as soon as it can be, and turns take all there is.
        turned: called after every turn.
        snapshots: records between two of them; 0: none.

    Attributes:
        turns: how many there were, without those while the code of a work went on.
        hosts: how many there were.
        over: the app has ended, with all its works.
        reacting: the code of a work is going on.
        patience: the turn after which an app that has not ended is given up.
    """

    def __init__(
        self,
        make: Callable[[], LightningApp],
        clock: VirtualClock,
        inline: Callable[[str], bool],
        terminal: Terminal,
        *,
        point: Point | None = None,
        chance: Chance | None = None,
        turned: Callable[[], None] | None = None,
        snapshots: int = 0,
    ) -> None:
        self._make, self.clock, self.terminal = make, clock, terminal
        self.journal = Journal(snapshots)
        self.engine = ScriptedEngine(clock, inline)
        self.engine.spoke = self._react
        self.turns = self.hosts = 0
        self.over, self.patience = False, sys.maxsize
        self._point, self._chance, self._turned = point, chance, turned
        self._ports = FIRST_PORT - 1
        self.reacting = False

    # -- hosts -------------------------------------------------------------------------------------------

    def open(self) -> None:
        """The first host, or the next one."""
        self.hosts += 1
        app = self._make()
        options = Options(tick=app.tick, free_port=self._free_port, zone=self.clock.zone)
        self.host = PlayedHost(
            app, options, self.engine, self.journal, self.clock, self.terminal, self.hosts, self._point
        )  # fmt: skip
        self._alive(self.host.begin)

    def _alive(self, act: Move) -> None:
        """Do this with the host, and go on with the next one if it dies of it."""
        try:
            act()
        except HostDied as death:
            self.lose_host(everything=bool(death.args))

    def lose_host(self, everything: bool = False) -> None:
        """The host dies here, with all workers if `everything`, and is resumed from its records."""
        if everything:
            self.engine.lose_all()
        else:
            self.engine.lose_host()
        self.open()

    def _free_port(self) -> int:
        self._ports += 1
        return self._ports

    # -- what happens by itself --------------------------------------------------------------------------

    def rest(self, limit: int) -> None:
        """Let everything happen that needs no time, until nothing more does.

        Raises:
            AppNeverRests: there were more than `limit` turns.
        """
        last = self.turns + limit
        while not self.over and self._move():
            if self.turns > last or self.host.coordinator.turn > self.patience:
                said = (self.terminal.text.splitlines() or ["nothing"])[-1]
                raise AppNeverRests(
                    f"The app does not come to rest, up to turn {self.host.coordinator.turn} at {self.clock.now}: something changes in "
                    "every turn. Use `turn()` or `advance()` for an app that never rests, or a higher `limit=`. "
                    f"What it said last: {said}"
                )

    def turn(self) -> None:
        """One turn of the flow, with whatever has come, whether there is reason for it or not."""
        if not self.over:
            self._hear()
            self._turn()
            self._end_if_done()

    def _move(self) -> bool:
        """What comes next; False if nothing does."""
        if self._chance is not None:
            moved = self._shuffled(self._chance, nested=False)
        else:
            moved = self.engine.step() or self._turn_if_due()
        self._end_if_done()
        return moved or self._show()

    def _hear(self) -> None:
        self.host.events += self.engine.heard()

    def _turn_if_due(self) -> bool:
        """One turn, if something has come or the flow has reason to run."""
        self._hear()
        host = self.host
        if host.exit is not None or not (host.events or host.coordinator.awake):
            return False
        if not host.events:
            self.clock.reach(host.coordinator.wake_at or 0.0)  # a flow that changes its own state is paced
        self._turn()
        return True

    def _turn(self) -> None:
        self.turns += not self.reacting
        self._alive(self.host.turn)
        if self._turned is not None:
            self._turned()

    def _show(self) -> bool:
        """At rest: layouts are looked at now and then, and here at once, as that needs no time."""
        layouts = self.host.coordinator.layouts
        if layouts.due is None or self.over:
            return False
        layouts.due = min(layouts.due, self.clock.wall())
        self._turn()
        return True

    def _react(self, worker: PlayedWorker) -> None:
        """A work that runs inline has said something: flow and works go on for a moment, before it does."""
        if self.reacting or self.host.exit is not None:
            return
        self.reacting = True
        try:
            if self._chance is not None:
                for _ in range(self._chance.how_many()):
                    self._shuffled(self._chance, nested=True)
            else:
                for _ in range(MOMENT):
                    if not (self._turn_if_due() | self.engine.step(begin=False)):
                        break  # there is nothing to do but for those whose code would have to run
        finally:
            self.reacting = False
        if self.host.exit is not None:
            worker.stop()

    # -- in any order ------------------------------------------------------------------------------------

    def _shuffled(self, chance: Chance, nested: bool) -> bool:
        """One of the things that could come next."""
        if self.host.exit is not None:
            return False
        moves: list[Move] = []
        for worker in self.engine.workers.values():
            move = self.engine.next_move(worker, begin=not nested)
            moves += [] if move is None else [move]
            moves += [lambda worker=worker: self._hear_one(worker)] if worker.to_host else []  # type: ignore[misc]
        if self.engine.news:
            moves.append(self._hear_news)
        if self.host.events or self.host.coordinator.awake:
            moves.append(self._turn)
        if not moves:
            return False
        if not self.host.events:
            self.clock.reach(self.host.coordinator.wake_at or 0.0) if self.host.coordinator.awake else None
        chance.choose(moves)()
        return True

    def _hear_one(self, worker: PlayedWorker) -> None:
        self.host.events.append(worker.to_host.popleft())

    def _hear_news(self) -> None:
        self.host.events.append(self.engine.news.popleft())

    # -- the end -----------------------------------------------------------------------------------------

    def _end_if_done(self) -> None:
        """The app has ended: its workers do, and what they still say is heard."""
        if self.host.exit is None or self.over:
            return
        self.over = True
        for worker in self.engine.living():
            worker.end()
        self.host.finish([event for event in self.engine.heard() if isinstance(event, m.Said)])

    def close(self) -> None:
        """The test is over: works whose code ran inline say goodbye."""
        if not self.over:
            self.over = True
            for worker in self.engine.living():
                worker.end()
