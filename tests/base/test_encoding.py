"""Values come back from their encoding equal in value and in type."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import math
import threading
from collections import Counter, OrderedDict, deque
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import numpy
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.base.encoding import decode, decode_change, encode, encode_change
from lightning_apps.base.errors import CannotKeep
from lightning_apps.base.messages import DELETE, SET, SPLICE, UPDATE
from lightning_apps.base.values import check_leaf, track


class Colour(enum.Enum):
    RED = "red"
    ROSE = ("red", 2)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Mode(str, enum.Enum):
    FAST = "fast"


class Point(NamedTuple):
    x: Any
    y: Any = 0


@dataclasses.dataclass
class Plain:
    a: Any
    hidden: int = dataclasses.field(default=0, init=False)
    shared: ClassVar[list[int]] = []
    seed: dataclasses.InitVar[int] = 0


@dataclasses.dataclass(frozen=True)
class Frozen:
    a: Any
    b: Any = None


@dataclasses.dataclass(frozen=True)
class Slotted:
    __slots__ = ("a",)
    a: Any


@dataclasses.dataclass
class Swollen(list[int]):
    a: int = 0


class Model(pydantic.BaseModel):
    number: int = 1
    name: str = pydantic.Field(default="x", alias="Name")
    _private: int = pydantic.PrivateAttr(default=5)


class Open(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    inner: Model


class Shape(msgspec.Struct, frozen=True, array_like=True):
    a: Any
    b: Any = 0


class Word(str):
    """A text with a type of its own."""


class Number(int):
    """A number with a type of its own."""


class Share(float):
    """A fraction with a type of its own."""


class Blob(bytes):
    """Bytes with a type of their own."""


def alike(left: Any, right: Any) -> bool:
    """Equal in value and type, however deep; NaN equals itself, and the sign of zero counts."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return (math.isnan(left) and math.isnan(right)) or (
            left == right and math.copysign(1, left) == math.copysign(1, right)
        )
    if isinstance(left, complex):
        return alike(left.real, right.real) and alike(left.imag, right.imag)
    if isinstance(left, Decimal):
        return str(left) == str(right)
    if isinstance(left, numpy.ndarray):
        return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
    if isinstance(left, (list, tuple, deque)):
        return (
            len(left) == len(right)
            and all(map(alike, left, right))
            and getattr(left, "maxlen", 0) == getattr(right, "maxlen", 0)
        )
    if isinstance(left, dict):
        return alike(list(left.items()), list(right.items()))
    if isinstance(left, (set, frozenset)):
        return sorted(map(_mark, left)) == sorted(map(_mark, right))
    if isinstance(left, Shape):
        return alike([left.a, left.b], [right.a, right.b])
    if dataclasses.is_dataclass(left):
        return all(alike(getattr(left, f.name), getattr(right, f.name)) for f in dataclasses.fields(left))
    if isinstance(left, (dt.datetime, dt.time)):
        return (
            left.replace(tzinfo=None) == right.replace(tzinfo=None)
            and left.fold == right.fold
            and left.tzinfo == right.tzinfo
        )
    return bool(left == right)


def _mark(value: Any) -> str:
    if isinstance(value, (tuple, frozenset)):
        inside = list(map(_mark, value))
        return f"{type(value)} {inside if isinstance(value, tuple) else sorted(inside)}"
    return f"{type(value)} {value!r}"


zones = st.one_of(
    st.none(),
    st.sampled_from([ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("UTC"), dt.timezone.utc]),
    st.integers(-86_399, 86_399).map(lambda seconds: dt.timezone(dt.timedelta(seconds=seconds))),
)
texts = st.text(st.characters(), max_size=6)  # with lone surrogates
numbers = st.one_of(st.integers(), st.integers(-(2**70), 2**70), st.sampled_from([2**63, 2**64, -(2**63) - 1]))
hashable_leaves = st.one_of(
    st.none(),
    st.booleans(),
    numbers,
    st.floats(allow_nan=False),
    texts,
    st.binary(max_size=6),
    st.datetimes(timezones=zones),
    st.datetimes().map(lambda d: d.replace(fold=1)),
    st.dates(),
    st.times(timezones=zones),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.sampled_from([*Colour, *Level, *Mode, Rights.READ, Rights.READ | Rights.WRITE, Rights(0)]),
    texts.map(Word),
    numbers.map(Number),
    st.floats(allow_nan=False).map(Share),
    st.binary(max_size=4).map(Blob),
    st.builds(range, st.integers(0, 9), st.integers(0, 9), st.integers(1, 3)),
)
dtypes = [
    "<f8",
    ">i2",
    "?",
    "<U3",
    "S2",
    "<M8[ms]",
    "<c8",
    [("a", "<i4"), ("b", "<f4", (2,))],
    [("p", [("x", "u1"), ("y", "<i8")])],
]
arrays = st.builds(
    lambda dtype, shape: (
        numpy.arange(math.prod(shape) * numpy.dtype(dtype).itemsize, dtype="u1").view(numpy.dtype(dtype)).reshape(shape)
    ),
    st.sampled_from([d for d in dtypes if d != "<U3"]),
    st.sampled_from([(), (3,), (2, 2), (1, 2, 1)]),
) | st.sampled_from(
    [
        numpy.zeros((0, 3)),
        numpy.array(["", "abc"]),
        numpy.array(""),
        numpy.asfortranarray(numpy.eye(3)),
        numpy.eye(4)[::2, 1:],
    ]
)
scalars_of_numpy = st.sampled_from(
    [numpy.float64(1.5), numpy.float32(2), numpy.int8(-3), numpy.uint64(2**64 - 1), numpy.bool_(True), numpy.str_("é"), numpy.str_(""),
     numpy.bytes_(b"a\0"), numpy.complex64(1j), numpy.datetime64("2020-02-29T12"), numpy.timedelta64(5, "D"), numpy.longdouble(1) / 3]
)  # fmt: skip
leaves = st.one_of(
    hashable_leaves,
    st.floats(),
    st.complex_numbers(),
    st.just(Decimal("NaN")),
    st.binary(max_size=4).map(bytearray),
    arrays,
    scalars_of_numpy,
    st.builds(Model, number=numbers),
)
keys = st.recursive(
    hashable_leaves,
    lambda inner: st.lists(inner, max_size=2).map(tuple) | st.frozensets(inner, max_size=2),
    max_leaves=4,
)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(keys, inner, max_size=3),
        st.dictionaries(texts, inner, max_size=3),
        st.dictionaries(keys, inner, max_size=3).map(OrderedDict),
        st.builds(deque, st.lists(inner, max_size=3), st.sampled_from([None, 2, 5])),
        st.builds(Point, inner, inner),
        st.builds(Plain, inner),
        st.builds(Frozen, inner, inner),
        st.builds(Slotted, inner),
        st.builds(Shape, inner),
    )


values = st.one_of(
    st.sets(keys, max_size=3),
    st.recursive(leaves, _containers, max_leaves=8),
    st.dictionaries(keys, st.integers()).map(Counter),
)


@given(values)
def test_a_value_comes_back_equal_in_value_and_type(value: Any) -> None:
    assert alike(decode(encode(value)), value)


@given(values)
def test_what_can_be_encoded_is_admitted_to_the_state(value: Any) -> None:
    assert alike(decode(encode(track(value))), value)


@given(st.sets(keys, max_size=5))
def test_equal_sets_have_one_encoding(items: set[Any]) -> None:
    assert encode(items) == encode(dict.fromkeys(sorted(items, key=_mark, reverse=True)).keys() | set())


@given(st.tuples(texts, keys, keys), values)
def test_a_change_that_sets_comes_back(path: tuple[Any, ...], value: Any) -> None:
    change = decode_change(encode_change(path, SET, value))

    assert alike(change.path, path) and change.op == SET and alike(change.value, value)


@given(texts, keys, st.sampled_from([0, 1.5, "x", None, 2**70, "\ud800"]))
def test_a_scalar_under_any_key_comes_back(name: str, key: Any, value: Any) -> None:
    change = decode_change(encode_change((name, key), SET, value))

    assert alike(change.path, (name, key)) and alike(change.value, value)


@given(st.integers(0, 9), st.integers(0, 9), st.lists(values, max_size=2))
def test_a_splice_comes_back(index: int, removed: int, inserted: list[Any]) -> None:
    change = decode_change(encode_change(("items", 3), SPLICE, [index, removed, inserted]))

    assert change.op == SPLICE and alike(change.value, [index, removed, inserted])


@given(st.sets(keys, max_size=3), st.sets(keys, max_size=3))
def test_an_update_of_a_set_and_a_deletion_come_back(added: set[Any], removed: set[Any]) -> None:
    change = decode_change(encode_change(("s",), UPDATE, [list(added), list(removed)]))

    assert (set(change.value[0]), set(change.value[1])) == (added, removed)
    assert decode_change(encode_change(("s", 1), DELETE, None)) == change.__class__(("s", 1), DELETE, None)


def test_a_model_comes_back_with_its_extras_privates_and_the_fields_that_were_given() -> None:
    model = Open(inner=Model(Name="y"), more=[1, (2,)])
    model.inner._private = 7

    found = decode(encode(model))

    assert found == model and found.inner._private == 7
    assert found.inner.model_fields_set == {"name"} and found.more == [1, (2,)]


def test_an_array_that_came_back_can_be_written_to() -> None:
    array = decode(encode(numpy.zeros(3)))

    array[0] = 1.0

    assert array.tolist() == [1.0, 0.0, 0.0]


def test_a_class_variable_is_no_field() -> None:
    assert "shared" not in vars(decode(encode(Plain(1))))


class Inner(threading.local):
    """Nothing that could be kept."""


@pytest.mark.parametrize(
    "value",
    [
        threading.Lock(),
        numpy.array([object()]),
        numpy.zeros(1, dtype=[("a", "O")]),
        numpy.ma.masked_array([1]),
        Swollen([1]),
        Plain(threading.Lock()),
        Point(1, [threading.Lock()]),
        deque([Inner()]),
        OrderedDict(a=Inner()),
        (1, frozenset({object()})),
        dataclasses.make_dataclass("Hidden", ["a"])(1),
        memoryview(b"x"),
        lambda: None,
        int,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_kept_is_refused_when_it_comes(value: Any) -> None:
    with pytest.raises(CannotKeep):
        check_leaf(value, type(value))
    with pytest.raises(CannotKeep):
        encode(value)


def test_an_array_of_objects_is_refused_with_its_dtype() -> None:
    with pytest.raises(CannotKeep, match=r"numpy\.ndarray with dtype object"):
        track([numpy.array([{}])])


def test_a_value_that_contains_itself_is_refused() -> None:
    endless: list[Any] = [2**70]
    endless.append(endless)

    with pytest.raises(CannotKeep, match="contains itself"):
        encode(endless)


def test_a_uuid_of_fixed_text_comes_back() -> None:
    assert decode(encode(UUID(int=5))) == UUID(int=5)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_too_long_to_be_printed_comes_back(sign: int) -> None:
    assert decode(encode(sign * 10**4500)) == sign * 10**4500
