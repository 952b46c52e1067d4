#!/usr/bin/env python3
"""What durability costs: blocking calls a second through coordinator and journal, and how long a resume takes.

usage: benchmarks/durable.py [--calls 10000] [--profile]      no process is started; prints one JSON object a line
"""

import argparse
import cProfile
import json
import os
import pstats
import tempfile
import time
from collections.abc import Callable
from typing import Any

import lightning as L

from lightning_apps.base import messages as m
from lightning_apps.base.encoding import decode, encode
from lightning_apps.core.coordinator import Coordinator
from lightning_apps.core.restore import put_together
from lightning_apps.storage.journal import SqliteJournal
from lightning_apps.wire.codec import dump, load_from_worker

Write = Callable[[m.Record, bool], None]


class Work(L.LightningWork):
    def run(self, number: int) -> int:
        raise AssertionError("what it would say is made up")


class Root(L.LightningFlow):
    """One blocking call after the other, each with other arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.work, self.number, self.sum = Work(start_with_flow=False), 0, 0

    def run(self) -> None:
        self.sum += self.work.run(self.number)
        self.number += 1


class Loop:
    """A host without a process: what a started work would say comes at once."""

    def __init__(self, write: Write) -> None:
        self.coordinator, self.write, self.offset = Coordinator(Root()), write, 0
        self.place = ""
        self.run: m.Run | None = None
        self.commit(self.coordinator.begin(time.time()))

    def commit(self, outcome: m.Outcome) -> None:
        self.write(outcome.record, not outcome.effects)  # as a host does
        for effect in outcome.effects:
            if isinstance(effect, m.Place):
                self.place = effect.place
            elif isinstance(effect, m.Send) and isinstance(effect.message, m.Run):
                self.run = effect.message

    def said(self, message: Any) -> m.Said:
        self.offset += 1
        raw = dump(message)
        return m.Said(self.place, self.offset, load_from_worker(raw), raw)

    def step(self, *events: Any) -> None:
        self.commit(self.coordinator.step(events, time.time()))

    def calls(self, count: int, turns: int) -> None:
        """So many calls; `turns`: 1 if what a work says of one comes together, 2 if its beginning comes alone."""
        if not self.place:
            self.step()
            self.step(m.Attached(self.place, 1), self.said(m.Ready(time.time())))
        for _ in range(count):
            run, self.run = self.run, None
            assert run is not None
            words = [
                self.said(m.Moved(run.ordinal, run.attempt, "running", time.time())),
                self.said(m.Moved(run.ordinal, run.attempt, "succeeded", time.time(), 1)),
            ]
            for batch in ([words], [words[:1], words[1:]])[turns - 1]:
                self.step(*batch)
            while self.run is None:
                self.step()


def rate(write: Write, count: int, turns: int) -> float:
    loop = Loop(write)
    loop.calls(200, turns)
    began = time.perf_counter()
    loop.calls(count, turns)
    return count / (time.perf_counter() - began)


def best(make: Callable[[str], Any], count: int, turns: int) -> float:
    """Of three runs."""
    found = 0.0
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            found = max(found, rate(make(os.path.join(folder, "journal.db")), count, turns))
    return found


def resume(count: int, snapshot: bool) -> dict[str, float]:
    """Seconds to take up a run with so many finished calls, from its records alone or from a snapshot."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "journal.db")
        journal = SqliteJournal(path)
        loop = Loop(journal.append)
        loop.calls(count, 2)
        if snapshot:
            whole, grown = loop.coordinator.snapshot_apart()
            parts = {name: (everything, encode(part)) for name, (everything, part) in grown.items()}
            journal.keep_snapshot(loop.coordinator.turn, time.time(), encode(whole), parts)
        journal.close()
        size = os.path.getsize(path)
        began = time.perf_counter()
        journal = SqliteJournal(path)
        kept, apart, records = journal.load_all()
        loaded = time.perf_counter()
        later = Coordinator(Root())
        parts = {name: [(n, decode(part)) for n, part in each] for name, each in apart.items()}
        later.restore(
            None if kept is None else put_together(decode(kept), parts), records, load_from_worker, time.time()
        )
        ended = time.perf_counter()
        assert later.crew.lives["root.work"].calls.successes >= count
        return {
            "load_s": loaded - began,
            "restore_s": ended - loaded,
            "resume_s": ended - began,
            "journal_mib": size / 2**20,
        }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    if options.profile:
        profile(options.calls)
        return
    for turns in (1, 2):
        plain = best(lambda path: lambda record, later: None, options.calls, turns)
        durable = best(lambda path: SqliteJournal(path).append, options.calls, turns)
        fsync = best(lambda path: SqliteJournal(path, "fsync").append, min(options.calls, 500), turns)
        added = 1e6 * (1 / durable - 1 / plain)
        figures = {"calls_per_s_without": plain, "calls_per_s": durable, "calls_per_s_fsync": fsync, "added_us": added}
        tell("blocking calls", events_come="together" if turns == 1 else "one by one", **figures)
    for snapshot in (False, True):
        tell("resume", finished_calls=options.calls, snapshot=snapshot, **resume(options.calls, snapshot))


def profile(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(SqliteJournal(os.path.join(folder, "journal.db")).append)
        loop.calls(200, 1)
        watch = cProfile.Profile()
        watch.runcall(loop.calls, count, 1)
        pstats.Stats(watch).sort_stats("tottime").print_stats(25)


def tell(case: str, **figures: Any) -> None:
    shown = {
        k: round(v, 3) if isinstance(v, float) and v < 100 else round(v) if isinstance(v, float) else v
        for k, v in figures.items()
    }
    print(json.dumps({"case": case, **shown}), flush=True)


if __name__ == "__main__":
    main()
