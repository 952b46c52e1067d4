"""AppTest: a whole app in memory, in the hands of a test.  No processes, threads or sleeps; time passes when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone, tzinfo
from types import TracebackType
from typing import Any

from ..base import messages as m
from ..base.errors import AppNeverRests, AppWaits, KitError
from .clock import BEGIN, VirtualClock, seconds_of
from .looks import Looks
from .names import find, matches, meant, mistaken
from .origin import Origin
from .played_host import Point
from .reasons import failure_of, how_it_stands, what_it_waits_for
from .scripts import Scripts
from .stage import Chance, Stage
from .terminal import Terminal
from .works import PlayedWork, PlayedWorks

__tracebackhide__ = True  # for pytest: a test's author is shown the test
TURNS, TIMERS = 10_000, 10_000


class AppTest(Looks):
    """An app whose works are played by the test, or run for real in its own thread.

    Args:
        app: a LightningApp, a root flow or a work; a class or function that makes one; or the path of an app file, for apps that are
            built under `__main__`.
        inline: True: the code of every work is run for real, synchronously, as soon as its call comes; or the names of those works,
            as "train" or "root.trainers.*".  All others are played, through `works`.
        start: the time at first; without a zone it is in `zone`.
        zone: of the schedules and of `now`; UTC unless said otherwise, so that tests do not depend on where they run.
        argv: arguments of an app file.
        clock: a clock to go by, in the place of `start` and `zone`; several apps may share it, and the test's own code.

    Raises:
        AppLoadError: the file does not build one app.

    Example:
        app = AppTest(Root)
        app.settle()                                # until only a work could move it
        app.works["train"].finish(loss=0.1)
        app.settle()
        assert app.exit_code == 0
    """

    __test__ = False  # it is no class of tests, whatever its name says

    def __init__(
        self,
        app: Any,
        *,
        inline: bool | Collection[str] = False,
        start: datetime | float = BEGIN,
        zone: tzinfo = timezone.utc,
        argv: Sequence[str] = (),
        clock: VirtualClock | None = None,
        _echo: bool = True,
        _snapshots: int = 0,
        _point: Point | None = None,
        _chance: Chance | None = None,
        _turned: Callable[[AppTest], None] | None = None,
        _began: Callable[[AppTest], None] | None = None,
    ) -> None:
        self.clock, self._terminal = clock or VirtualClock(start, zone), Terminal(echo=_echo)
        self._origin = Origin(app, argv)
        self._inline = (inline,) if isinstance(inline, str) else inline
        self._seen: set[str] = set()  # the works there were
        self._told = False
        self._asked = 0
        self.scripts: Scripts | None = None
        self.stage = Stage(
            self._origin.make,
            self.clock,
            self._is_inline,
            self._terminal,
            point=_point,
            chance=_chance,
            turned=None if _turned is None else lambda: _turned(self),
            snapshots=_snapshots,
        )
        self.works = PlayedWorks(self)
        if _began is not None:
            _began(self)
        with self._terminal.listening():
            self.stage.open()
        self._seen.update(self.works)

    def _is_inline(self, name: str) -> bool:
        self._seen.add(name)
        return self._inline if isinstance(self._inline, bool) else matches(name, self._inline)

    def __enter__(self) -> AppTest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = f"exit code {self.exit_code}" if self.exit_code is not None else "runs"
        return f"<AppTest {type(self.root).__name__}: {state}, {self.now:%Y-%m-%d %H:%M:%S}, works {self.works!r}>"

    @contextmanager
    def acting(self) -> Iterator[None]:
        """While code of the app may run."""
        with self._origin.present(), self._terminal.listening():
            yield

    # -- moving it ---------------------------------------------------------------------------------------

    def settle(self, limit: int = TURNS) -> AppTest:
        """Go on until nothing more happens: only the test, or time, could move the app then.

        Args:
            limit: turns after which an app that never rests is given up.

        Raises:
            BaseException: what the flow raised, or the work whose failure ended the app; once.
            WorkFailed: the failure of a work ended the app, without an exception.
            AppNeverRests: there were more turns than `limit`.
            KitError: `inline` names a work that the app has not got.
        """
        with self.acting():
            self.stage.rest(limit)
        self._raise_failure()
        self._refuse_strangers()
        return self

    def _refuse_strangers(self) -> None:
        """Names in `inline` that are no work's: those near to one's at once, others when no more works can come."""
        if isinstance(self._inline, bool):
            return
        self._seen.update(self.works)
        for name in self._inline:
            if any(matches(seen, (name,)) for seen in self._seen):
                continue
            if self.exit_code is not None or ("*" not in name and mistaken(name, self._seen)):
                raise KitError(f"inline: the app has no work {name!r}{meant(name, self._seen)}")

    def turn(self) -> AppTest:
        """One turn of the flow, with whatever has come; raises what `settle` would."""
        with self.acting():
            self.stage.engine.step()
            self.stage.turn()
        self._raise_failure()
        return self

    def advance(self, *, until: datetime | float | None = None, **duration: float) -> AppTest:
        """Let time pass, stopping at every timer on the way: schedules, retries, time limits.

        Args:
            until: the time to reach.
            duration: or how long, as `timedelta` has it: `hours=1`, `days=2, minutes=30`.

        Raises:
            KitError: neither is given, or a unit that there is not, or time would run backwards.
            As `settle`.
        """
        end = self.clock.wall() + seconds_of(duration) if until is None else self.clock.moment(until)
        self._settle_for_a_while()
        while self.exit_code is None and (at := self.stage.host.coordinator.wake_at) is not None and at <= end:
            self._ring(at)
        self.clock.reach(end)
        return self

    def finish(self) -> int:
        """Run the app to its end, however long its timers take, and return its exit code.

        Raises:
            AppWaits: only a work that the test plays could move it; says which.
            AppNeverRests: it did not end in 10,000 timers.
            BaseException: as `settle`.
        """
        self.settle()
        for _ in range(TIMERS):
            if self.exit_code is not None:
                return self.exit_code
            at = self.stage.host.coordinator.wake_at
            if at is None:
                raise AppWaits(what_it_waits_for(self.stage))
            self._ring(at)
        raise AppNeverRests(
            f"The app has not ended by {self.now}, after {TIMERS} timers. Use `advance()` for an app that never ends."
        )

    def _ring(self, at: float) -> None:
        """The time of the next timer has come."""
        self.clock.reach(at)
        with self.acting():
            self.stage.turn()
        self._raise_failure()
        self._settle_for_a_while()

    def _settle_for_a_while(self) -> None:
        """As `settle`, but a flow that never rests is left to the passing of time, which paces it."""
        try:
            self.settle(limit=200)
        except AppNeverRests:
            """It goes on at its own pace."""

    def crash(self, *, works: bool = False) -> AppTest:
        """The host dies here, and the app is resumed from its records.

        Args:
            works: the works die with it, as when the machine is switched off.

        Raises:
            KitError: the app was given as an object, which cannot be made again.
        """
        with self.acting():
            self.stage.lose_host(works)
        return self

    def ask(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of a flow as a route or a command would: in a turn, as "root.add_user", and return what it returned.

        Raises:
            BaseException: what the method raised; nothing that it did counts then.
            KitError: there is no such component or method.
        """
        component, name = self._method(method)
        self.settle()
        self._asked += 1
        number, host = str(self._asked), self.stage.host
        host.events.append(m.Asked(number, component, name, args, kwargs))
        with self.acting():
            self.stage.turn()
        reply = host.replies.pop(number, None)
        if reply is None:
            raise KitError(f"The app has ended, so that {method} cannot be called.")
        if reply.error is not None:
            raise reply.error
        return reply.value

    def _method(self, path: str) -> tuple[str, str]:
        component, dot, name = path.rpartition(".")
        tree = self.stage.host.coordinator.tree
        full = find(component, tree, "component") if dot else "root"
        if not callable(getattr(tree[full], name, None)):
            own = [each for each in dir(type(tree[full])) if each[0] != "_"]
            raise KitError(f"{full} has no method {name!r}{meant(name, own)}")
        return full, name

    def close(self) -> None:
        """End what is left of the app; works that ran inline have their `on_exit`."""
        with self.acting():
            self.stage.close()

    def persist(self) -> None:
        """From now on plays go on through deaths: what was played in an attempt that is lost is played again in the next."""
        self.scripts = Scripts(lambda: self.stage.host.coordinator)
        self.stage.engine.began = self.scripts.began

    # -- why it does not go on ---------------------------------------------------------------------------

    def bring_on(self, work: PlayedWork) -> None:
        """Go on until this work runs, if it will."""
        self.settle()
        while self.scripts is not None and not work.is_running and self.exit_code is None:
            at = self.stage.host.coordinator.wake_at
            if at is None:
                return
            self._ring(at)

    def waits_for(self, name: str) -> str:
        """How it stands with a work, as the end of a sentence."""
        return how_it_stands(self.stage, name)

    def _raise_failure(self) -> None:
        """What ended the app, once."""
        exit = self.stage.host.exit
        if exit is None or self._told:
            return
        self._told = True
        if exit.error is not None:
            raise exit.error
        if exit.work:
            raise failure_of(self.stage, exit.work, exit.message)


__all__ = ["AppTest"]
