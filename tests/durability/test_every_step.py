"""The host dies at every single step of an app that uses everything; what comes of the app is the same each time."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from durability.scripted import Root
from durability.world import HostDied, World

After = Callable[[World], Any]


def everybody_is_killed(world: World) -> None:
    world.lose_host(steps=2)
    for _ in range(len(world.workers)):
        world.kill(0)


FATES: dict[str, After] = {
    "workers live on": lambda world: world.lose_host(steps=4),
    "workers live on without what was on its way": lambda world: world.lose_host(lose_sent=True),
    "one worker is killed meanwhile": lambda world: (world.lose_host(steps=2), world.kill(0)),
    "all workers are killed meanwhile": everybody_is_killed,
    "the machine is gone": lambda world: world.lose_everything(),
}


class At:
    """Lets hosts die at these points, numbered from 1 through all hosts' lives."""

    def __init__(self, *points: int) -> None:
        self.points, self.passed = set(points), 0
        self.died: list[str] = []

    def __call__(self, name: str) -> None:
        self.passed += 1
        if self.passed in self.points:
            self.died.append(f"{self.passed} {name}")
            raise HostDied


def undisturbed(**how: Any) -> tuple[int, dict[str, Any]]:
    """How many points there are, and what comes of the app."""
    plan = At()
    world = World(Root, plan, **how)
    world.live()
    world.check()
    return plan.passed, world.outcome()


def disturbed(plan: At, after: After, expected: dict[str, Any], **how: Any) -> None:
    world = World(Root, plan, **how)
    try:
        world.live(after)
        world.check()
        assert world.outcome() == expected
    except AssertionError as error:
        raise AssertionError(f"after the host's death at {plan.died} of {how}: {error}") from error


HOWS = [
    {"batch": batch, "snapshots": snapshots, "together": together}
    for batch in (True, False)
    for snapshots in (0, 7)
    for together in (0, 4)
]


@pytest.mark.parametrize("how", HOWS, ids=str)
def test_undisturbed_it_ends_well_and_does_everything_once(how: dict[str, Any]) -> None:
    points, outcome = undisturbed(**how)

    values = outcome["values"]
    assert points > 150 and outcome["exit"] == 0
    assert values["root"]["done"] == ["steps", "flaky", "slow", "group 0", "group 1"]
    assert (values["root"]["sum"], values["root"]["due"]) == (4, 2)
    assert values["root.step"]["items"] == [1, 2] and values["root.queue"]["items"] == [1, 2, 3]
    assert (values["root.flaky"]["tries"], values["root.flaky"]["rubbish"]) == (1, [2])
    assert (values["root.slow"]["stuck"], values["root.server"]["where"]) == (False, "second")
    assert values["root.talker"]["echo"] == 42 and values["root.talker"]["both"] == {"work": 1, "flow": 1}
    assert values["root.made.1"]["result"] == 60


RARER = ("one worker is killed meanwhile", "all workers are killed meanwhile")


@pytest.mark.parametrize(
    "fate", [pytest.param(fate, marks=pytest.mark.slow) if fate in RARER else fate for fate in FATES]
)
def test_the_host_dies_at_every_step(fate: str) -> None:
    points, expected = undisturbed()

    for point in range(1, points + 1):
        disturbed(At(point), FATES[fate], expected)


@pytest.mark.parametrize("fate", FATES)
def test_the_host_dies_anywhere_in_a_run_with_snapshots(fate: str) -> None:
    points, expected = undisturbed(snapshots=7)

    for point in range(1 + list(FATES).index(fate), points + 1, 7):
        disturbed(At(point), FATES[fate], expected, snapshots=7)


@pytest.mark.parametrize("fate", FATES)
def test_the_host_dies_anywhere_while_turns_wait_to_be_recorded_together(fate: str) -> None:
    how = {"snapshots": 5, "together": 4}
    points, expected = undisturbed(**how)

    for point in range(1 + list(FATES).index(fate), points + 1, 5):
        disturbed(At(point), FATES[fate], expected, **how)


@pytest.mark.slow
@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("snapshots", [0, 7])
def test_the_host_dies_anywhere_in_turns_that_take_one_event(fate: str, snapshots: int) -> None:
    how = {"batch": False, "snapshots": snapshots}
    points, expected = undisturbed(**how)

    for point in range(1 + list(FATES).index(fate), points + 1, 8):
        disturbed(At(point), FATES[fate], expected, **how)


def many_deaths(seeds: range) -> None:
    """Two to six deaths, the later ones often while the next host takes over."""
    expected = {str(how): undisturbed(**how) for how in HOWS}
    for seed in seeds:
        rng = random.Random(seed)
        how = rng.choice(HOWS)
        points, outcome = expected[str(how)]
        first = rng.randrange(1, points + 1)
        steps = [1, 2, 3, rng.randrange(1, 20), rng.randrange(1, points)]
        later = [first + rng.choice(steps) for _ in range(rng.randrange(1, 6))]
        disturbed(At(first, *later), AnyFate(rng), outcome, **how)


class AnyFate:
    """Another one at each death."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def __call__(self, world: World) -> None:
        self._rng.choice(list(FATES.values()))(world)


def test_hosts_die_several_times() -> None:
    many_deaths(range(80))


@pytest.mark.slow
def test_hosts_die_several_times_in_hundreds_of_runs() -> None:
    many_deaths(range(1000, 1300))


def test_works_are_killed_anywhere() -> None:
    points, expected = undisturbed()

    for point in range(1, points + 1, 3):
        world = World(Root)
        kills = At(point)
        world.plan = lambda name, world=world, kills=kills: killed(world, kills, name)  # type: ignore[misc]
        world.live()
        world.check()
        assert world.outcome() == expected, f"after a work was killed at {point}"


def killed(world: World, kills: At, name: str) -> None:
    try:
        kills(name)
    except HostDied:
        world.kill(kills.passed)
