"""How states differ, in the words of an app."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.testing.state_diff import are_values, explain, explain_values, is_state

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=6,
)
STATES = st.recursive(
    st.fixed_dictionaries({"vars": st.dictionaries(st.sampled_from("xyz"), VALUES, max_size=3)}),
    lambda below: st.fixed_dictionaries(
        {
            "vars": st.dictionaries(st.sampled_from("xyz"), VALUES, max_size=2),
            "flows": st.dictionaries(st.sampled_from("fg"), below, max_size=2),
            "works": st.dictionaries(st.sampled_from("vw"), below, max_size=2),
        }
    ),
    max_leaves=4,
)


def state(works: Any = None, **values: Any) -> dict[str, Any]:
    return {"vars": values, "flows": {}, "works": works or {}}


@pytest.mark.parametrize(
    ("found", "expected", "lines"),
    [
        (state(n=1), state(n=2), ["root.n: 1, expected 2"]),
        (state(n=1), state(), ["root.n: 1, not expected"]),
        (state(), state(n=None), ["root.n: missing, expected None"]),
        (state({"train": state(loss=0.3)}), state({"train": state(loss=0.1)}), ["root.train.loss: 0.3, expected 0.1"]),
        (state({"train": state()}), state(), ["root.train: this work was not expected"]),
        (state(), state({"train": state()}), ["root.train: there is no such work"]),
        (
            state(items=[1, {"a b": 2}, 3]),
            state(items=[1, {"a b": 4}]),
            ["root.items[1]['a b']: 2, expected 4", "root.items[2]: 3, not expected"],
        ),
        (state(pair=(1, 2)), state(pair=[1, 2]), ["root.pair: (1, 2), expected [1, 2]"]),
        ({"vars": {}, "app_state": {"stage": "running"}}, {"vars": {}, "app_state": {"stage": "stopped"}},
         ["root['app_state'].stage: 'running', expected 'stopped'"]),
    ],
)  # fmt: skip
def test_each_difference_is_a_line_that_names_component_and_attribute(found: Any, expected: Any, lines: Any) -> None:
    assert explain(found, expected) == lines


def test_long_values_and_many_differences_are_cut() -> None:
    (line,) = explain(state(text="x" * 500), state(text=""))
    assert len(line) < 200 and line.endswith("…, expected ''")

    lines = explain(state(many=list(range(100))), state(many=list(range(1, 101))))
    assert len(lines) == 41 and lines[-1] == "… and 60 more"


@given(STATES, STATES)
def test_there_are_lines_exactly_where_states_differ(one: Any, other: Any) -> None:
    assert is_state(one)
    assert bool(explain(one, other)) == (one != other)


@pytest.mark.parametrize("value", [{}, {"vars": 1}, {"vars": {}, "mine": 2}, [], None])
def test_other_dictionaries_are_no_states(value: Any) -> None:
    assert not is_state(value)


def test_values_by_component_are_explained_as_states_are() -> None:
    found = {"root": {"n": 1}, "root.train": {"loss": 0.3, "epochs": [1]}}
    expected = {"root": {"n": 1}, "root.train": {"loss": 0.1, "epochs": [1]}, "root.test": {}}

    assert are_values(found) and are_values(expected)
    assert explain_values(found, expected) == ["root.train.loss: 0.3, expected 0.1", "root.test: missing, expected {}"]
    assert (
        not are_values({"root": 1})
        and not are_values({"root": {}, "other": {}})
        and not are_values({"root": {}, 1: {}})
    )
