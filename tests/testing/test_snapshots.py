"""The state of an app in snapshot tests: with pytest's own comparison, and with syrupy."""

from __future__ import annotations

from typing import Any

from lightning.testing import AppTest

from testing.apps import Training, Two


def played() -> AppTest:
    app = AppTest(Training).settle()
    app.works["train"].say(losses={"1": 0.5}, seen=[1, (2, 3)])
    app.settle()
    app.ask("add_user", "ada", admin=True)
    return app


def test_the_state_is_what_it_was_the_last_time(snapshot: Any) -> None:
    state = played().state
    del state["works"]["train"]["vars"]["_cloud_compute"]  # it has more fields with each version

    assert state == snapshot


def test_the_values_are_what_they_were_the_last_time(snapshot: Any) -> None:
    assert played().values == snapshot


def test_the_calls_are_what_they_were_the_last_time(snapshot: Any) -> None:
    app = AppTest(Two)
    app.works["a"].finish({"loss": 0.5})
    app.settle()

    assert [str(call) for call in app.calls] == snapshot


def test_two_runs_of_the_same_play_have_equal_states() -> None:
    assert played().state == played().state
