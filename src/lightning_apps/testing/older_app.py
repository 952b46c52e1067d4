"""The older framework's way of testing: an app that really runs, in the test's own process, with hooks around its turns.

Knows nothing of how apps run.  New tests are better off with `AppTest`, which needs no process and no time.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ..base.errors import WorkFailed, WrongPlace
from ..base.messages import Asked, Edit, Edited
from ..base.status import AppStage, WorkStatus
from ..client.state import AppState
from ..client.tree import at, place_of_name
from ..host.dispatch import run_app
from ..model.app import LightningApp
from ..model.binding import Unbound
from ..model.flow import LightningFlow
from ..model.work import LightningWork

__all__ = ["LightningTestApp", "run_work_isolated"]

PACE = 0.15  # seconds between the hooks of an app in which nothing happens


class LightningTestApp(LightningApp):
    """An app whose subclasses look at it between turns; see `application_testing`.

    Override `on_before_run_once`, `on_after_run_once` or `run_once`.  They run in the flow's thread, at least every 0.15 s, so
    `self.root` and `self.works` can be looked at; an assertion that fails there fails the test.

    Attributes:
        counter: turns so far, as long as `on_after_run_once` is not overridden.
    """

    longest_wait = PACE

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.counter = 0
        self._runtime: Any = None

    def connect(self, runtime: Any) -> None:
        """Called right before the first turn, with the host that runs the app."""
        self._runtime = runtime

    def on_before_run_once(self) -> Any:
        """Called before a turn; anything but None takes the place of the turn and says whether the app is over."""
        return None

    def on_after_run_once(self) -> Any:
        """Called after a turn; anything but None says whether the app is over."""
        self.counter += 1
        return None

    def run_once(self) -> bool:
        """One turn with the hooks around it; whether the app is over."""
        before = self.on_before_run_once()
        if before is not None:
            return before  # type: ignore[no-any-return]
        done = super().run_once()
        after = self.on_after_run_once()
        if after is not None:
            return after  # type: ignore[no-any-return]
        return done or self.stage in (AppStage.STOPPING, AppStage.FAILED)

    def make_request(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Call `fn(state, *args, **kwargs)` as a page would: what it assigns to the `AppState`, the flow sees in its next turn.

        Raises:
            WrongPlace: (RuntimeError) the app does not run.
        """
        if self._turn is None:
            raise WrongPlace("Requests are made while the app runs, in the hooks around its turns.")
        before, after = self.state_vars, self.state_vars
        state = AppState(state=after)
        fn(state, *args, **kwargs)
        state.send_delta()
        edits = tuple(_edits(self._runtime.coordinator.tree, before, after))
        self._runtime.pump.put(Edited("request of a test", edits))

    def kill_work(self, work_name: str, sleep_time: int = 1) -> None:
        """Send SIGTERM to the process of a work.

        Args:
            work_name: its full name, such as "root.train".
            sleep_time: kept from before; has no effect.

        Raises:
            WrongPlace: (RuntimeError) the work has no process, or the app does not run.
        """
        life = self._lives().get(work_name)
        if life is None or not life.pid:
            raise WrongPlace(f"{work_name} has no process that could be killed; works are {_listed(self._lives())}.")
        os.kill(life.pid, signal.SIGTERM)

    def restart_work(self, work_name: str) -> None:
        """Make the call again that failed when the work was killed, as `work.retry()` does.

        Raises:
            WrongPlace: (RuntimeError) there is no such work, or the app does not run.
        """
        if work_name not in self._lives():
            raise WrongPlace(f"There is no work {work_name!r} to restart; works are {_listed(self._lives())}.")
        self._runtime.pump.put(Asked(f"restart {work_name}", work_name, "retry"))

    def _lives(self) -> dict[str, Any]:
        if self._turn is None:
            raise WrongPlace("Works can be killed and restarted while the app runs, in the hooks around its turns.")
        return dict(self._runtime.coordinator.crew.lives)


def _listed(names: Sequence[str] | dict[str, Any]) -> str:
    return ", ".join(sorted(names)) or "none"


def _edits(components: Iterable[str], before: dict[str, Any], after: dict[str, Any]) -> Iterator[Edit]:
    for component in components:
        place = place_of_name(before, component)
        if place is not None:
            former = at(before, place)["vars"]
            for attribute, value in at(after, place)["vars"].items():
                if value != former[attribute]:
                    yield Edit(component, (attribute,), "replace", value)


class OneCall(LightningFlow):
    """Runs one work once."""

    def __init__(self, work: LightningWork, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__()
        self.work = work
        self._given = args, kwargs

    def run(self) -> None:
        if self.work.has_succeeded or self.work.has_failed:
            self.stop()
        args, kwargs = self._given
        self.work.run(*args, **kwargs)


class OneCallApp(LightningApp):
    """Remembers of its work what would be gone when the app is."""

    def connect(self, runtime: Any) -> None:
        """Called right before the first turn, with the host that runs the app."""
        self.coordinator = runtime.coordinator

    def part(self, work: LightningWork) -> None:
        """Take the work out of the app that has ended: it keeps its state and statuses, and its `run` simply runs."""
        life = self.coordinator.crew.lives["root.work"]
        life.bare = []  # that it was stopped was the app's end, not the call's
        work._lit_binding = Alone(life.statuses(), work._calls)


class Alone(Unbound):
    """A work after its only call."""

    def __init__(self, statuses: list[WorkStatus], calls: dict[str, Any]) -> None:
        self._statuses, self._calls = statuses, calls

    def statuses(self, work: LightningWork) -> list[WorkStatus]:
        """Of the call it was run for."""
        return list(self._statuses)

    def calls(self, component: Any) -> dict[str, Any]:
        """As they were at the end."""
        return dict(self._calls)


def run_work_isolated(work: LightningWork, *args: Any, start_server: bool = False, **kwargs: Any) -> None:
    """Run a work once, in a process of its own, in an app of its own; then look at its state and `status`.

    Args:
        work: belongs to no flow; afterwards it has the state that its `run` left, and `work.run()` simply runs it.
        args, kwargs: of its `run`.
        start_server: whether the app's page is served meanwhile.

    Raises:
        WorkFailed: the call failed and the work was made with `raise_exception=True`, the default.

    Example:
        work = Train()
        run_work_isolated(work, lr=0.1)
        assert work.has_succeeded and work.loss < 0.3
    """
    app = OneCallApp(OneCall(work, args, kwargs))
    with tempfile.TemporaryDirectory() as folder:
        code = run_app(app, with_server=start_server, open_ui=False, run_dir=folder)
    app.part(work)
    if code or (work.has_failed and work.raise_exception):
        raise WorkFailed(_why(work, code))


def _why(work: LightningWork, code: int) -> str:
    status = work.status
    said = f": {status.message}" if status.message else ""
    return f"{type(work).__name__}.run ended as {status.stage} ({status.reason or f'exit code {code}'}){said}"
