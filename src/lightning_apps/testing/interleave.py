"""What if this comes before that?  Runs an app with everything that is not ordered by the framework happening in random orders."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from ..base.errors import InvariantBroken, KitError
from ..base.values import plain
from .app_test import AppTest
from .judged import Broken, Invariant, Judge, Play, difference
from .stage import Move

__tracebackhide__ = True  # for pytest: a test's author is shown the test


class Interleaved(msgspec.Struct):
    """How many orders were tried without breaking anything."""

    runs: int


class Dice:
    """Chooses at random for so many choices, and the first thing after them.

    Args:
        seed: gives the same choices again.
        limit: choices that are made at random; None: all.
    """

    def __init__(self, seed: int, limit: int | None = None) -> None:
        self._rng, self._limit = random.Random(seed), limit
        self.choices = 0

    def choose(self, moves: list[Move]) -> Move:
        """One of these."""
        self.choices += 1
        drawn = self._rng.randrange(len(moves))
        return moves[drawn if self._random else 0]

    def how_many(self) -> int:
        """How many things happen while a work's code goes on for a moment."""
        self.choices += 1
        drawn = self._rng.choice((0, 0, 1, 2, 5))
        return drawn if self._random else 0

    @property
    def _random(self) -> bool:
        return self._limit is None or self.choices <= self._limit


def interleave(
    app: Any,
    play: Play | None = None,
    *,
    invariant: Invariant | None = None,
    runs: int = 100,
    seed: int = 0,
    replay: str = "",
    **options: Any,
) -> Interleaved:
    """Run an app in many orders of events: when each word of a work reaches the flow, when the flow's writes reach the work, how much is
    seen in one turn, which work comes first.  Where flow and work write the same attribute, each order is tried as well.

    In every order, what the flow and its works hold in the end has to be the same.

    Args:
        app, play, invariant, options: as for `explore`.
        runs: how many orders.
        seed: of the first; each further one has the next.
        replay: what a report says: this one run only.

    Raises:
        InvariantBroken: says after how many choices, and how to see that again; its `app` is the AppTest.

    Example:
        interleave(Shop, invariant=lambda app: app.root.stock >= 0, runs=500)
    """
    judge = Judge(app, play, invariant, options)
    if replay:
        first, _, limit = replay.partition(":")
        if not (first.isdigit() and (limit.isdigit() or not limit)):
            raise KitError(f"A replay is a seed and a number of choices, as 17:23, not {replay!r}.")
        broken = _run(judge, int(first), int(limit) if limit else None)[1]
        if broken is not None:
            raise _report(judge, int(first), int(limit) if limit else None, broken, 1)
        return Interleaved(1)
    for number in range(seed, seed + runs):
        choices, broken = _run(judge, number)
        if broken is not None:
            raise _shrunk(judge, number, choices, broken, number - seed + 1)
    return Interleaved(runs)


def _run(judge: Judge, seed: int, limit: int | None = None) -> tuple[int, Broken | None]:
    dice = Dice(seed, limit)
    app, broken = judge.run(_chance=dice)
    if broken is None and app is not None:
        broken = _divided(app)
    return dice.choices, broken


def _divided(app: AppTest) -> Broken | None:
    """Where a work holds something else than its flow does, once everything was heard."""
    app.settle()
    host = app.stage.host.coordinator
    for worker in app.stage.engine.living():
        if worker.stalled or worker.ending or worker.name not in host.tree:
            continue
        worker.session.settle_in()
        worker.session.sweep()
    app.settle()
    for worker in app.stage.engine.living():
        if worker.stalled or worker.name not in host.tree or not worker.session.online:
            continue
        here, there = (
            {name: plain(value) for name, value in work._lit_values().items() if name[0] != "_"}
            for work in (host.tree[worker.name], worker.work)
        )
        if found := difference(here, there):
            what = f"{worker.name} and its flow do not hold the same: {found} in the work"
            return Broken(what, host.turn, app)
    return None


def _shrunk(judge: Judge, seed: int, choices: int, broken: Broken, runs: int) -> InvariantBroken:
    """The same with as few random choices as will do."""
    low, high = 0, choices
    while low < high:
        middle = (low + high) // 2
        _, found = _run(judge, seed, middle)
        if found is None:
            low = middle + 1
        else:
            high, broken = middle, found
    return _report(judge, seed, high, broken, runs)


def _report(judge: Judge, seed: int, limit: int | None, broken: Broken, runs: int) -> InvariantBroken:
    order = (
        "in the usual order"
        if limit == 0
        else f"after {limit} choices of what comes next"
        if limit
        else "in this order"
    )
    again = f"{seed}" if limit is None else f"{seed}:{limit}"
    error = InvariantBroken(
        f'{broken} {order} (found in {runs} runs).\nSee it again with interleave({judge.name}, …, replay="{again}").'
    )
    error.app = broken.app
    error.__cause__ = broken.error
    return error


__all__ = ["Interleaved", "interleave"]
