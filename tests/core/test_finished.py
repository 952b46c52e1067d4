"""Keys of finished calls: a dictionary that is small."""

from __future__ import annotations

import hashlib
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.base.encoding import decode, encode
from lightning_apps.core.calls import CallTable
from lightning_apps.core.finished import Finished

# few different bytes, so that one key may begin within two others
keys = st.lists(st.sampled_from(["00", "01", "ff"]), min_size=16, max_size=16).map("".join)


@given(st.lists(st.tuples(st.sampled_from(["set", "pop", "get"]), keys, st.sampled_from([None, 1, "x"]))))
def test_it_does_what_a_dictionary_does(steps: list[tuple[str, str, Any]]) -> None:
    finished, plain = Finished(), dict[str, Any]()
    for what, key, value in steps:
        if what == "set":
            finished[key] = plain[key] = value
        elif what == "pop":
            assert finished.pop(key, "none") == plain.pop(key, "none")
        assert (key in finished, finished.get(key, "none")) == (key in plain, plain.get(key, "none"))

    assert dict(finished) == plain and len(finished) == len(plain)
    later = Finished()
    later.load(decode(encode(finished.dump())))
    assert dict(later) == plain


@given(
    st.lists(
        st.tuples(st.sampled_from(["set", "set", "pop", "keep", "begin again"]), keys, st.sampled_from([None, 1, "x"]))
    ),
    st.sampled_from([0, 1 << 16]),
)
def test_what_was_new_from_snapshot_to_snapshot_is_everything(steps: list[tuple[str, str, Any]], spare: int) -> None:
    finished, parts = Finished(spare), list[tuple[int, Any]]()
    for turn, (what, key, value) in enumerate(steps, 1):
        if what == "set":
            finished[key] = value
        elif what == "pop":
            finished.pop(key)
        elif (grown := finished.grown(turn)) is not None:
            parts = [*([] if grown[0] else parts), (turn, decode(encode(grown[1])))]
        if what == "begin again":
            since, finished = finished.since, Finished(spare)
            finished.load([part for n, part in parts if n >= since > 0], since)

    grown = finished.grown(len(steps) + 1)
    kept = [] if grown is not None and grown[0] else [part for n, part in parts if n >= finished.since > 0]
    later = Finished()
    later.load([*kept, *([decode(encode(grown[1]))] if grown is not None else [])])
    assert dict(later) == dict(finished)


def test_what_is_new_costs_what_is_new() -> None:
    finished = Finished()
    for number in range(20_000):
        finished[f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}{number:016x}"] = None
    finished.grown(1)

    for number in range(20_000, 20_100):
        finished[f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}{number:016x}"] = None
    whole, part = finished.grown(2) or (True, [])

    assert not whole and len(encode(part)) < 100 * 25
    assert finished.grown(3) is None


def test_calls_that_are_made_again_and_again_do_not_let_the_parts_grow() -> None:
    finished, kept = Finished(), 0
    for turn in range(1, 2000):
        for number in range(20):
            key = f"{(turn * 20 + number) % 2000 * 0x9E3779B97F4A7C15 % 2**64:016x}{0:016x}"
            finished.pop(key)
            finished[key] = None
        whole, part = finished.grown(turn) or (False, [])
        kept = len(encode(part)) + (0 if whole else kept)

    assert kept < 4 * 2000 * 16 + (1 << 17)


def test_a_key_takes_less_than_40_bytes() -> None:
    finished = Finished()
    for number in range(200_000):
        finished[hashlib.blake2b(number.to_bytes(4, "big"), digest_size=16).hexdigest()] = None

    size = sum(sys.getsizeof(segment) for segment in finished._segments.values()) + sys.getsizeof(finished._segments)
    assert size / len(finished) < 25
    assert len(encode(finished.dump())) / len(finished) < 17


def settled(table: CallTable, count: int) -> None:
    for number in range(count):
        table.open(f"{number:032x}", b"", 0.0)


def test_details_are_forgotten_beyond_the_limit_also_after_many_calls_waited() -> None:
    table = CallTable(10)
    settled(table, 100)
    while (call := table.next()) is not None:
        call.move("succeeded", 1.0)
        table.settle(call)

    for number in range(100, 200):
        call = table.open(f"{number:032x}", b"", 0.0)
        table.next()
        call.move("succeeded", 1.0)
        table.settle(call)

    assert len(table.by_key) == 10
    assert all(table.done(f"{number:032x}") for number in range(200))
