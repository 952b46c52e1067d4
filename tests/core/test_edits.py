"""Changes that programs outside ask for, in JSON's words: made as if the flow had assigned, all of them or none."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import json
import uuid
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import lightning as L
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.talk import Root, Talk, Work, of
from lightning_apps.base import messages as m
from lightning_apps.base.errors import CannotEdit, LightningError, OutOfDate
from lightning_apps.base.messages import Edit, Edited
from lightning_apps.base.showing import as_builtins
from lightning_apps.base.values import same
from lightning_apps.core.likeness import like


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    x: int = 1
    tags: list[str] = field(default_factory=list)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Name(str):
    """A text of its own kind."""


class Pair(NamedTuple):
    a: int
    b: str


class Holder(L.LightningFlow):
    def __init__(self, **values: Any) -> None:
        super().__init__()
        for name, value in values.items():
            setattr(self, name, value)

    def run(self) -> None:
        pass


def edit(talk: Talk, *edits: Edit, seen: int | None = None) -> Any:
    """The reply to one request."""
    talk.now += 1
    (reply,) = of(talk.tell(Edited("1", edits, seen)), m.Reply)
    return reply


def put(value: Any, *path: Any, op: str = "put", component: str = "root") -> Edit:
    return Edit(component, path, op, value)


@pytest.mark.parametrize(
    ("present", "value", "expected"),
    [
        (1, 2, 2),
        (1, 2.0, 2),
        (1, 2.5, 2.5),
        (1.5, 2, 2.0),
        (None, [1], [1]),
        ("a", None, None),
        ([0.5], [1, 2], [1.0, 2.0]),
        ((1, [2]), [3, [4]], (3, [4])),
        ({1, 2}, [3], {3}),
        (frozenset({1}), [3], frozenset({3})),
        ({1: "a"}, {"1": "b", "2": "c"}, {1: "b", 2: "c"}),
        ({"a": 1}, {"2": 1}, {"2": 1}),
        (Colour.RED, "blue", Colour.BLUE),
        (dt.datetime(2026, 1, 1), "2027-01-01T00:00:00", dt.datetime(2027, 1, 1)),
        (dt.date(2026, 1, 1), "2027-01-01", dt.date(2027, 1, 1)),
        (dt.timedelta(1), "P2D", dt.timedelta(2)),
        (decimal.Decimal("1.5"), "2.5", decimal.Decimal("2.5")),
        (uuid.UUID(int=1), str(uuid.UUID(int=2)), uuid.UUID(int=2)),
        (Point(), {"x": 5, "tags": ["a"]}, Point(5, ["a"])),
        (Pair(1, "a"), [2, "b"], Pair(2, "b")),
        (b"ab", "Y2Q=", b"cd"),
        (deque([1], maxlen=2), [1, 2, 3], deque([2, 3], maxlen=2)),
        ({(1, 2): 0.5, None: 1}, {"(1, 2)": 1, "null": 2}, {(1, 2): 1.0, None: 2}),
        ({1: "a", "b": "c"}, {"1": "x", "2": "y"}, {1: "x", "2": "y"}),
        (Counter(a=1), {"a": 2, "b": 3}, Counter(a=2, b=3)),
        (Level.LOW, 2, Level.HIGH),
        (Name("a"), "b", Name("b")),
    ],
)
def test_a_value_from_json_takes_the_type_of_what_is_there(present: Any, value: Any, expected: Any) -> None:
    made = like(present, value)

    assert type(made) is type(expected) and made == expected and repr(made) == repr(expected)  # 1 is not 1.0


@pytest.mark.parametrize(
    ("present", "value"),
    [
        ((1, 2), "x"),
        (Colour.RED, "green"),
        (dt.datetime(2026, 1, 1), "soon"),
        (Point(), {"x": "many"}),
        (Pair(1, "a"), [1]),
        ({1}, 3),
        ({1}, [[1]]),
        (b"a", "%"),
        (Counter(a=1), "x"),
        (Counter(a=1), [1]),
    ],
)
def test_what_cannot_take_that_type_is_refused_in_a_sentence(present: Any, value: Any) -> None:
    with pytest.raises(CannotEdit, match=type(present).__name__):
        like(present, value)


def test_numpy_and_pydantic_values_keep_their_kind() -> None:
    numpy, pydantic = pytest.importorskip("numpy"), pytest.importorskip("pydantic")
    Model = pydantic.create_model("Model", x=(int, 1))

    array = like(numpy.array([[1.5]], dtype="float32"), [[1, 2], [3, 4]])
    assert array.dtype == "float32" and array.tolist() == [[1, 2], [3, 4]]
    assert type(like(numpy.int8(3), 4)) is numpy.int8
    assert like(Model(), {"x": 4}) == Model(x=4)
    assert like(numpy.array([1]), []).shape == (0,)
    with pytest.raises(CannotEdit, match="cannot become a Model"):
        like(Model(), {"x": "no"})
    with pytest.raises(CannotEdit, match="cannot become a ndarray"):
        like(numpy.array([1]), [[1], [1, 2]])


@pytest.mark.parametrize(("length", "said"), [(58, f"'{58 * 'a'}'"), (59, f"'{58 * 'a'}…")])
def test_a_refused_value_is_shown_up_to_60_characters(length: int, said: str) -> None:
    with pytest.raises(CannotEdit) as caught:
        like({1}, length * "a")

    assert str(caught.value) == f"{said} cannot become a set, which is what is there now."


def test_an_edit_is_as_if_the_flow_had_assigned_and_says_its_turn() -> None:
    talk = Talk(Root(w=Work(parallel=True)))
    talk.settle()
    talk.arrive("w")

    reply = edit(talk, put(5, "n"), put(7, "x", component="root.w"))

    assert (talk.root.n, talk.root.w.x) == (5, 7)
    assert reply.value == talk.core.turn and reply.error is None
    (changes,) = of(talk.outcome.effects, m.Changes)
    assert [entry[:2] for entry in talk.outcome.record.done[:2]] == [["set", "root"], ["set", "root.w"]]
    assert changes.message.changes


def test_the_flow_sees_what_was_edited_in_the_same_turn() -> None:
    seen = []
    talk = Talk(Root(lambda flow: seen.append(flow.n)))

    edit(talk, put(5, "n"))

    assert seen[-1] == 5


def test_either_all_edits_are_made_or_none() -> None:
    talk = Talk(Holder(n=1, items=[1]))

    reply = edit(talk, put(2, "n"), put(9, "items", 0), put(3, "items", 7))

    assert isinstance(reply.error, CannotEdit) and "items[7]" in str(reply.error)
    assert talk.root.n == 1 and talk.root.items == [1]
    assert talk.outcome.published is None or "root" not in talk.outcome.published.changes


@pytest.mark.parametrize(
    ("op", "path", "value", "expected"),
    [
        ("add", ("l", "1"), 9, {"l": [1, 9, [2], {"k": 3}]}),
        ("add", ("l", "-"), 9, {"l": [1, [2], {"k": 3}, 9]}),
        ("replace", ("l", "1", "0"), 9, {"l": [1, [9], {"k": 3}]}),
        ("add", ("l", "2", "new"), 9, {"l": [1, [2], {"k": 3, "new": 9}]}),
        ("remove", ("l", "0"), None, {"l": [[2], {"k": 3}]}),
        ("remove", ("d", "7"), None, {"d": {"x": (1, 2)}}),
        ("put", ("d", "7"), 8, {"d": {7: 8, "x": (1, 2)}}),
        ("replace", ("d", "x", "1"), 5, {"d": {7: 0, "x": (1, 5)}}),
        ("put", ("t", "0"), 5, {"t": (5, [2])}),
        ("add", ("t", "1", "-"), 5, {"t": (1, [2, 5])}),
        ("remove", ("t", "1", "0"), None, {"t": (1, [])}),
        ("put", ("p", "x"), 5, {"p": Point(5, ["a"])}),
        ("add", ("p", "tags", "0"), "b", {"p": Point(1, ["b", "a"])}),
        ("copy", ("l", "0"), ["root", ["d", "x"]], {"l": [[1, 2], 1, [2], {"k": 3}]}),
        ("move", ("l", "0"), ["root", ["l", "2"]], {"l": [{"k": 3}, 1, [2]]}),
    ],
)
def test_operations_reach_into_values_and_change_no_more_than_they_say(
    op: str, path: Any, value: Any, expected: Any
) -> None:
    before = {"l": [1, [2], {"k": 3}], "d": {7: 0, "x": (1, 2)}, "t": (1, [2]), "p": Point(1, ["a"])}
    talk = Talk(Holder(**before))

    reply = edit(talk, Edit("root", path, op, value))

    assert reply.error is None
    assert {name: getattr(talk.root, name) for name in before} == {**before, **expected}
    assert all(same(getattr(talk.root, name), value) for name, value in {**before, **expected}.items())


@pytest.mark.parametrize(
    ("op", "path"),
    [
        ("put", ("nothing",)),
        ("put", ("_layout",)),
        ("put", ("l", "9")),
        ("put", ("l", "01x")),
        ("replace", ("d", "none")),
        ("remove", ("d", "none")),
        ("remove", ("l", "5")),
        ("remove", ("n",)),
        ("put", ("n", "inside")),
        ("put", ("d", "none", "deeper")),
        ("put", ("t", "8", "deeper")),
    ],
)
def test_a_place_that_is_not_there_is_named(op: str, path: Any) -> None:
    talk = Talk(Holder(n=1, l=[1], d={}, t=(1,)))

    reply = edit(talk, Edit("root", path, op, 1))

    assert isinstance(reply.error, CannotEdit)
    assert "root" in str(reply.error)


def test_a_test_that_fails_takes_the_others_along() -> None:
    talk = Talk(Holder(n=1, t=(1, 2)))

    assert edit(talk, put(1.0, "n", op="test"), put([1, 2], "t", op="test"), put(5, "n")).error is None
    assert isinstance(edit(talk, put(6, "n"), put(1, "n", op="test")).error, OutOfDate)
    assert isinstance(edit(talk, put(True, "t", 0, op="test")).error, OutOfDate)
    assert talk.root.n == 5


# versions: both orders of every race --------------------------------------------------------------------------------


def world() -> tuple[Talk, int]:
    """A talk that has a reader, and the version that it read."""
    talk = Talk(Root(w=Work(parallel=True)))
    talk.settle()
    talk.arrive("w")
    return talk, talk.core.show_all().turn


def test_an_edit_by_the_version_that_is_there_is_made() -> None:
    talk, read = world()

    assert edit(talk, put(1, "n"), seen=read).error is None
    assert isinstance(edit(talk, put(2, "n"), seen=read).error, OutOfDate)
    assert edit(talk, put(2, "x", component="root.w"), seen=read).error is None  # another component


def test_a_works_change_before_an_edit_in_the_same_turn_wins_and_one_behind_it_does_too() -> None:
    talk, read = world()
    change = m.Changed(0, (m.Change(("x",), m.SET, 9),))

    talk.now += 1
    (reply,) = of(talk.tell(talk.said("w", change), Edited("1", (put(1, "x", component="root.w"),), read)), m.Reply)
    assert isinstance(reply.error, OutOfDate) and talk.root.w.x == 9

    talk, read = world()
    (reply,) = of(talk.tell(Edited("1", (put(1, "x", component="root.w"),), read), talk.said("w", change)), m.Reply)
    assert isinstance(reply.error, OutOfDate) and talk.root.w.x == 9  # what came in in one turn comes before requests


def test_what_the_flow_writes_after_an_edit_stands_and_what_it_wrote_before_refuses_it() -> None:
    talk = Talk(Root(lambda flow: setattr(flow, "n", flow.n + 1) if flow.n < 3 else None))
    talk.settle()
    read = talk.core.show_all().turn

    assert edit(talk, put(0, "n"), seen=read).error is None
    assert talk.root.n == 1
    assert isinstance(edit(talk, put(0, "n"), seen=read).error, OutOfDate)


def test_of_two_edits_by_one_version_in_one_turn_the_first_is_made() -> None:
    talk, read = world()

    replies = of(talk.tell(Edited("1", (put(1, "n"),), read), Edited("2", (put(2, "n"),), read)), m.Reply)

    assert [type(reply.error) for reply in replies] == [type(None), OutOfDate]
    assert talk.root.n == 1


def test_an_edit_that_was_taken_back_is_no_change_for_others() -> None:
    talk, read = world()

    replies = of(
        talk.tell(Edited("1", (put(1, "n"), put(1, "none")), read), Edited("2", (put(2, "n"),), read)), m.Reply
    )

    assert [type(reply.error) for reply in replies] == [CannotEdit, type(None)]
    assert talk.root.n == 2


# anything at all -----------------------------------------------------------------------------------------------------

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab01", max_size=2), inner, max_size=3),
    max_leaves=6,
)
rich = st.sampled_from([(1, (2, [3])), {1: {"a": (1,)}}, {1, 2}, Point(1, ["a"]), [Point(), {"a": [0]}], Colour.RED])
tokens = st.lists(st.sampled_from(["0", "1", "-", "a", "x", "tags", "01", ""]), max_size=3)


@settings(max_examples=300, deadline=None)
@given(
    plain | rich,
    st.lists(st.tuples(st.sampled_from(["add", "put", "replace", "remove", "test"]), tokens, plain), max_size=4),
)
def test_no_edit_breaks_the_app_and_a_refused_one_leaves_no_trace(value: Any, asked: Any) -> None:
    talk = Talk(Holder(v=value))
    before = as_builtins(talk.root.v)

    reply = edit(talk, *[Edit("root", ("v", *path), op, new) for op, path, new in asked])

    assert reply.error is None or isinstance(reply.error, LightningError)
    if reply.error is not None:
        assert json.dumps(as_builtins(talk.root.v), sort_keys=True) == json.dumps(before, sort_keys=True)
