"""Workers as threads of the host's own process: for breakpoints, debuggers and notebooks.

A thread cannot be killed, so a work is stopped at its next read or write of state; the end of the app never waits for one.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Protocol

from ..base.messages import EngineClosed, Event, Exited, Refused, Started, Waiting
from ..base.settings import Settings
from ..ports import Observed, Placement, Report, Survey, Watch
from .gangs import Gangs, Group
from .line import apart


class Runner(Protocol):
    """Runs one worker in the calling thread until it is halted."""

    def serve(self) -> None: ...
    def halt(self) -> None: ...


MakeRunner = Callable[[Placement], Runner]


class InlineEngine:
    """The engine `inline`.

    Args:
        settings: of the app.
    """

    name = "inline"
    promises: frozenset[str] = frozenset()

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._report: Report = lambda event: None
        self._make: MakeRunner | None = None
        self._runners: dict[str, Runner] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._observed: dict[str, Observed] = {}
        self._stopped: set[str] = set()
        self._gangs, self._lock = Gangs(), threading.Lock()
        self._closing = False

    def use(self, make: MakeRunner) -> None:
        """Who runs a worker; the level above knows."""
        self._make = make

    def open(self, report: Report, watch: Watch) -> None:
        """Begin."""
        self._report = report

    def survey(self) -> Survey:
        """Threads end with their host."""
        return Survey()

    def adopt(self, place: str, pid: int, began: str) -> bool:
        """Threads end with their host."""
        return False

    def progressed(self) -> None:
        """Nobody starts a host again."""

    def place(self, order: Placement) -> None:
        """Start a thread; a second time for the same place changes nothing."""
        if order.place in self._threads:
            return
        self._observed[order.place] = Observed("pending")
        with self._lock:
            joined = Refused(order.place, reason) if (reason := apart(order)) else self._gangs.join(order)
        if isinstance(joined, (Waiting, Refused)):
            self._report(joined)
            return
        for each in joined.orders if isinstance(joined, Group) else [order]:
            self._begin(each)

    def _begin(self, order: Placement) -> None:
        self._observed[order.place] = Observed("running")
        thread = threading.Thread(target=self._live, args=(order,), name=order.work, daemon=True)
        self._threads[order.place] = thread
        thread.start()

    def _live(self, order: Placement) -> None:
        code = 0
        try:
            assert self._make is not None
            if self._closing:
                return
            runner = self._runners[order.place] = self._make(order)
            self._tell(Started(order.place, os.getpid()))
            if order.place in self._stopped:
                return
            runner.serve()
        except OSError:
            if not self._closing:  # else the host that it was to dial has gone meanwhile
                raise
        except SystemExit as exit:
            code = 1 if exit.code else 0
            if isinstance(exit.code, str):
                sys.stderr.write(exit.code + "\n")
        finally:
            self._observed[order.place] = Observed("exited", code)
            with self._lock:
                self._gangs.leave(order.place)
            self._tell(Exited(order.place, code))
            self._runners.pop(order.place, None)
            if self._closing and not self._runners:
                self._report(EngineClosed())

    def _tell(self, event: Event) -> None:
        self._report(event)

    def stop(self, place: str, grace: float) -> None:
        """End it at its next read or write of state."""
        if self._gathers_no_more(place):
            self._report(Exited(place))
            return
        self._stopped.add(place)
        runner = self._runners.get(place)
        if runner is not None:
            runner.halt()

    def _gathers_no_more(self, place: str) -> bool:
        """Whether it had not begun, since its gang was not complete."""
        with self._lock:
            gathered = self._gangs.gathers(place)
            if gathered:
                self._gangs.leave(place)
                self._observed[place] = Observed("exited")
        return gathered

    def observe(self, place: str) -> Observed:
        """What is known of a place now."""
        return self._observed.get(place, Observed("unknown"))

    def abandon(self, place: str) -> None:
        """No thread is ever out of sight."""

    def reach(self, place: str, address: str, told: Callable[[str], None]) -> None:
        """It is this machine."""
        told(address)

    def close(self, grace: float) -> None:
        """Ask every work to end; those that do so at once are done properly, nobody waits for the others."""
        self._closing = True
        for place in list(self._runners):
            self.stop(place, grace)

    @property
    def closed(self) -> bool:
        """Whether every thread has ended."""
        return not self._runners

    def let_go(self) -> None:
        """Nothing is open."""
