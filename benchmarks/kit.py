"""The test kit: turns of a played app, and exploring one.  `python3 benchmarks/kit.py [--repeat N]` prints medians."""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import lightning as L
from lightning.testing import AppTest, explore, interleave


class Step(L.LightningWork):
    """One of five."""

    def __init__(self) -> None:
        super().__init__(parallel=True, retries=3, backoff=0.1)
        self.x = 0

    def run(self, number: int) -> int:
        self.x = number
        return number


class Follow(L.LightningFlow):
    """Has one turn for each word of its work, and one for what it changes then."""

    def __init__(self) -> None:
        super().__init__()
        self.step = Step()
        self.seen = 0

    def run(self) -> None:
        self.step.run(1)
        self.seen = self.step.x


class Rounds(L.LightningFlow):
    """Five works beside each other, round after round."""

    def __init__(self, rounds: int = 3) -> None:
        super().__init__()
        self.steps = L.structures.List(*(Step() for _ in range(5)))
        self.rounds, self.round, self.total = rounds, 0, 0

    def run(self) -> None:
        if self.round >= self.rounds:
            self.stop()
        values = [step.run(self.round) for step in self.steps]
        if all(value is not None for value in values):
            self.total += sum(values)
            self.round += 1


def turns() -> tuple[float, str]:
    """1,000 turns of a flow whose work is played: 500 words, each settled."""
    app = AppTest(Follow).settle()
    step, first = app.works["step"], app.stage.host.coordinator.turn
    began = time.perf_counter()
    for number in range(1, 501):
        step.say(x=number)
        app.settle()
    took = time.perf_counter() - began
    return took, f"{app.stage.host.coordinator.turn - first} turns, of which 500 only look at layouts"


def exploring() -> tuple[float, str]:
    """The host, the machine and every running work die at every point of an app of five works."""
    app = AppTest(Rounds, inline=True)
    app.finish()
    began = time.perf_counter()
    tried = explore(Rounds)
    took = time.perf_counter() - began
    return took, f"{app.stage.host.coordinator.turn} turns, {tried.points} points, {tried.runs} runs"


def orders() -> tuple[float, str]:
    """100 orders of the same app."""
    began = time.perf_counter()
    tried = interleave(Rounds)
    return time.perf_counter() - began, f"{tried.runs} runs"


CASES: dict[str, Callable[[], tuple[float, str]]] = {"turns": turns, "explore": exploring, "interleave": orders}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], default=[])
    parser.add_argument("--repeat", type=int, default=5)
    chosen: Any = parser.parse_args(argv)
    print(f"load before: {os.getloadavg()[0]:.1f}")
    for name in chosen.cases or CASES:
        times, busy, what = [], [], ""
        for _ in range(chosen.repeat):
            began = time.process_time()
            took, what = CASES[name]()
            times.append(took)
            busy.append(time.process_time() - began)
        print(
            f"{name:<11} median {statistics.median(times):.3f} s, best {min(times):.3f} s, CPU {min(busy):.3f} s   ({what})"
        )


if __name__ == "__main__":
    main()
