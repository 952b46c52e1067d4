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


def test_a_key_takes_less_than_40_bytes() -> None:
    finished = Finished()
    for number in range(200_000):
        finished[hashlib.blake2b(number.to_bytes(4, "big"), digest_size=16).hexdigest()] = None

    size = sum(sys.getsizeof(segment) for segment in finished._segments) + sys.getsizeof(finished._segments)
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
