"""What if the host, or a work, dies here?  Tries it at every point of an app, and tells the smallest sequence that breaks something."""

from __future__ import annotations

import random
import sys
from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from ..base import messages as m
from ..base.errors import InvariantBroken, KitError
from .app_test import AppTest
from .judged import Broken, Invariant, Judge, Play, difference, public
from .names import meant
from .played_host import BEFORE, PERFORMED, RECORDED, HostDied

__tracebackhide__ = True  # for pytest: a test's author is shown the test
HOST, MACHINE, WORKS = "host", "machine", "works"
FEW, MANY = 100, 5  # turns more, and times as many, that an app may take with deaths
STEPS = ("every-step", "every-turn")


class Explored(msgspec.Struct):
    """What was tried without breaking anything.

    Attributes:
        points: at which something could die, in a run without deaths.
        runs: how often the app was run.
    """

    points: int
    runs: int


class Death(msgspec.Struct, frozen=True):
    """Who dies, at which point: "host", "machine" (the host with all works), or the full name of a work."""

    who: str
    point: int

    def __str__(self) -> str:
        return f"{self.who}@{self.point}"


class Point(msgspec.Struct):
    """A moment of a run: in which turn, where in it, and which works had a call under way."""

    turn: int
    where: str
    running: list[str]


class Fate:
    """Lets those die who have to, and takes down where that could have been.

    Args:
        deaths: who, and when.
        turns_only: the points after single effects do not count.
    """

    def __init__(self, deaths: Collection[Death], turns_only: bool = False) -> None:
        self._deaths: dict[int, list[str]] = {}
        for death in deaths:
            self._deaths.setdefault(death.point, []).append(death.who)
        self._turns_only = turns_only
        self.points: dict[int, Point] = {}
        self.passed = 0
        self.app: AppTest | None = None

    def __call__(self, where: str, effect: Any) -> None:
        """The host is at a point."""
        if self.app is None or (self._turns_only and where == PERFORMED):
            return
        self.passed += 1
        dying = self._deaths.get(self.passed, [])
        if dying or not self._deaths:
            stage = self.app.stage
            running = [worker.name for worker in stage.engine.workers.values() if worker.order is not None]
            self.points[self.passed] = Point(stage.host.coordinator.turn, _told(where, effect), running)
        for who in dying:
            if who not in (HOST, MACHINE):
                _kill(self.app, who)
        if HOST in dying or MACHINE in dying:
            raise HostDied(*[True] * (MACHINE in dying))


def explore(
    app: Any,
    play: Play | None = None,
    *,
    crashes: str = "every-step",
    who: Collection[str] = (HOST, MACHINE, WORKS),
    invariant: Invariant | None = None,
    deaths: int = 1,
    runs: int = 500,
    seed: int = 0,
    snapshots: int = 0,
    replay: str = "",
    **options: Any,
) -> Explored:
    """Run an app with somebody dying at every point of it, and see that what should hold does.

    A host that dies is resumed from its records, as after a real crash; a work that dies is killed in the middle of its call.

    Args:
        app: a class or function that makes the app or its root flow, or the path of an app file.
        play: what a test would do with the AppTest, from its beginning to its end; None: all works run inline, and the app runs to
            its end.  It is called once for each run, so it has to do the same each time.
        crashes: "every-step": before and after each turn's record and after each of its effects; "every-turn": only the former.
        who: of "host" (its works live on), "machine" (host and works) and "works" (each that runs a call).
        invariant: is given the AppTest after every turn and at the end; it returns False, or raises, where something is wrong.
            Without it and `play`, the app has to end with the same exit code and state as undisturbed, whenever host or machine die.
        deaths: how many there are in one run at most.  Single ones are tried at every point, sequences at random.
        runs: with more than one death: how many sequences are tried.
        seed: of those.
        snapshots: records between two snapshots; a host is resumed from the last one and the records after it.  0: from records alone.
        replay: what a report says: this one run only.
        options: of `AppTest`, such as `inline=["train"]` or `start=…`.

    Returns:
        how much was tried.

    Raises:
        InvariantBroken: says who died when, in the smallest sequence found, and how to see that again; its `app` is the AppTest.

    Example:
        explore(Shop, invariant=lambda app: app.root.paid <= 1)
    """
    if crashes not in STEPS:
        raise KitError(f"Crashes can be at {' or '.join(STEPS)}, not {crashes!r}.")
    for each in who:
        if each not in (HOST, MACHINE, WORKS):
            raise KitError(f"Nobody is called {each!r}{meant(each, (HOST, MACHINE, WORKS))}")
    search = Search(
        Judge(app, play, invariant, {**options, "_snapshots": snapshots}),
        crashes == "every-turn",
        invariant is None and play is None,
    )
    if replay:
        return search.replay([_death(word) for word in replay.split()])
    return search.search(who, deaths, runs, random.Random(seed))


class Search:
    """The runs of one `explore`.

    Args:
        judge: lets the app run.
        turns_only: see `Fate`.
        compares: the end has to be the same as without deaths.
    """

    def __init__(self, judge: Judge, turns_only: bool, compares: bool) -> None:
        self._judge, self._turns_only, self._compares = judge, turns_only, compares
        self._runs = 0
        self._end: Any = None
        self._patience = sys.maxsize

    def search(self, who: Collection[str], deaths: int, runs: int, rng: random.Random) -> Explored:
        """Every single death, then sequences."""
        points = self._undisturbed()
        singles = list(_singles(points, who))
        for death in singles:
            self._try([death])
        for _ in range(runs if deaths > 1 and singles else 0):
            chosen = rng.sample(singles, k=min(len(singles), rng.randrange(2, deaths + 1)))
            self._try(sorted(chosen, key=lambda death: death.point))
        return Explored(len(points), self._runs)

    def replay(self, sequence: list[Death]) -> Explored:
        """This one sequence."""
        points = self._undisturbed()
        self._try(sequence, shrinks=False)
        return Explored(len(points), self._runs)

    def _undisturbed(self) -> dict[int, Point]:
        fate, app, broken = self._run([])
        if broken is not None or app is None:
            self._report([], fate, broken)
        else:
            self._end = (app.exit_code, public(app.state))
            self._patience = FEW + MANY * app.stage.host.coordinator.turn
        return fate.points

    def _run(self, sequence: list[Death]) -> tuple[Fate, AppTest | None, Broken | None]:
        self._runs += 1
        fate = Fate(sequence, self._turns_only)
        works_die = any(death.who not in (HOST, MACHINE) for death in sequence)

        def begin(app: AppTest) -> None:
            fate.app, app.stage.patience = app, self._patience

        app, broken = self._judge.run(works_die, begin, _point=fate)
        if broken is None and app is not None and self._compares and sequence and not works_die:
            broken = self._compared(app)
        return fate, app, broken

    def _compared(self, app: AppTest) -> Broken | None:
        code, state = self._end
        found = f"the exit code is {app.exit_code} and not {code}" if app.exit_code != code else ""
        found = found or difference(state, public(app.state))
        turn = app.stage.host.coordinator.turn
        return Broken(f"it ends otherwise than undisturbed: {found}", turn, app) if found else None

    def _try(self, sequence: list[Death], shrinks: bool = True) -> None:
        fate, _, broken = self._run(sequence)
        if broken is None:
            return
        shortest = sequence
        for death in sequence if shrinks and len(sequence) > 1 else ():
            shorter = [each for each in shortest if each is not death]
            again, _, still = self._run(shorter)
            if still is not None:
                shortest, fate, broken = shorter, again, still
        self._report(shortest, fate, broken)

    def _report(self, sequence: list[Death], fate: Fate, broken: Broken | None) -> None:
        if broken is None:
            return
        lines = [f"{broken} after {_counted(len(sequence))} ({_runs(self._runs)}){':' if sequence else '.'}"]
        for death in sequence:
            lines.append(f"  {_who(death.who)} died {_when(fate.points, death.point)}")
        if sequence:
            again = " ".join(map(str, sequence))
            lines.append(f'See it again with explore({self._judge.name}, …, replay="{again}").')
        error = InvariantBroken("\n".join(lines))
        error.app = broken.app
        raise error from broken.error


def _singles(points: dict[int, Point], who: Collection[str]) -> Iterator[Death]:
    """Every death that makes a difference: works do nothing between two effects, and none of these survives its machine."""
    killed = set()
    for number, point in points.items():
        if HOST in who:
            yield Death(HOST, number)
        if MACHINE in who and point.where in (BEFORE, RECORDED):
            yield Death(MACHINE, number)
        for name in point.running if WORKS in who else ():
            if (name, point.turn) not in killed:
                killed.add((name, point.turn))
                yield Death(name, number)


def _death(word: str) -> Death:
    who, _, point = word.rpartition("@")
    if not who or not point.isdigit():
        raise KitError(f"A replay is made of words such as host@12 or root.train@7, not {word!r}.")
    return Death(who, int(point))


def _kill(app: AppTest, name: str) -> None:
    worker = app.stage.engine.latest.get(name)
    if worker is not None:
        worker.die(m.Exited(worker.place, None, 9))


def _told(where: str, effect: Any) -> str:
    if effect is None:
        return where
    if isinstance(effect, m.Send):
        return f"after {type(effect.message).__name__} was sent to {effect.place}"
    if isinstance(effect, m.Reply):
        return "after its answer to a request"
    return f"after {type(effect).__name__} of {effect.place}"


def _who(who: str) -> str:
    return {HOST: "the host", MACHINE: "the machine, with host and works,"}.get(who, who)


def _when(points: dict[int, Point], number: int) -> str:
    if number not in points:
        return f"at point {number}, which this run never reached"
    return f"in turn {points[number].turn}, {points[number].where} (point {number})"


def _runs(count: int) -> str:
    return "in the first run" if count == 1 else f"found in {count} runs"


def _counted(deaths: int) -> str:
    return "no death at all" if not deaths else "one death" if deaths == 1 else f"{deaths} deaths"


__all__ = ["Explored", "explore"]
