"""Values of an app are shown without a line of the app's code."""

from __future__ import annotations

import collections
import datetime as dt
import enum
import os
import pickle
import sys
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from lightning_apps.base.encoding import encode
from lightning_apps.core.foreign import arguments, decode, shown


@dataclass(frozen=True)
class Point:
    x: int
    y: Any


class Colour(enum.Enum):
    RED = 1


class Runs:
    """What a pickle of it would do when it is loaded."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("made-by-a-pickle",)


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (Point(1, Point(2, (3, 4))), {"x": 1, "y": {"x": 2, "y": [3, 4]}}),
        (Colour.RED, "RED"),
        ({"a": {1, 3, 2}, (1, 2): None}, {"a": [1, 2, 3], "[1, 2]": None}),
        (dt.datetime(2026, 1, 2, 3, 4), "2026-01-02T03:04:00"),
        (dt.timedelta(minutes=1), 60.0),
        (float("nan"), "nan"),
        (2**80, 2**80),
        (b"ab", "b'ab'"),
        (np.float32(1.5), 1.5),
        (np.zeros((2, 3)), "an array of <f8, shape [2, 3]"),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.deque([1, 2]), [1, 2]),
        (Decimal("1.5"), "1.5"),
        (frozenset({Point(1, 2)}), [{"x": 1, "y": 2}]),
    ],
)
def test_a_value_is_shown_by_what_is_in_it(value: Any, seen: Any) -> None:
    assert shown(decode(encode(value))) == seen


def test_the_module_of_a_value_is_not_imported(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "an_app.py").write_text("from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import an_app

    data = encode(an_app.A())
    monkeypatch.delitem(sys.modules, "an_app")

    assert shown(decode(data)) == {"x": 1}
    assert "an_app" not in sys.modules


def test_arguments_are_shown_as_they_were_written() -> None:
    data = pickle.dumps(((0.1, "a", {1}), {"n": [None]}), protocol=5)

    assert arguments(data) == "(0.1, 'a', {1}, n=[None])"


def test_objects_among_arguments_are_named_and_nothing_of_them_runs(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    told = arguments(pickle.dumps(((Runs(), Point(1, 2)), {}), protocol=5))

    assert told == "(mkdir(…), Point(…))"
    assert list(tmp_path.iterdir()) == []


def test_arguments_that_cannot_be_read_are_left_out() -> None:
    assert arguments(b"nonsense") == "(…)"


def test_only_what_has_fields_has_some() -> None:
    assert decode(encode(Point(1, "a"))).fields() == {"x": 1, "y": "a"}
    assert decode(encode(np.float32(1))).fields() == decode(encode(Colour.RED)).fields() == {}
