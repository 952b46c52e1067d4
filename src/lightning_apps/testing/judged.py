"""One run of an app as a play has it, and whether what should hold did.  Does not choose what happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..base.errors import KitError, WorkFailed
from .app_test import AppTest
from .origin import makes_one_only

__tracebackhide__ = True  # for pytest: a test's author is shown the test
Play = Callable[[AppTest], Any]
Invariant = Callable[[AppTest], Any]


class Broken(msgspec.Struct):
    """What did not hold.

    Attributes:
        what: a sentence.
        turn: in which it was seen.
        app: as it was then.
        error: what was raised.
    """

    what: str
    turn: int
    app: AppTest | None
    error: BaseException | None = None

    def __str__(self) -> str:
        return f"{self.what.rstrip('.')}.\nThis was seen in turn {self.turn},"


class Judge:
    """Lets apps run and sees whether the invariant holds after every turn, and at the end.

    Args:
        source: see `AppTest`; it has to be something that makes the app.
        play: what the test does with it; None: the works run inline, to the end of the app.
        invariant: a function of the app that returns False, or raises, where something is wrong.
        options: of `AppTest`.
    """

    def __init__(self, source: Any, play: Play | None, invariant: Invariant | None, options: dict[str, Any]) -> None:
        if makes_one_only(source):
            kind = type(source).__name__
            raise KitError(
                f"The app is run many times: give what makes it, as {kind} or lambda: {kind}(…), not one {kind}."
            )
        self._source, self._play, self._invariant = source, play or AppTest.finish, invariant
        self._options = {"inline": play is None, **options}
        self.name = getattr(source, "__name__", None) or repr(str(source))

    def run(
        self, expects_failures: bool = False, began: Callable[[AppTest], None] | None = None, **how: Any
    ) -> tuple[AppTest | None, Broken | None]:
        """One run, and what was broken in it.

        Args:
            expects_failures: a work dies in it, so that the app may fail.
            began: is given the app before its first turn.
            how: what is between the play and the app.
        """
        trial = Trial(self._invariant)

        def begun(app: AppTest) -> None:
            trial.app = app
            app.persist()
            if began is not None:
                began(app)

        try:
            AppTest(self._source, _turned=trial.turned, _began=begun, _echo=False, **how, **self._options)
            self._play(trial.app)
        except Exception as error:
            trial.ended(error, expects_failures)
        if trial.broken is None and trial.app is not None:
            trial.look(trial.app)
        return trial.app, trial.broken


class Trial:
    """What is seen of one run.

    Args:
        invariant: see `Judge`.
    """

    def __init__(self, invariant: Invariant | None) -> None:
        self._invariant = invariant
        self.app: Any = None
        self.broken: Broken | None = None

    def turned(self, app: AppTest) -> None:
        """After a turn; what is broken ends the run, but not in the middle of a work's code."""
        self.look(app)
        if self.broken is not None and not app.stage.reacting:
            raise Stopped

    def look(self, app: AppTest) -> None:
        """Whether the invariant holds; what is seen first counts."""
        if self._invariant is None or self.broken is not None:
            return
        try:
            holds, raised = self._invariant(app), None
        except Exception as error:
            holds, raised = False, error
        if holds is False:
            what = f"{_called(self._invariant)} is False" if raised is None else _said(raised)
            self.broken = Broken(what, app.stage.host.coordinator.turn, app, raised)

    def ended(self, error: Exception, expects_failures: bool) -> None:
        """The play could not go on: that is nothing, if a work died and the app has failed for it."""
        app = self.app
        over = app is not None and app.exit_code is not None and isinstance(error, (WorkFailed, KitError))
        if self.broken is None and not (over and expects_failures):
            turn = app.stage.host.coordinator.turn if app is not None else 0
            self.broken = Broken(_said(error), turn, app, error)


class Stopped(Exception):
    """Enough was seen."""


def _said(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _called(function: Any) -> str:
    name = getattr(function, "__name__", "")
    return "the invariant" if name in ("", "<lambda>") else name


def public(state: dict[str, Any]) -> dict[str, Any]:
    """A state without what the framework keeps in it, for comparing ends."""
    found: dict[str, Any] = {}
    for key, value in state.items():
        if key == "vars":
            found[key] = {name: each for name, each in value.items() if name[0] != "_"}
        elif key != "app_state":
            found[key] = public(value) if isinstance(value, dict) else value
    return found


def difference(left: Any, right: Any, path: str = "") -> str:
    """Where two plain values differ first, "" if they do not."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in [*left, *(each for each in right if each not in left)]:
            if key not in left or key not in right:
                return f"{path}.{key} is there only {'after' if key in right else 'before'}".lstrip(".")
            if found := difference(left[key], right[key], f"{path}.{key}"):
                return found
        return ""
    return "" if left == right and type(left) is type(right) else f"{path} is {right!r} and not {left!r}".lstrip(".")
