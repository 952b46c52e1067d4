"""This project's own coordinator in the hands of its own test kit: deaths at every point, events in every order."""

from __future__ import annotations

from typing import Any

import lightning as L
import pytest
from lightning.testing import AppTest, explore, interleave

OFTEN = 30  # retries: works are killed from outside


class Step(L.LightningWork):
    """Adds up what it is given, in several ways."""

    def __init__(self, **options: Any) -> None:
        super().__init__(retries=OFTEN, backoff=0.1, **options)
        self.total = 0
        self.items: Any = []
        self.table: Any = {}

    def run(self, number: int) -> int:
        self.total += number
        self.items.append(number)
        self.table[str(number)] = self.attempt > 0
        return self.total


class Flaky(L.LightningWork):
    """Gets one checkpoint further with each attempt; what it writes in those that fail must not stay."""

    def __init__(self) -> None:
        super().__init__(parallel=True, retries=OFTEN, backoff=0.1)
        self.rubbish: Any = []

    def run(self) -> str:
        got = (self.last_checkpoint or {}).get("n", 0)
        self.rubbish.append(got)
        if got < 2:
            self.checkpoint(n=got + 1)
            raise ValueError(f"only {got}")
        return "done"


class Talker(L.LightningWork):
    """Writes beside its flow, until that has answered."""

    def __init__(self) -> None:
        super().__init__(parallel=True, retries=OFTEN, backoff=0.1)
        self.ready, self.flag, self.echo = False, 0, 0
        self.both: Any = {}

    def run(self) -> None:
        self.both["work"] = 1
        self.ready = True
        for number in range(50):
            if self.flag:
                break
            self.both["n"] = number
        if not self.flag:
            raise RuntimeError("the flow has not answered")
        self.both["n"] = 0
        self.echo = self.flag * 2


class Group(L.LightningFlow):
    """Made while the app runs."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number, self.result = number, 0
        self.step = Step(parallel=True)

    def run(self) -> None:
        self.result = self.step.run(self.number) or 0


class Everything(L.LightningFlow):
    """Retries, checkpoints, schedules, queues, writes from both sides, components made while it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.step, self.queue = Step(), Step(parallel=True)
        self.flaky, self.talker = Flaky(), Talker()
        self.made = L.structures.List()
        self.due = self.sum = 0
        self.told = False

    def run(self) -> None:
        self.talker.run()
        if self.talker.ready and not self.told:
            self.told = True
            self.talker.both["flow"] = 1
            self.talker.flag = 21
        for number in (1, 2, 3):
            self.queue.run(number)
        if self.due < 2 and self.schedule("* * * * *"):
            self.due += 1
        self.flaky.run()
        self.sum = self.step.run(1) + self.step.run(2)
        for number in (0, 1):
            if len(self.made) <= number:
                self.made.append(Group(number + 4))
            self.made[number].run()
        if self.over():
            self.stop()

    def over(self) -> bool:
        works = self.talker.has_succeeded and self.flaky.has_succeeded and self.queue.num_successes == 3
        return bool(works and self.due == 2 and all(group.result for group in self.made))


def nothing_is_counted_twice(app: AppTest) -> None:
    root = app.root
    assert root.sum in (0, 4) and root.due <= 2 and len(root.made) <= 2
    assert root.queue.items == sorted(set(root.queue.items))
    if app.exit_code == 0:
        assert (root.queue.items, root.step.items, root.flaky.rubbish) == ([1, 2, 3], [1, 2], [2])
        assert (root.talker.echo, root.talker.both) == (42, {"work": 1, "flow": 1, "n": 0})


def test_undisturbed_it_ends_well() -> None:
    app = AppTest(Everything, inline=True)

    assert app.finish() == 0
    nothing_is_counted_twice(app)
    assert (app.root.sum, app.root.due, [group.result for group in app.root.made]) == (4, 2, [4, 5])


@pytest.mark.slow
def test_the_host_or_machine_dies_in_every_turn_and_it_ends_the_same() -> None:
    explore(Everything, who=["host", "machine"], crashes="every-turn")


def test_events_come_in_many_orders() -> None:
    interleave(Everything, invariant=nothing_is_counted_twice, runs=20)


@pytest.mark.slow
def test_everybody_dies_at_every_point() -> None:
    explore(Everything, invariant=nothing_is_counted_twice)


@pytest.mark.slow
def test_hosts_are_resumed_from_snapshots_and_what_follows_them() -> None:
    explore(Everything, who=["host", "machine"], crashes="every-turn", snapshots=7)


@pytest.mark.slow
def test_three_die_one_after_the_other() -> None:
    explore(Everything, who=["host", "machine"], crashes="every-turn", deaths=3, runs=150)


@pytest.mark.slow
def test_events_come_in_hundreds_of_orders() -> None:
    interleave(Everything, invariant=nothing_is_counted_twice, runs=400, seed=1000)
