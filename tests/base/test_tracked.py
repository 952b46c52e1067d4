"""Tracked containers do what plain ones do, and what they report is enough to keep a copy equal."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import msgspec
import pydantic
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lightning_apps.base.arrivals import put
from lightning_apps.base.encoding import decode_change, encode_change
from lightning_apps.base.errors import CannotKeep
from lightning_apps.base.messages import Change
from lightning_apps.base.values import TRACKED, TrackedDict, TrackedList, TrackedSet, plain, track
from lightning_apps.model.flow import LightningFlow


class Owner:
    """Holds one value, and a copy that learns of changes as another process would: encoded."""

    def __init__(self, value: Any) -> None:
        self.attributes = {"x": track(value, self, "x")}
        self.copied = {"x": track(value, self, "x")}
        self.copied["x"]._up = None
        self.reported = 0

    def _lit_moved(self, path: tuple[Any, ...], op: int, value: Any, old: Any = None) -> None:
        change = decode_change(encode_change(path, op, value))
        self.reported += 1
        assert put(Silent(), self.copied, change)

    def _lit_cannot_keep(self, name: str, value: Any, culprit: str) -> str:
        return f"{name} cannot keep {culprit}"


class Silent:
    """An owner that must hear nothing: applying a change reports none."""

    def _lit_moved(self, path: tuple[Any, ...], op: int, value: Any, old: Any = None) -> None:
        raise AssertionError("reported")

    def _lit_cannot_keep(self, name: str, value: Any, culprit: str) -> str:
        return culprit


leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False, width=16), st.sampled_from(["", "a", "b"])
)
names = st.one_of(st.sampled_from(["a", "b", "c"]), st.integers(-2, 2), st.tuples(st.integers(0, 1)), st.none())
inners = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3) | st.sets(names, max_size=3),
    max_leaves=5,
)
indices = st.integers(-5, 5)
slices = st.builds(slice, *[st.none() | indices] * 2, st.none() | st.integers(-3, 3).filter(bool))


class Tracking(RuleBasedStateMachine):
    """One tracked value, its plain twin, and a copy kept by changes alone; `steps` leads to the container that is acted on."""

    @initialize(value=st.lists(inners, max_size=4) | st.dictionaries(names, inners, max_size=4))
    def begin(self, value: Any) -> None:
        self.owner, self.twin = Owner(copy.deepcopy(value)), value

    def both(self, steps: list[int], kind: type, act: Callable[[Any], Any], **options: Any) -> None:
        """Do the same to the tracked value and to its twin: same result, same exception."""
        tracked, twin = self.owner.attributes["x"], self.twin
        for step in steps:
            inside = _containers(twin)
            if not inside:
                break
            key = inside[step % len(inside)]
            tracked, twin = tracked[key], twin[key]
        if isinstance(twin, kind):
            assert _outcome(act, tracked, **options) == _outcome(act, twin, **options)

    @rule(steps=st.lists(indices, max_size=3), item=inners, index=indices)
    def insert(self, steps: list[int], item: Any, index: int) -> None:
        self.both(steps, list, lambda it: it.insert(index, copy.deepcopy(item)))

    @rule(steps=st.lists(indices, max_size=3), item=inners)
    def append(self, steps: list[int], item: Any) -> None:
        self.both(steps, list, lambda it: it.append(copy.deepcopy(item)))

    @rule(
        steps=st.lists(indices, max_size=3),
        items=st.lists(inners, max_size=3),
        way=st.sampled_from(["extend", "+=", "+=tuple", "+=5", "+=self"]),
    )
    def extend(self, steps: list[int], items: list[Any], way: str) -> None:
        def act(it: Any) -> Any:
            new = copy.deepcopy(items)
            if way == "extend":
                it.extend(iter(new))
            else:
                it += {"+=": new, "+=tuple": tuple(new), "+=5": 5, "+=self": list(map(copy.deepcopy, it))}[way]

        self.both(steps, list, act)

    @rule(steps=st.lists(indices, max_size=3), times=st.sampled_from([-1, 0, 1, 2, 1.5, "x"]))
    def repeat(self, steps: list[int], times: Any) -> None:
        def act(it: Any) -> Any:
            if not any(isinstance(item, (list, dict, set)) for item in it) and len(it) < 30:
                it *= times

        self.both(steps, list, act)

    @rule(steps=st.lists(indices, max_size=3), index=st.none() | indices | st.just("a"))
    def pop(self, steps: list[int], index: Any) -> None:
        self.both(steps, list, lambda it: it.pop() if index is None else it.pop(index))

    @rule(steps=st.lists(indices, max_size=3), item=leaves)
    def remove(self, steps: list[int], item: Any) -> None:
        self.both(steps, list, lambda it: it.remove(item))

    @rule(steps=st.lists(indices, max_size=3), reverse=st.booleans(), how=st.sampled_from([repr, str, len, None]))
    def sort(self, steps: list[int], reverse: bool, how: Any) -> None:
        def act(it: Any) -> Any:
            try:
                sorted(it, key=how)
            except TypeError:
                how_now = repr
            else:
                how_now = how
            it.sort(key=how_now, reverse=reverse)

        self.both(steps, list, act)

    @rule(steps=st.lists(indices, max_size=3))
    def reverse(self, steps: list[int]) -> None:
        self.both(steps, list, lambda it: it.reverse())

    @rule(steps=st.lists(indices, max_size=3), where=indices, item=inners)
    def set_item(self, steps: list[int], where: int, item: Any) -> None:
        self.both(steps, list, lambda it: it.__setitem__(where, copy.deepcopy(item)))

    @rule(steps=st.lists(indices, max_size=3), where=slices, items=st.lists(inners, max_size=4))
    def set_slice(self, steps: list[int], where: slice, items: list[Any]) -> None:
        self.both(steps, list, lambda it: it.__setitem__(where, copy.deepcopy(items)))

    @rule(steps=st.lists(indices, max_size=3), where=slices, other=slices)
    def move_slice(self, steps: list[int], where: slice, other: slice) -> None:
        self.both(steps, list, lambda it: it.__setitem__(where, copy.deepcopy(it[other])))

    @rule(steps=st.lists(indices, max_size=3), where=indices | slices)
    def delete_item(self, steps: list[int], where: Any) -> None:
        self.both(steps, list, lambda it: it.__delitem__(where))

    @rule(steps=st.lists(indices, max_size=3), kind=st.sampled_from([list, dict, set]))
    def clear(self, steps: list[int], kind: type) -> None:
        self.both(steps, kind, lambda it: it.clear())

    @rule(steps=st.lists(indices, max_size=3), key=names, item=inners)
    def set_key(self, steps: list[int], key: Any, item: Any) -> None:
        self.both(steps, dict, lambda it: it.__setitem__(key, copy.deepcopy(item)))

    @rule(steps=st.lists(indices, max_size=3), key=names, item=inners)
    def set_default(self, steps: list[int], key: Any, item: Any) -> None:
        self.both(steps, dict, lambda it: it.setdefault(key, copy.deepcopy(item)))

    @rule(steps=st.lists(indices, max_size=3), key=names, default=st.none() | st.just((5,)) | st.just((1, 2)))
    def pop_key(self, steps: list[int], key: Any, default: Any) -> None:
        self.both(steps, dict, lambda it: it.pop(key, *(default or ())))

    @rule(steps=st.lists(indices, max_size=3), key=names | st.just([]))
    def delete_key(self, steps: list[int], key: Any) -> None:
        self.both(steps, dict, lambda it: it.__delitem__(key))

    @rule(steps=st.lists(indices, max_size=3))
    def pop_item(self, steps: list[int]) -> None:
        self.both(steps, dict, lambda it: it.popitem())

    @rule(
        steps=st.lists(indices, max_size=3),
        items=st.dictionaries(names, inners, max_size=3),
        way=st.sampled_from(["dict", "pairs", "named", "|=", "|=pairs", "bad"]),
    )
    def update_dict(self, steps: list[int], items: dict[Any, Any], way: str) -> None:
        def act(it: Any) -> Any:
            new = copy.deepcopy(items)
            if way.startswith("|="):
                it |= list(new.items()) if way == "|=pairs" else new
            elif way == "named":
                it.update({"a": 1}, **{k: v for k, v in new.items() if isinstance(k, str)})
            else:
                it.update({"dict": new, "pairs": list(new.items()), "bad": 5}[way])

        self.both(steps, dict, act)

    @rule(
        steps=st.lists(indices, max_size=3), item=names | st.just([]), way=st.sampled_from(["add", "discard", "remove"])
    )
    def one_of_set(self, steps: list[int], item: Any, way: str) -> None:
        self.both(steps, set, lambda it: getattr(it, way)(item))

    @rule(steps=st.lists(indices, max_size=3))
    def pop_of_set(self, steps: list[int]) -> None:
        popped: list[Any] = []

        def act(it: Any) -> Any:
            if popped and isinstance(it, set) and type(it) not in TRACKED:
                it.remove(popped[0])
                return popped[0]
            popped.append(it.pop())
            return popped[0]

        self.both(steps, set, act)

    @rule(
        steps=st.lists(indices, max_size=3),
        items=st.sets(names, max_size=4),
        way=st.sampled_from(
            [
                "update",
                "intersection_update",
                "difference_update",
                "symmetric_difference_update",
                "|=",
                "&=",
                "-=",
                "^=",
                "many",
                "list",
            ]
        ),
        own=st.booleans(),
    )
    def change_set(self, steps: list[int], items: set[Any], way: str, own: bool) -> None:
        def act(it: Any) -> Any:
            other = it if own else set(items)
            if way == "|=":
                it |= other
            elif way == "&=":
                it &= other
            elif way == "-=":
                it -= other
            elif way == "^=":
                it ^= other
            elif way == "list":
                it |= list(other)
            elif way == "many":
                it.update(other, [1, 2], ())
            else:
                getattr(it, way)(list(other) if not own else other)

        self.both(steps, set, act)

    @invariant()
    def all_three_are_equal(self) -> None:
        if hasattr(self, "twin"):
            tracked, copied = self.owner.attributes["x"], self.owner.copied["x"]
            assert tracked == self.twin and copied == self.twin
            assert _typed(plain(tracked)) == _typed(self.twin) == _typed(plain(copied))


def _containers(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [n for n, item in enumerate(value) if isinstance(item, (list, dict, set))]
    return (
        [key for key, item in value.items() if isinstance(item, (list, dict, set))] if isinstance(value, dict) else []
    )


def _outcome(act: Callable[[Any], Any], target: Any) -> Any:
    try:
        return "gives", act(target)
    except Exception as error:
        return "raises", type(error)


def _typed(value: Any) -> Any:
    """Something that is equal only for values of equal types; the order of a dictionary counts."""
    if isinstance(value, list):
        return ["list", *map(_typed, value)]
    if isinstance(value, dict):
        return ["dict", *[(k, _typed(v)) for k, v in value.items()]]
    return (type(value), value)


TestTracking = Tracking.TestCase
TestTracking.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


@pytest.fixture
def owner() -> Owner:
    return Owner({"list": [3, 1, [2]], "dict": {"b": {"c": 1}}, "set": {1, 2}})


def test_tracked_containers_compare_print_and_are_found_like_plain_ones(owner: Owner) -> None:
    value = owner.attributes["x"]

    assert (
        value == {"list": [3, 1, [2]], "dict": {"b": {"c": 1}}, "set": {1, 2}}
        and (value != copy.deepcopy(value)) is False
    )
    assert value["list"] < [4] and [2] in value["list"] and value["set"] <= {1, 2, 3} and value["list"] != [1]
    assert repr(value) == str(value) == repr(plain(value)) and f"{value['set']}" == "{1, 2}"
    assert isinstance(value, dict) and isinstance(value["list"], list) and isinstance(value["set"], set)
    for part in (value, value["list"], value["set"]):
        with pytest.raises(TypeError, match="unhashable"):
            hash(part)


def test_copies_pickles_and_what_is_computed_from_them_are_plain(owner: Owner) -> None:
    value = owner.attributes["x"]

    made = [copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value)), value.copy(), value | {}]
    made += [value["list"] + [1], value["list"] * 2, value["list"][:1], value["list"].copy(), copy.copy(value["list"])]
    made += [value["set"] | {5}, value["set"].copy(), value["set"].union(()), copy.deepcopy(value["set"])]

    assert {type(item) for item in made} == {dict, list, set}
    assert (
        type(pickle.loads(pickle.dumps(value))["list"][2]) is list and type(copy.deepcopy(value)["dict"]["b"]) is dict
    )
    assert owner.reported == 0


def test_other_libraries_take_them_for_plain_ones(owner: Owner) -> None:
    value = owner.attributes["x"]
    shown = {"list": value["list"], "dict": value["dict"]}

    assert json.loads(json.dumps(shown)) == shown
    assert msgspec.json.decode(msgspec.json.encode(value)) == {**shown, "set": [1, 2]}
    assert msgspec.convert(value["dict"], dict[str, dict[str, int]]) == {"b": {"c": 1}}
    for kind, part in [
        (list[Any], value["list"]),
        (dict[str, dict[str, int]], value["dict"]),
        (set[int], value["set"]),
    ]:
        assert pydantic.TypeAdapter(kind).validate_python(part, strict=True) == plain(part)


def test_what_was_handed_in_is_not_aliased() -> None:
    inner = [1]
    owner = Owner({"a": inner})

    inner.append(2)

    assert owner.attributes["x"] == {"a": [1]}


def test_a_tracked_list_in_two_places_is_two_values(owner: Owner) -> None:
    value = owner.attributes["x"]
    value["again"] = value["list"]

    value["list"].append(9)

    assert value["again"] == [3, 1, [2]] and owner.copied["x"] == value


@pytest.mark.parametrize(
    "take",
    [
        lambda value: value.pop("list"),
        lambda value: value["list"].pop(),
        lambda value: value["dict"].popitem()[1],
        lambda value: (value["list"], value.clear())[0],
        lambda value: (value["dict"]["b"], value.update(dict=1))[0],
        lambda value: (value["list"][2], value["list"].remove([2]))[0],
        lambda value: (value["list"][2], value["list"].__setitem__(slice(None), []))[0],
    ],
)
def test_a_container_that_left_reports_nothing(owner: Owner, take: Callable[[Any], Any]) -> None:
    gone = take(owner.attributes["x"])
    before = owner.reported

    gone.clear()

    assert owner.reported == before and owner.copied["x"] == owner.attributes["x"]


def test_a_container_inside_one_that_left_reports_nothing(owner: Owner) -> None:
    inner = owner.attributes["x"]["dict"]["b"]
    del owner.attributes["x"]["dict"]
    before = owner.reported

    inner["c"] = 2

    assert owner.reported == before


def test_elements_are_still_found_after_the_list_shifted(owner: Owner) -> None:
    value = owner.attributes["x"]
    inner = value["list"][2]

    value["list"].insert(0, "first")
    value["list"].reverse()
    inner.append("x")

    assert value["list"] == [[2, "x"], 1, 3, "first"] and owner.copied["x"] == value


def test_equal_assignments_report_nothing(owner: Owner) -> None:
    value = owner.attributes["x"]

    value["list"][0], value["dict"]["b"] = 3, {"c": 1}
    value["set"].add(1)
    value["nan"] = float("nan")
    value["nan"] = float("nan")

    assert owner.reported == 1


def test_a_value_equal_but_of_another_type_is_reported(owner: Owner) -> None:
    owner.attributes["x"]["list"][1] = True

    assert owner.copied["x"]["list"][1] is True


def test_a_set_that_is_changed_by_itself_is_empty_or_the_same(owner: Owner) -> None:
    numbers = owner.attributes["x"]["set"]

    numbers &= numbers
    assert owner.copied["x"]["set"] == {1, 2}
    numbers ^= numbers

    assert owner.copied["x"]["set"] == set()


class Holder(LightningFlow):
    """A flow with one value of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.items: Any = [[1]]
        self.table: Any = {"a": {}}
        self.names: Any = {1}


def _endless() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


@pytest.mark.parametrize(
    "bad", [object(), _endless(), {"a": [object()]}, (object(),)], ids=["object", "endless", "nested", "tuple"]
)
@pytest.mark.parametrize(
    ("name", "put_in"),
    [
        ("items", lambda flow, bad: setattr(flow, "items", bad)),
        ("items", lambda flow, bad: flow.items.append(bad)),
        ("items", lambda flow, bad: flow.items[0].insert(0, bad)),
        ("items", lambda flow, bad: flow.items.__setitem__(0, bad)),
        ("items", lambda flow, bad: flow.items.__iadd__([bad])),
        ("table", lambda flow, bad: flow.table.__setitem__("a", bad)),
        ("table", lambda flow, bad: flow.table["a"].update(b=bad)),
    ],
)
def test_a_value_that_cannot_be_kept_is_refused_in_a_sentence_and_changes_nothing(
    name: str, put_in: Any, bad: Any
) -> None:
    flow = Holder()

    with pytest.raises(CannotKeep, match=rf"Holder 'root' cannot keep '{name}' in its state"):
        put_in(flow, bad)

    assert (flow.items, flow.table, flow.names) == ([[1]], {"a": {}}, {1})


@pytest.mark.parametrize(
    "put_in", [lambda f, b: f.names.add(b), lambda f, b: f.names.update([b]), lambda f, b: f.table.__setitem__(b, 1)]
)
def test_elements_and_keys_that_cannot_be_kept_are_refused_too(put_in: Any) -> None:
    flow = Holder()

    with pytest.raises(CannotKeep, match="cannot keep"):
        put_in(flow, object())

    assert (flow.table, flow.names) == ({"a": {}}, {1})


def test_a_change_of_something_that_is_not_there_does_not_fit(owner: Owner) -> None:
    attributes = owner.copied

    assert not put(Silent(), attributes, Change(("x", "list"), 2, [9, 1, []]))
    assert not put(Silent(), attributes, Change(("x", "list", 7, "k"), 0, 1))
    assert put(Silent(), attributes, Change(("x", "no", "such"), 1))
    assert put(Silent(), attributes, Change(("x", "new", "deep"), 0, 5))
    assert attributes["x"]["new"] == {"deep": 5} and type(attributes["x"]["new"]) is TrackedDict


def test_a_gentle_change_leaves_what_is_iterated_over_alone() -> None:
    attributes = {"x": track([1, 2], Silent(), "x")}
    seen = []

    for item in attributes["x"]:
        seen.append(item)
        put(Silent(), attributes, Change(("x",), 2, [0, 1, []]), gentle=True)

    assert seen == [1, 2] and attributes["x"] == []


def test_containers_made_alone_work_unowned() -> None:
    items, table, names = TrackedList([1]), TrackedDict({"a": 1}, b=2), TrackedSet([1])

    items.append([2])
    table["c"] = {}
    names.add(2)

    assert (items, table, names) == ([1, [2]], {"a": 1, "b": 2, "c": {}}, {1, 2})
