"""The board shows what the flow's thread holds, after any doings of flow and works, and tells others enough to keep up."""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
from collections import deque
from dataclasses import dataclass
from typing import Any

import lightning as L
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.talk import Talk, Work
from lightning_apps.base import messages as m
from lightning_apps.base.showing import encode
from lightning_apps.core.coordinator import Coordinator
from lightning_apps.web.board import Board


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int = 1
    more: Any = None


class Flow(L.LightningFlow):
    """Does in its next turn what it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.n: Any = 0
        self.items: Any = [1, [2], {"a": 3}]
        self.table: Any = {"k": {"deep": [0]}, "l": []}
        self.names: Any = {1, 2}
        self._todo: list[Any] = []

    def do(self, act: Any) -> None:
        act(self)

    def run(self) -> None:
        todo, self._todo = self._todo, []
        for act in todo:
            act(self)


class Root(Flow):
    def __init__(self) -> None:
        super().__init__()
        self.w = Work(parallel=True)
        self.child = Flow()
        self.works_ = L.structures.List(Work(parallel=True))
        self.late = None

    def run(self) -> None:
        self.w.run()
        super().run()


class Published(Talk):
    """Keeps what every turn published."""

    def __init__(self, root: L.LightningFlow) -> None:
        super().__init__(root)
        self.incoming: deque[Any] = deque()

    def tell(self, *events: Any) -> list[Any]:
        effects = super().tell(*events)
        if self.outcome.published is not None:
            self.incoming.append(self.outcome.published)
        return effects


class Show:
    """A talk, a board beside it, and a program that has only what the board tells."""

    def __init__(self, root: L.LightningFlow) -> None:
        self.talk = Published(root)
        self.talk.incoming.append(self.talk.core.show_all())
        self.board = Board(self.talk.incoming, 1)
        self.board.catch_up()
        self.copy = json.loads(self.board.state())
        self.board.listener = self.listen

    def listen(self, version: str, news: list[bytes]) -> None:
        for each in map(json.loads, news):
            follow(self.copy, self.places, each)

    def tell(self, *events: Any) -> None:
        self.talk.now += 1.0
        self.talk.tell(*events)
        self.catch_up()

    def catch_up(self) -> None:
        self.places = {node.name: node.place for node in self.board.nodes.values()}
        self.board.catch_up()

    def agrees(self) -> bool:
        shown = json.loads(self.board.state())
        truth = json.loads(encode({**self.talk.root.state_vars, "app_state": {"stage": "running"}}))
        assert in_order(shown) == in_order(truth)
        assert in_order(self.copy) == in_order(truth)
        return True


def in_order(value: Any) -> Any:
    """Sets have no order, so the lists that stand for them have none."""
    if isinstance(value, dict):
        return {key: sorted(item) if key == "names" else in_order(item) for key, item in value.items()}
    return [in_order(item) for item in value] if isinstance(value, list) else value


def walk(holder: Any, steps: Any) -> Any:
    for step in steps:
        holder = holder.setdefault(step, {}) if isinstance(holder, dict) else holder[step]
    return holder


def follow(state: Any, places: dict[str, Any], told: dict[str, Any]) -> None:
    """What a program does with each thing it is told."""
    if told["op"] in ("status", "ready", "stage"):
        return
    value = told.get("value")
    if told["op"] == "came":
        places[told["component"]] = value["place"]
    place = places[told["component"]]
    if told["op"] == "structure":
        at = walk(state, [*place, "structures"])
        at.pop(told["path"][0], None)
        if value:
            at[told["path"][0]] = {"works": {}, "flows": {}}
        return
    if (
        told["op"] == "went"
        and len(place) > 2
        and place[-4] == "structures"
        and place[-3] not in walk(state, place[:-3])
    ):
        return  # it went with its structure
    holder = walk(state, place[:-1] if told["op"] in ("came", "went") else [*place, "vars", *told["path"]][:-1])
    if told["op"] == "came":
        more = {
            "flows": {},
            "works": {},
            "structures": {key: {"works": {}, "flows": {}} for key in value["structures"]},
        }
        holder[place[-1]] = {"vars": value["vars"], **(more if value["is_flow"] else {})}
    elif told["op"] == "went":
        holder.pop(place[-1], None)
    elif told["op"] == "set":
        holder[told["path"][-1]] = value
    elif told["op"] == "delete":
        holder.pop(told["path"][-1], None)
    else:
        holder[told["path"][-1]][told["index"] : told["index"] + told["removed"]] = value


small = st.integers(0, 3)
leaf = st.one_of(
    small, st.text(max_size=2), st.none(), st.floats(allow_nan=False, allow_infinity=False), st.just(Colour.RED)
)
value = st.recursive(
    leaf,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=2),
    max_leaves=4,
)


def acts() -> st.SearchStrategy[Any]:
    """Something that a flow does to itself or to what is below it."""

    def act(where: str, what: str, n: int, v: Any) -> Any:
        def do(root: Any) -> None:
            target = getattr(root, where) if where else root
            DOINGS[what](root, target, n, v)

        return do

    return st.builds(act, st.sampled_from(["", "child"]), st.sampled_from(sorted(DOINGS)), small, value)


def arrange(root: Any, n: int) -> None:
    if not hasattr(root, "more_"):
        root.more_ = L.structures.List() if n < 2 else L.structures.Dict(a=Work(parallel=True))
    else:
        del root.more_


def late(root: Any, n: int) -> None:
    if root.late is None:
        root.late = Flow() if n % 2 else Work(parallel=True)
    elif n < 2:
        root.late = None


def grow(root: Any, n: int) -> None:
    if n % 2 or not root.works_:
        root.works_.append(Work(parallel=True))
    else:
        root.works_.pop(0)


DOINGS: dict[str, Any] = {
    "assign": lambda root, f, n, v: setattr(f, "n", v),
    "append": lambda root, f, n, v: f.items.append(v),
    "pop": lambda root, f, n, v: f.items.pop(n) if len(f.items) > n else None,
    "slice": lambda root, f, n, v: f.items.__setitem__(slice(n, n + 2), [v, n]),
    "key": lambda root, f, n, v: f.table.__setitem__(n, v),
    "deep": lambda root, f, n, v: f.table["k"]["deep"].insert(0, v),
    "forget": lambda root, f, n, v: f.table.pop(n, None),
    "add": lambda root, f, n, v: f.names.add(n + 5),
    "drop": lambda root, f, n, v: f.names.discard(n),
    "of the work": lambda root, f, n, v: root.w.items.append(v),
    "late": lambda root, f, n, v: late(root, n),
    "arrange": lambda root, f, n, v: arrange(root, n),
    "grow": lambda root, f, n, v: grow(root, n),
    "point": lambda root, f, n, v: setattr(f, "n", Point(n, v)),
    "in the point": lambda root, f, n, v: setattr(f.n, "x", n) if isinstance(f.n, Point) else None,
}


def said(show: Show, n: int, v: Any) -> Any:
    """The work says something of its own."""
    kinds = [
        m.Change(("x",), m.SET, v),
        m.Change(("items",), m.SPLICE, [0, 0, [v]]),
        m.Change(("items",), m.SET, [v]),
        m.Change(("items",), m.SPLICE, [7, 1, [v]]),  # does not fit: it is asked for the whole
    ]
    return show.talk.said("w", m.Changed(n, (kinds[n],)))


step = st.tuples(
    st.sampled_from(["run", "ask", "fail", "said"]), st.lists(acts(), min_size=1, max_size=4), small, value
)
steps = st.lists(step, max_size=12)


@settings(max_examples=80, deadline=None)
@given(steps)
def test_whatever_happens_board_and_listeners_hold_what_the_app_holds(steps: Any) -> None:
    show = Show(Root())
    show.tell()
    show.talk.arrive("w")
    show.catch_up()

    for number, (what, todo, n, v) in enumerate(steps):
        if what == "run":
            show.talk.root._todo += todo
            show.talk.core.awake = True
            show.tell()
        elif what == "said":
            show.tell(said(show, n, v))
        else:

            def act(root: Any, todo: Any = todo, fails: bool = what == "fail") -> None:
                for each in todo:
                    each(root)
                if fails:
                    raise ValueError("no")

            show.tell(m.Asked(str(number), "root", "do", (act,)))
        assert show.agrees()


def test_nothing_is_published_where_nothing_changed() -> None:
    talk = Talk(Flow())
    talk.tell()

    talk.now += 1
    talk.core.awake = True
    talk.tell()

    assert talk.outcome.published is None


def test_statuses_are_published_when_they_move_and_not_again() -> None:
    show = Show(Root())
    show.tell()

    assert show.board.status()["work_statuses"]["root.w"].stage == "pending"
    show.talk.arrive("w")
    show.talk.running("w")
    assert show.talk.outcome.published.statuses["root.w"][-1].stage == "running"
    show.talk.root.n = 1
    show.tell(m.Asked("1", "root", "do", (lambda root: setattr(root, "n", 2),)))
    assert show.talk.outcome.published.statuses == {}


def test_a_deleted_component_takes_those_below_it_along() -> None:
    root = Root()
    show = Show(root)

    show.tell(m.Asked("1", "root", "do", (lambda root: delattr(root, "child"),)))

    assert "root.child" not in show.board.nodes
    assert "child" not in json.loads(show.board.state())["flows"]


def test_the_state_of_what_did_not_change_is_not_encoded_again() -> None:
    show = Show(Root())
    node = show.board.nodes["root.child"]
    before, whole = node.json(), show.board.state()

    show.tell(m.Asked("1", "root", "do", (lambda root: setattr(root, "n", 7),)))

    assert show.board.nodes["root.child"].json() is before
    assert show.board.state() != whole


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({(1, 2): 3, None: 1, True: 2}, '{"(1, 2)":3,"null":1,"true":2}'),
        ({Colour.RED: Colour.RED}, '{"red":"red"}'),
        ([math.nan, math.inf], "[null,null]"),
        ("\udc80", '"?"'),
        ({"\udc80": "\udc80"}, '{"?":"?"}'),
        (2**70, str(2**70)),
        (dt.datetime(2026, 1, 2, 3, 4), '"2026-01-02T03:04:00"'),
        (Point(1, {(1,): Point(2)}), '{"x":1,"more":{"(1,)":{"x":2,"more":null}}}'),
        (1j, "[0.0,1.0]"),
        (deque([1, 2]), "[1,2]"),
        (range(3), "[0,1,2]"),
    ],
)
def test_every_value_has_a_json(value: Any, text: str) -> None:
    assert encode(value).decode() == text


def test_arrays_and_models_are_shown_as_what_they_hold() -> None:
    numpy, pydantic = pytest.importorskip("numpy"), pytest.importorskip("pydantic")
    Model = pydantic.create_model("Model", x=(int, 1))

    assert (
        encode([numpy.array([[1, 2]]), numpy.float32(0.5), numpy.float64(1.5), Model()]) == b'[[[1,2]],0.5,1.5,{"x":1}]'
    )


def test_whole_apps_can_be_shown_before_anything_happened() -> None:
    core = Coordinator(Root())
    core.begin(1.0)
    board = Board(deque([core.show_all()]), 3)
    board.catch_up()

    assert board.version == "3.1"
    assert json.loads(board.state())["works"]["w"]["vars"]["_cloud_compute"]["type"] == "__cloud_compute__"
