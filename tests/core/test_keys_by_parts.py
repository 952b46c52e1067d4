"""Keys of arguments that no encoding is registered for: classes and functions by name, other objects by what they pickle as."""

from __future__ import annotations

import collections
import decimal
import functools
import threading
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest

from lightning_apps.base.errors import CannotSend
from lightning_apps.core.keys import call_key


class Point:
    def __init__(self, x: Any = 0, y: Any = 0) -> None:
        self.x, self.y = x, y


class Slotted:
    __slots__ = ("x",)

    def __init__(self, x: int) -> None:
        self.x = x


class Other(Point):
    pass


class Singleton:
    def __reduce__(self) -> str:
        return "SINGLETON"


class Twin:
    def __reduce__(self) -> str:
        return "TWIN"


class Listed(list[int]):
    pass


class Keyed(dict[str, int]):
    pass


SINGLETON, TWIN = Singleton(), Twin()


def named() -> None: ...


def key(value: Any, said: list[str] | None = None) -> str:
    return call_key((value,), {}, (said if said is not None else []).append)


def refuse(text: str) -> None:
    raise AssertionError(text)


@pytest.mark.parametrize("value", [Point, named, collections.OrderedDict, len, functools.partial])
def test_classes_and_functions_go_by_their_name_and_nobody_is_warned(value: Any) -> None:
    assert call_key((value,), {}, refuse) == call_key((value,), {}, refuse)


def test_names_differ_by_module_and_by_name() -> None:
    elsewhere = type("Point", (), {"__module__": "elsewhere", "__qualname__": "Point"})

    assert len({key(Point), key(Other), key(named), key(elsewhere), key(Point())}) == 5


@pytest.mark.parametrize("value", [lambda: None, [lambda: 0]], ids=["lambda", "in a list"])
def test_what_no_other_process_could_find_is_refused_by_name(value: Any) -> None:
    with pytest.raises(CannotSend, match=r"<lambda>.* cannot be an argument: it has no name"):
        key(value)


def test_a_class_inside_a_function_is_refused() -> None:
    class Local:
        pass

    with pytest.raises(CannotSend, match="Local"):
        key(Local)


@pytest.mark.parametrize("value", [threading.Lock(), (each for each in ())], ids=["lock", "generator"])
def test_what_does_not_pickle_is_refused_with_its_class_and_the_reason(value: Any) -> None:
    kind = type(value)

    with pytest.raises(CannotSend, match=f"a {kind.__module__}.{kind.__qualname__} cannot be an argument: .*pickle"):
        key(value)


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        (Point(1, [2]), Point(1, [2]), Point(1, [3])),
        (Slotted(1), Slotted(1), Slotted(2)),
        (Listed([1, 2]), Listed([1, 2]), Listed([2, 1])),
        (Keyed(a=1), Keyed(a=1), Keyed(a=2)),
        (decimal.Decimal("1.0"), decimal.Decimal("1.0"), decimal.Decimal("1.00")),
        (collections.Counter("aab"), collections.Counter("aab"), collections.Counter("abb")),
        (PurePosixPath("a/b"), PurePosixPath("a/b"), PurePosixPath("a/c")),
        (functools.partial(named, 1), functools.partial(named, 1), functools.partial(named, 2)),
        (Point(1), Point(1), Other(1)),
        (Point(Point(1)), Point(Point(1)), Point(Point(2))),
    ],
)
def test_other_objects_go_by_what_they_pickle_as(one: Any, same: Any, other: Any) -> None:
    assert key(one) == key(same) != key(other)


def test_what_pickles_as_a_name_goes_by_it_and_its_module() -> None:
    assert key(SINGLETON) == key(Singleton()) != key(TWIN)
    assert call_key((SINGLETON,), {}, refuse) == key(SINGLETON)


def test_people_are_told_whose_class_the_key_hangs_on_inner_ones_too() -> None:
    said: list[str] = []

    key(Point(Slotted(1)), said)

    assert [text.split(" is part")[0] for text in said] == [f"A {__name__}.Point", f"A {__name__}.Slotted"]
    assert "may be made again when that class changes" in said[0]


def test_a_key_is_the_same_in_every_process_and_version() -> None:
    assert key(decimal.Decimal("1.5")) == KNOWN
    assert key([1, 2.0, "x", (True, None), {"b": {1, 2}}]) == KNOWN_PLAIN


KNOWN = "a77b7c9a38e9416197dc6e0718a0e43c"
KNOWN_PLAIN = "939e1252fc213a9b7731e8906cf1aeab"


def test_arrays_of_objects_are_known_again_by_what_is_in_them() -> None:
    def key(items: list[Any]) -> str:
        return call_key((np.array(items, dtype=object),), {}, lambda text: None)

    assert key(["a", None, (1, 2)]) == key(["a", None, (1, 2)])
    assert len({key(["a", None]), key(["b", None]), key(["a", None, None]), key([None, "a"])}) == 4
