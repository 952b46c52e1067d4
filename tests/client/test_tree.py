"""A client's copy of the state keeps up with the app's, whatever happens there, and never changes what it handed out."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_apps.base import messages as m
from lightning_apps.client.tree import Tree, Unknown, place_of_name, pointer
from web.test_board import Root, Show, acts, in_order, small, value


class Follower(Show):
    """A board, and a client that is told of it."""

    def __init__(self) -> None:
        super().__init__(Root())
        self.tree = Tree(json.loads(self.board.state()))
        self.handed_out = [(self.tree.state, deepcopy(self.tree.state))]

    def listen(self, version: str, news: list[bytes]) -> None:
        self.tree.apply(map(json.loads, news))
        self.handed_out.append((self.tree.state, deepcopy(self.tree.state)))

    def follows(self) -> bool:
        assert in_order(self.tree.state) == in_order(json.loads(self.board.state()))
        assert all(state == before for state, before in self.handed_out)
        return True


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.lists(acts(), min_size=1, max_size=4), small, value), max_size=8))
def test_whatever_the_app_does_the_client_holds_the_same(steps: Any) -> None:
    show = Follower()
    show.tell()

    for number, (todo, _, _) in enumerate(steps):

        def act(root: Any, todo: Any = todo) -> None:
            for each in todo:
                each(root)

        show.tell(m.Asked(str(number), "root", "do", (act,)))
        assert show.follows()


STATE: dict[str, Any] = {
    "vars": {"a": [1, [2]], "b": {"c": 3}},
    "flows": {"child": {"vars": {"x": 1}, "flows": {}, "works": {}, "structures": {}}},
    "works": {},
    "structures": {"ws": {"works": {"0": {"vars": {"n": 0}}}, "flows": {}}},
}


def test_what_did_not_change_is_the_same_object() -> None:
    tree = Tree(deepcopy(STATE))
    before = tree.state

    tree.apply([{"component": "root", "op": "set", "path": ["b", "c"], "value": 4}])

    assert tree.state["vars"]["b"] == {"c": 4}
    assert before["vars"]["b"] == {"c": 3}
    assert tree.state["vars"]["a"] is before["vars"]["a"]
    assert tree.state["flows"] is before["flows"]


@pytest.mark.parametrize(
    "news",
    [
        {"component": "root.nobody", "op": "set", "path": ["x"], "value": 1},
        {"component": "root", "op": "splice", "path": ["b"], "index": 0, "removed": 0, "value": []},
        {"component": "root", "op": "set", "path": ["a", 9, "x"], "value": 1},
        {"component": "root"},
    ],
)
def test_what_does_not_fit_is_not_guessed_at(news: Any) -> None:
    tree = Tree(deepcopy(STATE))

    with pytest.raises(Unknown):
        tree.apply([news])

    assert tree.state == STATE


def test_words_that_are_not_of_the_state_are_passed_over() -> None:
    tree = Tree(deepcopy(STATE))

    tree.apply([{"op": "ready", "value": True}, {"op": "status", "component": "root.w", "value": []}, {"op": "newer"}])

    assert tree.state == STATE


def test_components_are_found_by_their_full_names() -> None:
    assert place_of_name(STATE, "root") == ()
    assert place_of_name(STATE, "root.child") == ("flows", "child")
    assert place_of_name(STATE, "root.ws.0") == ("structures", "ws", "works", "0")
    assert place_of_name(STATE, "root.none") is None
    assert pointer(("vars", "a/b~c", 0)) == "/vars/a~1b~0c/0"
