"""One work's process without a process: the real conversation of a work, played by a test or run inline.  Knows no engine and no host."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from typing import Any

from ..base import messages as m
from ..base.errors import WorkStopped
from ..base.messages import Event
from ..model.work import LightningWork
from ..wire import codec
from ..worker.session import Session

PID = 1
KILL = 9
UNENCODED = (m.Acknowledged, m.Whole, m.Rejected)


class Killed(BaseException):
    """The process of the work that runs inline is gone, in the middle of what it did."""


class PlayedWorker:
    """A worker that does one thing at a time, when it is told to.

    Args:
        place: where its engine placed it.
        work: its own copy of the work.
        wall: the wall clock.
        inline: its code is run for real.
        spoke: called when it has said something while its code runs.
        began: called when it has begun a call that is played.

    Attributes:
        from_host: what was said to it, and it has not heard yet.
        to_host: what it said, and what became of it, on its way to the host.
        order: the call under way.
        exit: how it ended.
        raised: what its last call, or its `on_start`, raised.
    """

    def __init__(
        self,
        place: str,
        work: LightningWork,
        wall: Callable[[], float],
        inline: bool,
        spoke: Callable[[PlayedWorker], None],
        began: Callable[[PlayedWorker], None],
    ) -> None:
        self.place, self.name, self.work, self.inline = place, place.partition("@")[0], work, inline
        self.from_host: deque[Any] = deque()
        self.to_host: deque[Event] = deque([m.Started(place, PID)])
        self.orders: deque[m.Run] = deque()
        self.order: m.Run | None = None
        self.linked = self.over = self.stalled = self.ending = self.running = False
        self.acknowledged = 0
        self.exit: m.Exited | None = None
        self.raised: BaseException | None = None
        self._spoke, self._began, self._frames = spoke, began, codec.Frames()
        self.alarms: dict[str, Callable[[], None]] = {}
        self.session = Session(work, self._send, self._alarm, wall, itertools.count(0.0).__next__)

    # -- the link ----------------------------------------------------------------------------------------

    def dial(self) -> None:
        """Reach the host that is there."""
        self.linked = True
        self.to_host.append(m.Attached(self.place, PID, self.session.received, self.session.attempted))

    def hang_up(self) -> None:
        """The host is gone: what it had sent is heard, what was on its way to it is lost, and kept to be said again."""
        while self.from_host and not self.stalled:
            self.hear()
        self.linked, self.acknowledged = False, 0
        self.from_host.clear()
        self.to_host.clear()
        self.session.offline()

    def tell(self, message: Any) -> None:
        """The host says something to it; as a copy, as it would be on a link."""
        plain = isinstance(message, UNENCODED) or (isinstance(message, m.Run) and message.checkpoint is None)
        self.from_host.append(message if plain else codec.load_to_worker(codec.dump(message)))

    def _send(self, data: bytes) -> None:
        if self.over and self.running:
            raise Killed
        if self.over or not self.linked:
            return
        for offset, payload in self._frames.feed(data):
            message = codec.load_from_worker(payload)
            if isinstance(message, m.Received):
                self.to_host.append(m.Got(self.place, message.version))
            elif not isinstance(message, m.Transfer):  # to look at only
                self.to_host.append(m.Said(self.place, offset, message, payload))
        self._spoke(self)
        if self.over and self.running:
            raise Killed

    def _alarm(self, name: str, seconds: float | None, callback: Callable[[], None]) -> None:
        if seconds is None:
            self.alarms.pop(name, None)
        else:
            self.alarms[name] = callback

    # -- what it can do next -----------------------------------------------------------------------------

    @property
    def can_hear(self) -> bool:
        return bool(self.from_host) and not (self.over or self.stalled)

    @property
    def can_begin(self) -> bool:
        """Whether an order to run waits, and nothing runs."""
        return bool(self.orders) and self.order is None and not (self.over or self.ending or self.stalled)

    @property
    def can_end(self) -> bool:
        return self.ending and not (self.over or self.running)

    def hear(self) -> None:
        """The next thing the host said."""
        message = self.from_host.popleft()
        if isinstance(message, m.Welcome):
            self._welcome(message)
        elif isinstance(message, m.Rejected):
            self.ending = True
        elif self.session.hear(message):
            self.orders.append(message)

    def _welcome(self, message: m.Welcome) -> None:
        if message.again:
            self.session.welcome_back(message)
            return
        self.session.welcome(message)
        if self.inline:
            self.session.begin()
            self.raised = self.session.raised
        else:
            self.session.ready()

    def ring(self) -> None:
        """What was held back for a moment goes out."""
        alarms, self.alarms = self.alarms, {}
        for callback in alarms.values():
            callback()

    def begin(self) -> None:
        """Take the next order; it is run to its end if this worker is an inline one."""
        order = self.orders.popleft()
        if self.inline:
            self._run(order, self.session.run)
        else:
            self.order = order
            self.session.take(order)
            self._began(self)

    def run_for_real(self) -> None:
        """The call under way was played so far: run it."""
        order, self.order = self.order, None
        if order is not None:
            self._run(order, self.session.go_on)

    def _run(self, order: m.Run, run: Callable[[m.Run], None]) -> None:
        self.order, self.running = order, True
        try:
            run(order)
        except (Killed, WorkStopped):
            """It ends where it was."""
        finally:
            self.order, self.running, self.raised = None, False, self.session.raised

    def give(self, value: Any = None, error: BaseException | None = None) -> None:
        """The call under way ends so."""
        self.order, self.raised = None, error
        self.session.give(value, error)

    # -- its end -----------------------------------------------------------------------------------------

    def stop(self) -> None:
        """It is told to end; a stalled one is killed after its grace."""
        self.ending = True
        if self.running:
            self.session.halt()
        elif self.stalled:
            self.die(m.Exited(self.place, None, KILL))

    def end(self) -> None:
        """SIGTERM: its last words are said."""
        if self.over:
            return
        if self.session.received and not self.stalled:
            self.session.terminate(on_exit=self.inline)
        self.die(m.Exited(self.place, 0))

    def die(self, how: m.Exited) -> None:
        """It is gone, this way."""
        if not self.over:
            self.over, self.order, self.exit = True, None, how
            self.to_host.append(how)
