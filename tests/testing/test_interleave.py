"""`interleave`: what is not ordered happens in many orders, and the shortest list of choices that breaks something is told."""

from __future__ import annotations

import re
from typing import Any

import lightning as L
import pytest
from lightning.testing import AppTest, InvariantBroken, KitError, interleave

from lightning_apps.testing.played_worker import PlayedWorker


class Writer(L.LightningWork):
    """Writes what its flow writes too."""

    def __init__(self) -> None:
        super().__init__(parallel=True)
        self.n = 0
        self.items: Any = []
        self.table: Any = {}

    def run(self) -> None:
        for number in range(4):
            self.n = number
            self.items.append(f"work {number}")
            self.table["work"] = number


class Both(L.LightningFlow):
    """Writes into its works while they write."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = Writer(), Writer()
        self.order: Any = []

    def run(self) -> None:
        for work in (self.a, self.b):
            work.run()
            if 0 < work.n < 10:
                work.items.append("flow")
                work.table["flow"] = work.n
                work.n = 10 + work.n
            if work.has_succeeded and work.name not in self.order:
                self.order.append(work.name)


def settle(app: AppTest) -> None:
    app.settle()


def test_flow_and_work_hold_the_same_in_the_end_whatever_the_order() -> None:
    assert interleave(Both, settle, inline=True, runs=60).runs == 60


def test_an_order_that_a_flow_relies_on_and_does_not_have_is_found_and_replayed() -> None:
    with pytest.raises(InvariantBroken, match="a_comes_first is False") as caught:
        interleave(Both, settle, inline=True, invariant=a_comes_first)
    (replay,) = re.findall(r'replay="(.*)"', str(caught.value))

    with pytest.raises(InvariantBroken) as again:
        interleave(Both, settle, inline=True, invariant=a_comes_first, replay=replay)

    assert str(again.value).split(" (found")[0] == str(caught.value).split(" (found")[0]
    assert again.value.app.root.order[0] == "root.b"  # type: ignore[attr-defined]


def a_comes_first(app: AppTest) -> bool:
    return app.root.order[:1] != ["root.b"]


def test_what_two_played_works_say_arrives_in_both_orders() -> None:
    orders = set()

    def play(app: AppTest) -> None:
        app.works["b"].finish()
        app.works["a"].finish()
        app.settle()
        orders.add(tuple(app.root.order))

    interleave(Both, play, runs=40)

    assert {("root.a", "root.b"), ("root.b", "root.a")} <= orders


def test_the_same_seed_gives_the_same_order() -> None:
    def seen(seed: int) -> list[Any]:
        trace: list[Any] = []
        interleave(
            Both, settle, inline=True, runs=1, seed=seed, invariant=lambda app: trace.append(app.root.a.items[:])
        )
        return trace

    assert seen(3) == seen(3) and len({str(seen(seed)) for seed in range(5)}) > 1


def test_a_work_that_holds_something_else_than_its_flow_is_found() -> None:
    def play(app: AppTest) -> None:
        app.settle()
        worker: PlayedWorker = app.stage.engine.latest["root.a"]
        worker.work.__dict__["n"] = 99  # behind everybody's back

    with pytest.raises(
        InvariantBroken, match=r"root\.a and its flow do not hold the same: n is 99 and not 0 in the work"
    ):
        interleave(Both, play, runs=1)


def test_a_replay_that_is_none_is_refused() -> None:
    with pytest.raises(KitError, match="a seed and a number of choices, as 17:23, not 'abc'"):
        interleave(Both, replay="abc")
