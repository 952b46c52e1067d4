"""Pointers, older deltas and whole states become edits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.base.errors import CannotEdit
from lightning_apps.base.messages import Edit
from lightning_apps.web.delta import edits_between, edits_of, steps_of
from lightning_apps.web.pointer import place_of, pointer_of, tokens_of

NAMES = {"root", "root.f", "root.f.w", "root.ws.0", "root.works"}


@given(st.lists(st.text()))
def test_a_pointer_comes_back_as_its_tokens(tokens: list[str]) -> None:
    assert tokens_of(pointer_of(tokens)) == tokens if tokens else True


@pytest.mark.parametrize(
    ("pointer", "place"),
    [
        ("/vars/x", ("root", ("x",))),
        ("/flows/f/works/w/vars/items/0", ("root.f.w", ("items", "0"))),
        ("/structures/ws/works/0/vars/a~1b", ("root.ws.0", ("a/b",))),
        ("/works/works/vars/x", ("root.works", ("x",))),
    ],
)
def test_pointers_lead_to_components_and_attributes(pointer: str, place: Any) -> None:
    assert place_of(tokens_of(pointer), NAMES) == place


@pytest.mark.parametrize(
    "pointer", ["", "vars/x", "/", "/vars", "/flows/f", "/flows/g/vars/x", "/flows", "/structures/ws/vars/x"]
)
def test_pointers_that_lead_nowhere_are_refused(pointer: str) -> None:
    with pytest.raises(CannotEdit):
        place_of(tokens_of(pointer), NAMES)


def test_a_delta_of_the_older_framework_is_understood() -> None:
    delta = {
        "values_changed": {"root['vars']['x']": {"new_value": 3, "old_value": 2}},
        "type_changes": {
            "root['flows']['f']['vars']['y']": {
                "old_type": "NoneType",
                "new_type": "int",
                "old_value": None,
                "new_value": 1,
            }
        },
        "dictionary_item_added": {"root['vars']['d']['k']": 1},
        "dictionary_item_removed": {"root['vars']['d']['old']": 1},
        "iterable_item_added": {"root['vars']['l'][3]": "b", "root['vars']['l'][2]": "a"},
        "iterable_item_removed": {"root['vars']['m'][1]": 0, "root['vars']['m'][2]": 0},
    }

    assert edits_of(delta, NAMES) == [
        Edit("root", ("x",), "put", 3),
        Edit("root.f", ("y",), "put", 1),
        Edit("root", ("d", "k"), "put", 1),
        Edit("root", ("d", "old"), "remove", None),
        Edit("root", ("m", 2), "remove", None),
        Edit("root", ("m", 1), "remove", None),
        Edit("root", ("l", 2), "add", "a"),
        Edit("root", ("l", 3), "add", "b"),
    ]


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("root", []),
        ("root['vars']['it\\'s'][0]", ["vars", "it's", 0]),
        ('root["vars"]["a\'b"]', ["vars", "a'b"]),
    ],
)
def test_paths_of_deltas(path: str, steps: Any) -> None:
    assert steps_of(path) == steps


@pytest.mark.parametrize(
    "delta",
    [
        {"pickle": 1},
        {"values_changed": {"root['vars']['x']": 3}},
        {"values_changed": ["root['vars']['x']"]},
        {"values_changed": {"__import__('os')": {"new_value": 1}}},
        {"values_changed": {"root.x": {"new_value": 1}}},
        {"dictionary_item_added": ["root['vars']['x']"]},
        {"values_changed": {"root['vars']": {"new_value": 1}}},
    ],
)
def test_other_deltas_are_refused(delta: Any) -> None:
    with pytest.raises(CannotEdit):
        edits_of(delta, NAMES)


def test_of_a_whole_state_only_what_its_sender_changed_is_set() -> None:
    before = {
        "vars": {"x": 1, "y": 1, "_layout": []},
        "flows": {"f": {"vars": {"z": 1}, "works": {"w": {"vars": {"v": 0}}}}},
        "structures": {"ws": {"works": {"0": {"vars": {"a": [1]}}}, "flows": {}}},
        "app_state": {"stage": "running"},
    }
    after = {
        "vars": {"x": 2, "y": 1, "_layout": [1], "new": 3},
        "flows": {"f": {"vars": {"z": 1}, "works": {"w": {"vars": {"v": 5}}}}, "gone": {"vars": {"q": 1}}},
        "structures": {"ws": {"works": {"0": {"vars": {"a": [1, 2]}}}, "flows": {}}},
        "app_state": {"stage": "running"},
    }

    assert edits_between(before, after, NAMES) == [
        Edit("root", ("x",), "put", 2),
        Edit("root.f.w", ("v",), "put", 5),
        Edit("root.ws.0", ("a",), "put", [1, 2]),
    ]
    for wrong in (3, {"vars": 3}, {"flows": {"f": 3}}, {"structures": {"ws": []}}):
        with pytest.raises(CannotEdit):
            edits_between(before, wrong, NAMES)
