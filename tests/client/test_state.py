"""AppState: a state as attributes, whatever it comes from."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest

from lightning_apps.base.showing import encode
from lightning_apps.client.plugins import BaseStatePlugin
from lightning_apps.client.state import AppState
from lightning_apps.client.tree import Place
from lightning_apps.storage.drive import Drive

STATE: dict[str, Any] = {
    "vars": {"counter": 1, "names": ["a"], "_layout": {}},
    "flows": {"child": {"vars": {"x": 5}, "flows": {}, "works": {}, "structures": {}}},
    "works": {"train": {"vars": {"loss": 0.5, "_url": "http://w"}}},
    "structures": {"ws": {"works": {"0": {"vars": {"n": 0}}, "1": {"vars": {"n": 1}}}, "flows": {}}},
    "app_state": {"stage": "running"},
}


@pytest.fixture
def state() -> AppState:
    return AppState(state=deepcopy(STATE))


def test_attributes_are_values_and_components(state: AppState) -> None:
    assert (state.counter, state["counter"], state.names) == (1, 1, ["a"])
    assert (state.child.x, state.train.loss, state.ws["1"].n) == (5, 0.5, 1)
    assert (state.train._url, state._layout) == ("http://w", {})
    assert state._state["works"]["train"]["vars"]["_url"] == "http://w"


def test_components_are_counted_and_gone_through(state: AppState) -> None:
    assert len(state) == 3
    assert [name for name, _ in state.items()] == ["child", "train", "ws"]
    assert [view.n for _, view in state.ws.items()] == [0, 1]
    assert ("train" in state, "counter" in state, "nothing" in state) == (True, True, False)
    assert {"counter", "train", "ws"} <= set(dir(state))


def test_it_shows_itself_as_the_plain_dictionary(state: AppState) -> None:
    assert repr(state.child) == str(STATE["flows"]["child"])
    assert bool(state)
    assert not AppState(host="http://127.0.0.1:1")


def test_an_unknown_name_is_told_what_there_is(state: AppState) -> None:
    with pytest.raises(AttributeError, match=r"Failed to access 'count' .*\['counter', 'names', '_layout'\]"):
        state.count
    with pytest.raises(AttributeError, match=r"Components: \['child', 'train', 'ws'\]"):
        state.count = 5
    assert not hasattr(state, "count")


@pytest.mark.parametrize(("name", "kind"), [("child", "flows"), ("train", "works"), ("ws", "structures")])
def test_components_cannot_be_assigned(state: AppState, name: str, kind: str) -> None:
    with pytest.raises(AttributeError, match=f"You shouldn't set the {kind} directly onto the state"):
        setattr(state, name, 5)


class Recorder:
    """A source that keeps what was sent."""

    def __init__(self) -> None:
        self.whole: dict[str, Any] = deepcopy(STATE)
        self.sent: list[tuple[dict[Place, Any], dict[str, str]]] = []

    def state(self) -> dict[str, Any]:
        return self.whole

    def send(self, changes: Mapping[Place, Any], headers: Mapping[str, str]) -> None:
        self.sent.append((dict(changes), dict(headers)))


def recorded(plugin: BaseStatePlugin | None = None) -> tuple[AppState, Recorder]:
    state, recorder = AppState(state={}, plugin=plugin), Recorder()
    state._lit_session.source = recorder
    return state, recorder


def test_an_assignment_sends_one_value() -> None:
    state, recorder = recorded()

    state.ws["1"].n = 7

    ((changes, headers),) = recorder.sent
    assert changes == {("structures", "ws", "works", "1", "vars", "n"): 7}
    assert headers["X-Lightning-Type"] == "default"


def test_what_was_changed_in_place_goes_with_the_next_assignment() -> None:
    state, recorder = recorded()

    state.names.append("b")
    state.names.append("c")
    state.counter = 2
    state.counter = 3

    assert [changes for changes, _ in recorder.sent] == [
        {("vars", "names"): ["a", "b", "c"], ("vars", "counter"): 2},
        {("vars", "counter"): 3},
    ]
    assert recorder.whole == STATE


def test_what_was_read_does_not_change_behind_ones_back() -> None:
    state, recorder = recorded()
    names = state.names

    recorder.whole["vars"]["names"] = ["z"]

    assert (names, state.names) == (["a"], ["z"])


def test_values_go_as_json_has_them_and_others_are_refused() -> None:
    state, recorder = recorded()

    state.counter = dt.date(2026, 1, 2)
    with pytest.raises(AttributeError, match="The value for 'counter' cannot be sent"):
        state.counter = object()

    assert [list(changes.values()) for changes, _ in recorder.sent] == [["2026-01-02"]]


class Careful(BaseStatePlugin):
    seen: Any = None

    def should_update_app(self, deep_diff: dict[str, Any]) -> bool:
        self.seen = deep_diff
        return False

    def get_context(self) -> dict[str, Any]:
        return {"token": "me", "session_id": 5, "type": "x"}

    def render_non_authorized(self) -> None: ...


def test_a_plugin_may_keep_an_assignment_back() -> None:
    plugin = Careful()
    state, recorder = recorded(plugin)

    state.counter = 2

    assert recorder.sent == []
    assert plugin.seen == {"values_changed": {"root['vars']['counter']": {"old_value": 1, "new_value": 2}}}


def test_an_app_that_is_not_there_is_named_as_before() -> None:
    state = AppState(host="http://127.0.0.1:1")

    with pytest.raises(AttributeError, match="Failed to connect and fetch the app state"):
        state.counter
    assert not state.is_authorized()
    with pytest.raises(ValueError, match="is no URL"):
        AppState(host="not a url")


def test_a_drive_is_read_as_one() -> None:
    drive = Drive("lit://data", allow_duplicates=True)
    state, recorder = recorded()
    recorder.whole["vars"]["drive"] = json.loads(encode(drive))

    assert state.drive == drive
    state.counter = 2
    assert [list(changes) for changes, _ in recorder.sent] == [[("vars", "counter")]]
