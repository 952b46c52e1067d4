"""The work's half of the conversation: what it changes is said, what the flow changes is taken in, calls are run.

Needs a way to send and a clock; knows neither sockets nor processes.  It is the binding of the work in its process.
"""

from __future__ import annotations

import time
import types
from collections.abc import Callable
from typing import Any, Protocol

from ..base import messages as m
from ..base.errors import WrongPlace
from ..base.status import WorkStageStatus as Stage
from ..base.status import WorkStatus
from ..model.component import Component
from ..model.flow import LightningFlow
from ..model.retry import Policy
from ..model.work import LightningWork
from .baggage import Baggage
from .halt import Halt
from .hearing import Hearing
from .running import Running
from .unspoken import Unspoken
from .voice import Alarm, Voice


class Moved(Protocol):
    """A path of the work's state took a value."""

    def __call__(self, component: Component, path: tuple[Any, ...], op: int, value: Any, old: Any = None) -> None: ...


class Session:
    """One work's conversation with its host.

    Args:
        work: is bound to this session.
        send: is given every frame, in order; never blocks for long.
        alarm: calls back in so many seconds, on another thread if this one is busy.
        wall: the wall clock.
        clock: seconds that only grow.
        files: what the work hands over and is handed.
    """

    context = "work"

    def __init__(
        self,
        work: LightningWork,
        send: Callable[[bytes], None],
        alarm: Alarm,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.perf_counter,
        files: Baggage | None = None,
    ) -> None:
        self.work, self._wall, self.files = work, wall, files or Baggage(work)
        self._voice = Voice(work, send, alarm, clock)
        self.files.tell = self._voice.say_aside
        self._unspoken = Unspoken(work, self._voice)
        self._halt = Halt(work)
        self._hearing = Hearing(work, self._voice, self._unspoken, self._halt)
        self._running = Running(work, self._voice, self._unspoken, self._hearing, self._halt, wall, self.files)
        self.generation = self.attempted = 0
        self.offered_port = 0
        self.moved: Moved = self._voice.moved  # at once: it is what works do most
        work._lit_binding = self

    # -- the host ----------------------------------------------------------------------------------------

    @property
    def online(self) -> bool:
        """Whether a host has welcomed us and its link stands."""
        return self._voice.online

    @property
    def received(self) -> int:
        """The version of what the host said last."""
        return self._hearing.received

    def hear(self, message: Any) -> bool:
        """Take one message of the host; True if it is for whoever runs calls."""
        if isinstance(message, m.Changes):
            self._hearing.changes(message)
        elif isinstance(message, m.Acknowledged):
            self._hearing.acknowledged(message.offset)
        elif isinstance(message, m.Whole):
            self._hearing.answer_whole(message)
        elif isinstance(message, m.Run) and message.attempt <= self.attempted:
            """It was received before the host it came from was lost."""
        else:
            self.attempted = message.attempt if isinstance(message, m.Run) else self.attempted
            return True
        return False

    def welcome(self, message: m.Welcome) -> None:
        """The state to begin with."""
        with self._voice.lock:
            self._hearing.welcome(message)
            self.generation, self.offered_port, self._voice.online = message.generation, message.port, True
            self._unspoken.begin()

    def welcome_back(self, message: m.Welcome) -> bool:
        """A later host has us: it hears what it has not heard.  False for a host that is not the latest."""
        with self._voice.lock:
            if message.generation < self.generation:
                return False
            self.generation, self._voice.online = message.generation, True
            self._voice.say_all_again(message.heard)
            return True

    def offline(self) -> None:
        """The link is gone: what is said is kept."""
        with self._voice.lock:
            self._voice.online = False

    # -- whoever runs calls ------------------------------------------------------------------------------

    def begin(self) -> None:
        """`on_start`, then ready for calls."""
        self._running.begin()

    def run(self, order: m.Run) -> None:
        """One call, from its first status to its last."""
        self._running.run(order)

    def ready(self) -> None:
        """For whoever plays the work instead of running it: calls may come."""
        self._running.ready()

    def take(self, order: m.Run) -> None:
        """For whoever plays the work: a call begins."""
        self._running.take(order)

    def go_on(self, order: m.Run) -> None:
        """For whoever played the work so far: run the call that was taken."""
        self._running.go_on(order)

    def give(self, value: Any = None, error: BaseException | None = None) -> None:
        """For whoever plays the work: the call under way ends with a value, or with an exception."""
        self._running.give(value, error)

    @property
    def raised(self) -> BaseException | None:
        """What the call that failed last, or `on_start`, had raised."""
        return self._running.raised

    def terminate(self, on_exit: bool = True) -> None:
        """`on_exit` if wanted, and what it changed is said; nothing is run after it."""
        self._running.terminate(on_exit)

    def end(self) -> None:
        """Everything is over here: what is not said yet, as of `finally` blocks that a stop has led through, is said."""
        self._running.end()

    def sweep(self) -> None:
        """Say what changed inside values that do not tell."""
        self._unspoken.sweep()

    @property
    def busy_here(self) -> bool:
        """Whether the calling thread is in the middle of saying or taking in something."""
        return bool(self._voice.lock._is_owned())  # type: ignore[attr-defined]

    def halt(self) -> None:
        """From another thread: end the call at its next read or write of state."""
        with self._voice.lock:
            self._halt.stopping = True
            self._hearing.close_gate()

    # -- the binding -------------------------------------------------------------------------------------

    def check_thread(self, component: Component) -> None:
        """In a work any thread may assign, until it is stopped."""
        self._halt.check()

    def settle_in(self) -> None:
        """Take in what the flow has written; called when an attribute is about to be read."""
        self._hearing.settle_in()

    def call(
        self,
        work: LightningWork,
        plain: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        policy: Policy | None = None,
    ) -> Any:
        """In its own process `run` is an ordinary method."""
        return plain(work, *args, **kwargs)

    def attached(self, child: Component) -> None:
        raise WrongPlace(f"{self.work.name} cannot take children.")

    def detached(self, child: Component) -> None:
        """Works have no children."""

    def arranged(self, flow: Component, name: str, kind: str) -> None:
        """Works have no structures."""

    def start(self, work: LightningWork) -> None:
        self._only_flows("start")

    def stop(self, work: LightningWork, delete: bool = False) -> None:
        self._only_flows("delete" if delete else "stop")

    def retry(self, work: LightningWork) -> None:
        self._only_flows("be asked for again")

    def _only_flows(self, what: str) -> None:
        raise WrongPlace(f"Only the `LightningFlow` can request this work ({self.work.name!r}) to {what}.")

    def statuses(self, work: LightningWork) -> list[WorkStatus]:
        """In its own process a work is running, or has started."""
        stage = Stage.RUNNING if self._running.current is not None else Stage.STARTED
        return [WorkStatus(stage=stage, timestamp=self._wall())]

    def calls(self, component: Component) -> dict[str, Any]:
        """Calls are the flow's side's business."""
        return {"latest_call_hash": None}

    def attempt(self, work: LightningWork) -> int:
        """The number of this delivery; only grows."""
        current = self._running.current
        return current.attempt if current is not None else 0

    def checkpoint(self, work: LightningWork, values: dict[str, Any]) -> None:
        """Keep something for the next attempt of this call; what the work has changed so far is kept by the flow's side first."""
        self._running.checkpoint(values)

    def last_checkpoint(self, work: LightningWork) -> dict[str, Any] | None:
        """What this call's earlier attempt kept, or this one has since."""
        return self._running.kept

    def successes(self, work: LightningWork) -> int:
        """Known to the flow's side only."""
        return 0

    def timeouts(self, work: LightningWork) -> int:
        """Known to the flow's side only."""
        return 0

    def port(self, work: LightningWork) -> int:
        """What the host has handed out."""
        return self.offered_port

    def schedule(
        self, flow: LightningFlow, code: types.CodeType, line: int, user_key: str | None, pattern: str, start: Any
    ) -> bool:
        raise WrongPlace("Only flows have schedules.")
