"""The works of an app as a test plays them: what they say, how their calls end, what becomes of their processes."""

from __future__ import annotations

import signal as signals
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ..base import messages as m
from ..base.errors import KitError
from ..base.status import WorkStatus
from ..model.work import LightningWork
from .calls_told import CallMade
from .names import find, meant
from .played_worker import PlayedWorker
from .scripts import Action, Scripts
from .stage import Stage

__tracebackhide__ = True  # for pytest: a test's author is shown the test
CATCHABLE = (signals.SIGTERM, signals.SIGINT)


class App(Protocol):
    """What is needed of an AppTest."""

    stage: Stage
    scripts: Scripts | None

    @property
    def calls(self) -> list[CallMade]: ...
    def acting(self) -> AbstractContextManager[None]: ...
    def settle(self) -> Any: ...
    def bring_on(self, work: PlayedWork) -> None: ...
    def waits_for(self, name: str) -> str: ...


class PlayedWorks(Mapping[str, "PlayedWork"]):
    """All works by name; "root." may be left out, and what is before it where only one work ends so."""

    def __init__(self, app: App) -> None:
        self._app = app

    def __getitem__(self, name: str) -> PlayedWork:
        return PlayedWork(self._app, find(name, self, "work"))

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._app.stage.host.coordinator.crew.lives))

    def __len__(self) -> int:
        return len(self._app.stage.host.coordinator.crew.lives)

    def __contains__(self, name: object) -> bool:
        return name in self._app.stage.host.coordinator.crew.lives

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name}: {work.stage}' for name, work in self.items())}}}"


class PlayedWork:
    """One work.  What is done here is seen by the flow in its next turn: call `settle()` after it.

    A work whose call has not begun yet is brought there first, as `settle()` would.
    """

    def __init__(self, app: App, name: str) -> None:
        self._app, self.name = app, name

    def __repr__(self) -> str:
        return f"<work {self.name}: {self.stage}>"

    # -- what it is --------------------------------------------------------------------------------------

    @property
    def work(self) -> LightningWork:
        """The work as its flow sees it."""
        found = self._app.stage.host.coordinator.tree[self.name]
        assert isinstance(found, LightningWork)
        return found

    @property
    def inside(self) -> Any:
        """The work as its own code sees it: what is assigned here, the flow reads in its next turn."""
        return self._running().work

    @property
    def status(self) -> WorkStatus:
        """As the flow reads it."""
        return self.work.status

    @property
    def stage(self) -> str:
        """ "not_started", "pending", "running", "succeeded" …"""
        return str(self.status.stage)

    @property
    def calls(self) -> list[CallMade]:
        """The calls of this work, in the order in which they were asked for."""
        return [call for call in self._app.calls if call.work == self.name]

    @property
    def call(self) -> CallMade | None:
        """The one that runs, else the one asked for last."""
        calls = self.calls
        return next((call for call in calls if call.stage == "running"), calls[-1] if calls else None)

    # -- how its call goes on ----------------------------------------------------------------------------

    def say(self, **changes: Any) -> None:
        """Its code assigns these attributes, and goes on."""
        known = self._running().work._lit_state
        for name in changes:
            if name not in known:
                raise KitError(
                    f"{self.name} has no attribute {name!r}{meant(name, [each for each in known if each[0] != '_'])}"
                )
        self._act(lambda worker: _assign(worker, changes))

    def checkpoint(self, **values: Any) -> None:
        """Its code leaves these for the next attempt."""
        self._act(lambda worker: worker.session.checkpoint(worker.work, values))

    def finish(self, value: Any = None, /, **changes: Any) -> None:
        """Its `run` assigns these attributes and returns `value`.

        Raises:
            KitError: it has no call to finish.
        """
        self.say(**changes)
        self._act(lambda worker: worker.give(value), ends=True)

    def fail(self, error: BaseException | type[BaseException], /, **changes: Any) -> None:
        """Its `run` assigns these attributes and raises `error`."""
        raised = error() if isinstance(error, type) else error
        if not isinstance(raised, BaseException):
            raise KitError(
                f'{self.name} fails with an exception, as in .fail(ValueError("no data")), not with {error!r}.'
            )
        self.say(**changes)
        self._act(lambda worker: worker.give(error=raised), ends=True, error=raised)

    def _act(self, action: Action, ends: bool = False, error: BaseException | None = None) -> None:
        """Do this to the call under way, and once more should its attempt be lost."""
        worker = self._running()
        if self._app.scripts is not None:
            self._app.scripts.note(worker, action, ends, error)
        action(worker)

    def run(self) -> None:
        """Its `run` is run for real, here and now, to its end."""
        worker = self._running()
        with self._app.acting():
            worker.run_for_real()

    # -- what becomes of its process ---------------------------------------------------------------------

    def die(self, signal: int | str = "SIGKILL") -> None:
        """Its process gets this signal: SIGTERM and SIGINT let it say its last words."""
        worker, number = self._process(), _number(signal)
        if number in CATCHABLE and not worker.stalled:
            worker.end()
        else:
            worker.die(m.Exited(worker.place, None, number))

    def exit(self, code: int) -> None:
        """Its process ends with this exit code, in the middle of its call."""
        worker = self._process()
        worker.die(m.Exited(worker.place, code))

    def lose(self) -> None:
        """Its process goes away with its machine."""
        worker = self._process()
        worker.die(m.Exited(worker.place, lost=True))

    def stall(self) -> None:
        """Its process hangs: it says nothing more and hears nothing, until `go_on()`."""
        self._process().stalled = True

    def go_on(self) -> None:
        """Its process, that had hung, goes on."""
        self._process().stalled = False

    # -- its place ---------------------------------------------------------------------------------------

    def hold(self, reason: str = "it is held back by the test") -> None:
        """From its next placement on it waits for a place, until `release()`."""
        self._app.stage.engine.held[self.name] = reason

    def release(self) -> None:
        """There is a place for it now."""
        self._app.stage.engine.release(self.name)

    def refuse(self, reason: str = "the test refuses it") -> None:
        """From its next placement on it can never be placed."""
        self._app.stage.engine.barred[self.name] = reason

    # -- finding its process -----------------------------------------------------------------------------

    def _found(self) -> PlayedWorker | None:
        worker = self._app.stage.engine.latest.get(self.name)
        return worker if worker is not None and not worker.over else None

    def _process(self) -> PlayedWorker:
        if not self.is_running:
            self._app.settle()
        worker = self._found()
        if worker is None:
            raise KitError(f"{self.name} has no process: {self._app.waits_for(self.name)}")
        return worker

    @property
    def has_process(self) -> bool:
        """Whether there is a process for it, with or without a call."""
        return self._found() is not None

    @property
    def is_running(self) -> bool:
        """Whether its process has begun a call and not ended it."""
        worker = self._found()
        return worker is not None and worker.order is not None

    def _running(self) -> PlayedWorker:
        if not self.is_running:
            self._app.bring_on(self)
        worker = self._found()
        if worker is None or worker.order is None:
            raise KitError(f"{self.name} has no call under way: {self._app.waits_for(self.name)}")
        if worker.stalled:
            raise KitError(f"{self.name} hangs since `stall()`: let it go on with `go_on()` first.")
        return worker


def _assign(worker: PlayedWorker, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(worker.work, name, value)


def _number(signal: int | str) -> int:
    if isinstance(signal, int):
        return int(signal)
    name = signal if signal.startswith("SIG") else f"SIG{signal}"
    if name not in signals.Signals.__members__:
        raise KitError(f"There is no signal {signal!r}{meant(name, signals.Signals.__members__)}")
    return int(signals.Signals[name])
