#!/usr/bin/env python3
"""Times single parts without any process around them: encoding, tracked containers, turns of the coordinator.

usage: benchmarks/micro.py [NAME …]      prints microseconds for one operation: the best of five rounds, and the median
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import lightning as L

from lightning_apps.base import messages as m
from lightning_apps.base.encoding import decode, encode
from lightning_apps.base.values import track
from lightning_apps.core.coordinator import Coordinator
from lightning_apps.wire.codec import dump, load_from_worker

Case = Callable[[int], Any]
CASES: dict[str, Callable[[], Case]] = {}
ROUNDS, SECONDS = 5, 0.1


class Owner:
    """Holds containers, as a component does, and is told of their changes."""

    def __init__(self) -> None:
        self.heard = 0

    def _lit_moved(self, path: Any, op: int, value: Any, old: Any = None) -> None:
        self.heard += 1


class Counter(L.LightningWork):
    def __init__(self) -> None:
        super().__init__(parallel=True)
        self.count = 0

    def run(self) -> None:
        """Never called: what a worker would say is made up."""


class Root(L.LightningFlow):
    """Reads what a work counts, beside some kilobytes of state that nobody touches, and other works that are quiet."""

    def __init__(self, kilobytes: int, works: int) -> None:
        super().__init__()
        self.blob = {f"k{i}": ["x" * 50] * 18 for i in range(kilobytes)}
        self.quiet = L.structures.List(*(Counter() for _ in range(works)))
        self.work = Counter()

    def run(self) -> None:
        self.work.run()
        _ = self.work.count


def turn(kilobytes: int = 0, works: int = 0) -> Case:
    """One assignment of a work that runs, as it comes from its link, and the turn of the flow that it causes."""
    coordinator = Coordinator(Root(kilobytes, works))
    effects = coordinator.begin(0.0).effects
    place = next(effect.place for effect in effects if isinstance(effect, m.Place) and effect.work == "root.work")
    coordinator.step([m.Attached(place, 1), m.Said(place, 1, m.Ready(0.0))], 0.0)
    coordinator.step([m.Said(place, 2, m.Moved(1, 1, "running", 0.0))], 0.0)
    offset = 2

    def operation(i: int) -> None:
        nonlocal offset
        offset += 1
        change = m.Changed(0, (m.Change(("count",), m.SET, offset),))
        coordinator.step([m.Said(place, offset, change, b"")], offset / 1000)  # looks at layouts come by time

    return operation


def case(prepare: Callable[[], Case]) -> Callable[[], Case]:
    """Register a case: `prepare()` returns what is timed, which is given the number of the operation."""
    CASES[prepare.__name__] = prepare
    return prepare


def record() -> dict[str, Any]:
    return {f"metric_{i}": [i, i / 7, f"epoch {i}", None, True] for i in range(100)}


@case
def encode_a_float() -> Case:
    return lambda i: encode(i / 7)


@case
def encode_a_state_of_500_values() -> Case:
    value = record()
    return lambda i: encode(value)


@case
def decode_a_state_of_500_values() -> Case:
    data = encode(record())
    return lambda i: decode(data)


@case
def encode_a_tuple_in_a_list() -> Case:
    value = [1, (2, 3), "x"]
    return lambda i: encode(value)


@case
def track_a_state_of_500_values() -> Case:
    value, owner = record(), Owner()
    return lambda i: track(value, owner, "state")


@case
def append_to_a_tracked_list() -> Case:
    items = track([], Owner(), "items")
    return lambda i: items.append(i)


@case
def append_to_a_plain_list() -> Case:
    items: list[int] = []
    return lambda i: items.append(i)


@case
def set_a_key_four_levels_deep() -> Case:
    tree = track({"a": {"b": {"c": {}}}}, Owner(), "tree")
    deep = tree["a"]["b"]["c"]
    return lambda i: deep.__setitem__("loss", i)


@case
def iterate_a_tracked_list_of_1000() -> Case:
    items = track(list(range(1000)), Owner(), "items")
    return lambda i: sum(items)


@case
def a_change_to_bytes_and_back() -> Case:
    return lambda i: load_from_worker(dump(m.Changed(0, (m.Change(("loss",), m.SET, i),))))


@case
def turn_with_one_change() -> Case:
    return turn()


@case
def turn_with_one_change_beside_10_MB() -> Case:
    return turn(kilobytes=10_000)


@case
def turn_with_one_change_beside_1000_works() -> Case:
    return turn(works=1000)


def measure(operation: Case) -> list[float]:
    """Seconds for one operation, for each round, sorted."""
    count, took = 1, 0.0
    while took < SECONDS / 10:
        count *= 2
        took = timed(operation, count)
    count = max(1, int(count * SECONDS / took))
    return sorted(timed(operation, count) / count for _ in range(ROUNDS))


def timed(operation: Case, count: int) -> float:
    start = time.perf_counter()
    for i in range(count):
        operation(i)
    return time.perf_counter() - start


def main(names: list[str]) -> None:
    unknown = sorted(set(names) - set(CASES))
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; known: {', '.join(CASES)}")
    for name in names or CASES:
        rounds = measure(CASES[name]())
        print(f"{name:40} {1e6 * rounds[0]:10.2f} {1e6 * rounds[ROUNDS // 2]:10.2f} µs", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
