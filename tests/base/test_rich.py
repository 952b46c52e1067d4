"""Arrays, tensors and tables by themselves or by reference: they come back as they were, and are hashed once."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_apps.base.encoding import decode, encode
from lightning_apps.base.errors import CannotKeep, LightningError, StorageError
from lightning_apps.base.registry import registry
from lightning_apps.base.rich import dumps
from lightning_apps.base.showing import encode as json_of
from lightning_apps.core.keys import call_key
from lightning_apps.storage.shelf_of_values import ValueShelf
from lightning_apps.storage.store import Store


class Counting(ValueShelf):
    """Counts what is hashed."""

    puts = 0

    def _put(self, parts: Any) -> str:
        self.puts += 1
        return super()._put(parts)


class Full(ValueShelf):
    """Has no room."""

    def _put(self, parts: Any) -> str:
        raise StorageError("The disk is full.")


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Counting]:
    registry.shelf = made = Counting(Store(str(tmp_path / "objects")), 1000)
    yield made
    registry.shelf = None


def big(*shape: int) -> Any:
    return np.arange(int(np.prod(shape)), dtype="f4").reshape(shape)


@pytest.mark.parametrize(
    "array",
    [big(1000), big(10, 20, 30), big(40, 50).T, np.asfortranarray(big(40, 50)), big(4000)[::2], big(3000) > 3,
     np.zeros(300, dtype=[("a", "i4"), ("b", "f8", (2,))]), np.zeros(500, "M8[us]"), np.full(500, "text")],
)  # fmt: skip
def test_a_big_array_travels_by_reference_and_comes_back_as_it_was(shelf: Counting, array: Any) -> None:
    for data, load in ((encode(array), decode), (dumps([array, 1]), lambda data: pickle.loads(data)[0])):
        came = load(data)

        assert len(data) < 600 and type(came) is np.ndarray
        assert came.dtype == array.dtype and came.shape == array.shape and (came == array).all()


def test_a_value_whose_bytes_are_gone_says_so_when_it_is_asked_for_anything(shelf: Counting) -> None:
    data = encode({"x": big(40, 50), "n": 1})
    (name,) = shelf._store.names()
    shelf._store.remove_unless_touched(name, 1 << 62)

    came = decode(data)

    assert came["n"] == 1 and repr(came["x"]) == "<ndarray 40 x 50, gone>" and not hasattr(came["x"], "shape")
    with pytest.raises(
        LightningError, match=r"40 x 50, gone> stands for a value that only past turns had: .*journal_values"
    ):
        came["x"].sum()
    again = decode(encode(came))
    assert again == came and pickle.loads(pickle.dumps(came)) == came and again["x"] != big(40, 50).tolist()
    assert json_of(came) == b'{"x":{"type":"__gone__","value":"<ndarray 40 x 50, gone>"},"n":1}'
    shelf.keep(big(40, 50), None, lambda: [big(40, 50)])
    assert (decode(encode(came))["x"] == big(40, 50)).all()


def test_a_value_for_which_the_disk_has_no_room_goes_by_itself(shelf: Counting) -> None:
    registry.shelf = Full(shelf._store, 1000)

    data = encode(big(40, 50))

    assert len(data) > big(40, 50).nbytes and (decode(data) == big(40, 50)).all()


@given(size=st.integers(0, 400), dtype=st.sampled_from(["u1", "f4", "i8", "c16", "?"]))
@settings(max_examples=30, deadline=None)
def test_an_array_without_a_shelf_goes_by_itself(size: int, dtype: str) -> None:
    array = np.arange(size).astype(dtype)

    came = decode(encode(array))

    assert came.dtype == array.dtype and (came == array).all()


def test_what_came_can_be_written_to_and_nobody_else_sees_it(shelf: Counting) -> None:
    data = encode(big(1000))
    first, second = decode(data), decode(data)

    first[0] = -1

    assert second[0] == 0 and decode(data)[0] == 0


def test_the_same_array_is_hashed_once_until_it_is_written_to_or_gone(shelf: Counting) -> None:
    array = big(1000)
    key = call_key((array,), {}, lambda text: None)

    for _ in range(5):
        assert call_key((array,), {}, lambda text: None) == key
        dumps((array,))
    assert shelf.puts == 1

    array[:] = 7
    assert call_key((array,), {}, lambda text: None) != key and shelf.puts == 2
    del array
    assert not shelf._known


def test_equal_arrays_have_equal_keys_and_lie_there_once(shelf: Counting) -> None:
    assert call_key((big(1000),), {}, lambda text: None) == call_key((big(1000),), {}, lambda text: None)
    assert len(list(shelf._store.names())) == 1


def test_small_ones_and_objects_stay_as_they_were(shelf: Counting) -> None:
    assert (decode(encode(big(10))) == big(10)).all() and shelf.puts == 0
    with pytest.raises(CannotKeep, match="whose elements may be anything"):
        encode(np.array([object()] * 1000))


def test_arrays_of_objects_go_along_with_a_calls_arguments(shelf: Counting) -> None:
    objects = np.array([("a", None), ["b"]] * 1000, dtype=object)

    came = pickle.loads(dumps({"objects": objects, "numbers": big(1000)}))

    assert came["objects"].tolist() == objects.tolist() and (came["numbers"] == big(1000)).all()
    assert shelf.puts == 1


def test_a_reference_without_a_shelf_says_what_is_missing(shelf: Counting) -> None:
    data = encode(big(1000))
    registry.shelf = None

    with pytest.raises(CannotKeep, match="no store here that has it"):
        decode(data)


@pytest.mark.parametrize("count", [10, 5000])
def test_frames_and_tables_come_back_as_they_were(shelf: Counting, count: int) -> None:
    pandas, arrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    frame = pandas.DataFrame(
        {"a": range(count), "b": [f"t{n}" for n in range(count)], "c": pandas.date_range("2026", periods=count)}
    )
    frame["d"] = frame["b"].astype(object)
    table = arrow.table({"x": list(range(count)), "y": [None, *["z"] * (count - 1)]})

    for value in (frame, frame["a"], table):
        for came in (decode(encode(value)), pickle.loads(dumps(value))):
            assert type(came) is type(value) and came.equals(value)
    assert (len(encode(table)) < 200) == (count == 5000)
    copy = decode(encode(frame))
    copy.loc[0, "a"] = -1
    assert decode(encode(frame)).loc[0, "a"] == 0


@pytest.mark.parametrize("count", [10, 5000])
def test_tensors_come_back_as_they_were(shelf: Counting, count: int) -> None:
    torch = pytest.importorskip("torch")

    for value in (
        torch.arange(count),
        torch.arange(count).to(torch.bfloat16),
        torch.rand(count, 2).T,
        torch.ones(count, requires_grad=True),
    ):
        came = decode(encode(value))
        assert came.dtype == value.dtype and came.shape == value.shape and came.requires_grad == value.requires_grad
        assert torch.equal(came, value)
    value = torch.zeros(count)
    before = encode(value)
    value[3] = 1
    assert encode(value) != before and decode(encode(value))[3] == 1
