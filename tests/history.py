"""What works themselves wrote about their calls, and what must hold of it whatever was killed.  Uses none of the product's tables
but its journal, to know when a success was recorded.

Works call `note` of `APP` below: one line per beginning and end, appended at once, with a clock that counts suspend.
"""

from __future__ import annotations

import itertools
import json
import pickle
from pathlib import Path
from typing import Any

import msgspec

from lightning_apps.storage.history import History

APP = '''
import json, os, time
import lightning as L

def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False

def note(work, what, call):
    """One line, appended at once; at a beginning: is another attempt of this call still under way?"""
    path = os.environ["HISTORY"]
    line = {"work": work.name, "call": call, "attempt": work.attempt, "what": what, "pid": os.getpid(),
            "generation": work._lit_binding.generation, "wall": time.time(), "boot": time.clock_gettime(time.CLOCK_BOOTTIME)}
    if what == "begin":
        open_ones = {}
        with open(path) as file:
            for other in map(json.loads, file):
                if (other["work"], other["call"]) == (work.name, call):
                    open_ones[other["attempt"]] = other["pid"] if other["what"] == "begin" else 0
        line["overlaps"] = [pid for pid in open_ones.values() if pid not in (0, os.getpid()) and alive(pid)]
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, (json.dumps(line) + "\\n").encode())
    os.close(descriptor)
'''


class Entry(msgspec.Struct, frozen=True):
    """One line."""

    work: str
    call: int
    attempt: int
    what: str
    pid: int
    generation: int
    wall: float
    boot: float
    overlaps: list[int] = []


def entries(path: Path) -> list[Entry]:
    """All lines that are complete."""
    lines = path.read_bytes().split(b"\n")[:-1]
    return [msgspec.convert(json.loads(line), Entry) for line in lines]


def successes(journal: str) -> dict[tuple[str, int], list[float]]:
    """When each call was recorded as succeeded, by the work and the call's first argument."""
    calls: dict[tuple[str, int], int] = {}
    found: dict[tuple[str, int], list[float]] = {}
    with History(journal) as kept:
        records = list(kept.records())  # all of them, not only those behind the newest snapshot
    for record in records:
        arguments = {(e[1], e[2]): pickle.loads(e[3])[0][0] for e in record.done if e[0] == "opened"}
        for what, name, ordinal, *rest in record.story:
            if what == "opened" and (name, rest[0]) in arguments:
                calls[name, ordinal] = arguments[name, rest[0]]
            elif what == "moved" and rest[0] == "succeeded":
                found.setdefault((name, calls[name, ordinal]), []).append(record.at)
    return found


def check(history: Path, journal: str, expected: dict[str, int]) -> dict[str, Any]:
    """Every call ended, attempts do not overlap, none begins after its success was recorded; `expected`: calls per work.

    Returns:
        counts, for a test to be sure that something happened.
    """
    told, recorded = entries(history), successes(journal)
    wanted = {(work, call) for work, count in expected.items() for call in range(count)}
    ended = {(e.work, e.call) for e in told if e.what == "end"}
    assert ended >= wanted, f"never ended: {sorted(wanted - ended)}"
    assert set(recorded) >= wanted, f"never recorded: {sorted(wanted - set(recorded))}"
    overlaps = [e for e in told if e.overlaps]
    assert not overlaps, f"another attempt was under way: {overlaps}"
    _judge_intervals(told)
    attempts = [(e.work, e.attempt) for e in told if e.what == "begin"]
    assert len(attempts) == len(set(attempts)), "an attempt began twice"
    twice = {call: times for call, times in recorded.items() if len(times) > 1}
    assert not twice, f"recorded twice: {twice}"
    late = [e for e in told if e.what == "begin" and e.wall > recorded[e.work, e.call][0]]
    assert not late, f"began after the success was recorded: {late}"
    return {"begun": len(attempts), "calls": len(wanted), "hosts": max(e.generation for e in told)}


def _judge_intervals(told: list[Entry]) -> None:
    """Attempts of one call, each from its beginning to the last that was seen of it, on a clock that all machines share here."""
    spans: dict[tuple[str, int], dict[int, tuple[float, float]]] = {}
    for entry in told:
        attempts = spans.setdefault((entry.work, entry.call), {})
        first, last = attempts.get(entry.attempt, (entry.boot, entry.boot))
        attempts[entry.attempt] = min(first, entry.boot), max(last, entry.boot)
    for call, attempts in spans.items():
        in_order = sorted(attempts.items())
        for (one, (_, last)), (other, (first, _)) in itertools.pairwise(in_order):
            assert last < first, (
                f"{call}: attempt {one} went on for {last - first:.3f} s after attempt {other} had begun"
            )
