"""How a keeper comes by new processes: from the zygote where it can be forked, else as fresh interpreters.

Knows nothing of how they end, nor why one is wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from ..base.messages import Refused
from ..engines import process_tree
from ..engines.channel import (
    Channel,
    Failed,
    Forked,
    ForkHost,
    ForkWorker,
    HostStarted,
    Loaded,
    Message,
    Reaped,
)
from ..ports import Placement
from . import zygote
from .loop import Loop
from .spawn import spawn_worker


class Child(msgspec.Struct):
    """The zygote or the host, as their keeper sees them."""

    pid: int = 0
    channel: Channel | None = None
    ready: bool = False


class Hears(Protocol):
    """Is told what became of what was asked for."""

    def loaded(self) -> None:
        """The zygote has the app, before any order is passed on to it."""

    def host_started(self, pid: int) -> None: ...

    def started(self, place: str, pid: int) -> None: ...

    def refused(self, event: Refused) -> None: ...

    def gone(self, pid: int, status: int) -> None: ...

    def failed(self, failure: Failed) -> None: ...


class Starter:
    """The zygote and the orders it has not answered.

    Args:
        forks: whether workers are forked from it, if it turns out to be safe.
        hears: the keeper.
        leave: in a child that was just forked: let go of what is the keeper's.
    """

    def __init__(self, bodies: zygote.Bodies, loop: Loop, forks: bool, hears: Hears, leave: Callable[[], None]) -> None:
        self._bodies, self._loop, self._hears, self._leave = bodies, loop, hears, leave
        self.zygote = Child()
        self.forks = forks
        self._orders: dict[str, Placement] = {}

    # -- what is wanted ------------------------------------------------------------------------------------

    def start(self, *, quiet: bool) -> None:
        """Fork a zygote, which executes the app file."""
        ours, theirs = Channel.pair()

        def body() -> int:
            ours.close()
            self._leave()
            return zygote.main(self._bodies, theirs, may_fork=self.forks, quiet=quiet)

        self.zygote = Child(zygote.fork(body), ours)
        theirs.close()
        self._loop.read(ours.fileno(), self._hear)

    def fork_host(self) -> Channel | None:
        """Have it fork the host, or become it; returns the keeper's end of the channel to the host."""
        if self.zygote.channel is None:
            return None
        ours, theirs = Channel.pair()
        self.zygote.channel.send(ForkHost(), theirs.fileno())
        theirs.close()
        return ours

    def place(self, order: Placement) -> None:
        """Start a worker, as soon as the zygote is ready."""
        channel = self.zygote.channel
        if order.start_method == "spawn" or channel is None or not self.forks:
            self._spawn(order)
            return
        self._orders[order.place] = order
        if self.zygote.ready:
            channel.tell(ForkWorker(order))

    def withdraw(self, place: str) -> bool:
        """Forget an order; returns whether nothing has come of it, as the zygote is not ready."""
        return not self.zygote.ready and self._orders.pop(place, None) is not None

    def spawn_all(self) -> None:
        """No zygote will come: what waits for it is spawned, and everything from now on."""
        self.forks = False
        orders, self._orders = self._orders, {}
        for order in orders.values():
            self._spawn(order)

    def _spawn(self, order: Placement) -> None:
        try:
            self._hears.started(order.place, spawn_worker(order, self._bodies.entry))
        except OSError as error:
            self._hears.refused(Refused(order.place, f"{order.work} cannot be started: {error.strerror}."))

    # -- what the zygote says ------------------------------------------------------------------------------

    def _hear(self) -> bool:
        """Whether it had something to say."""
        channel = self.zygote.channel
        if channel is None:
            return False
        messages = channel.receive(wait=False)
        for message in messages:
            self._heed(message, channel)
        if channel.closed:
            self._loop.forget(channel.fileno())
        return bool(messages)

    def _heed(self, message: Message, channel: Channel) -> None:
        if isinstance(message, Loaded):
            self.zygote.ready = self.forks = message.forks
            self._hears.loaded()
            for order in self._orders.values():
                channel.tell(ForkWorker(order))
        elif isinstance(message, HostStarted):
            self._hears.host_started(message.pid)
        elif isinstance(message, Forked):
            self._orders.pop(message.place, None)
            self._hears.started(message.place, message.pid)
        elif isinstance(message, Reaped):
            self._hears.gone(message.pid, message.status)
        elif isinstance(message, Refused):
            self._orders.pop(message.place, None)
            self._hears.refused(message)
        elif isinstance(message, Failed):
            self._hears.failed(message)

    # -- its end -------------------------------------------------------------------------------------------

    def bury(self) -> Child:
        """It has ended: hear its last words, and let go of it; returns what it was."""
        while self._hear():
            """The end of the stream may never come, as what it started may hold the other end."""
        former, self.zygote = self.zygote, Child()
        if former.channel is not None:
            self._loop.forget(former.channel.fileno())
            former.channel.close()
        return former

    def signal(self, number: int) -> None:
        """Send it a signal, if it is there."""
        if self.zygote.pid:
            process_tree.send_signal(self.zygote.pid, number)
