"""AppTest as authors use it: an app is moved, looked at, and says why it does not go on."""

from __future__ import annotations

from typing import Any

import lightning as L
import pytest
from lightning.testing import AppTest

from lightning_apps.base.errors import AppNeverRests, AppWaits, KitError, WorkFailed
from testing.apps import Train, Training, Two


def test_an_app_rests_when_only_a_played_work_could_move_it() -> None:
    app = AppTest(Training)

    app.settle()

    assert app.exit_code is None
    assert app.works["train"].stage == "running"


def test_what_a_played_work_says_and_returns_is_seen_by_the_flow() -> None:
    app = AppTest(Training)

    app.works["train"].say(loss=0.7)
    app.settle()
    app.works["train"].finish(42, loss=0.1)
    app.settle()

    assert (app.exit_code, app.root.result, app.root.history) == (0, 42, [1.0, 0.7, 0.1])


def test_finish_runs_to_the_end_and_gives_the_exit_code() -> None:
    app = AppTest(Training)

    app.works["train"].finish(42)

    assert app.finish() == app.exit_code == 0


def test_finish_says_which_played_work_the_app_waits_for() -> None:
    app = AppTest(Two)
    app.works["b"].finish(1)

    with pytest.raises(AppWaits, match=r"root\.a, call 1, run\(1\.0\): runs .*works\[\"a\"\]\.finish\("):
        app.finish()


def test_finish_says_so_where_the_flow_just_never_stops() -> None:
    class Endless(L.LightningFlow):
        def run(self) -> None:
            """Nothing."""

    with pytest.raises(AppWaits, match=r"nothing to do.*run of Endless.*self\.stop\(\)"):
        AppTest(Endless).finish()


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        (
            lambda work: work.hold("no GPU is free"),
            r"waits for a place: no GPU is free.*works\[\"train\"\]\.release\(\)",
        ),
        (lambda work: work.stall(), r"runs \(at its first attempt\).*works\[\"train\"\]\.go_on\(\)"),
    ],
)
def test_finish_says_how_what_the_test_holds_back_may_go_on(how: Any, sentence: str) -> None:
    app = AppTest(Training(start_with_flow=False))
    how(app.works["train"])

    with pytest.raises(AppWaits, match=sentence):
        app.finish()


def test_the_exception_of_a_failed_work_is_raised_once() -> None:
    app, error = AppTest(Training), ValueError("no data")
    app.works["train"].fail(error)

    with pytest.raises(ValueError, match="no data") as caught:
        app.settle()
    app.settle()

    assert caught.value is error and app.exit_code == 1


def test_a_failure_that_the_flow_may_handle_is_not_raised() -> None:
    app = AppTest(Training(raise_exception=False))

    app.works["train"].fail(ValueError)
    app.settle()

    assert app.exit_code is None and app.root.train.has_failed
    assert "ValueError" in app.output


def test_what_the_flow_raises_is_raised() -> None:
    class Broken(L.LightningFlow):
        def run(self) -> None:
            raise ZeroDivisionError("in the flow")

    app = AppTest(Broken)

    with pytest.raises(ZeroDivisionError, match="in the flow"):
        app.settle()
    assert app.exit_code == 1


def test_flow_fail_ends_the_app_with_1_and_raises_nothing() -> None:
    class Failing(L.LightningFlow):
        def run(self) -> None:
            self.fail("no luck")

    app = AppTest(Failing)

    assert app.finish() == 1
    assert "no luck" in app.output


def test_a_dead_process_is_told_as_it_is() -> None:
    app = AppTest(Training)
    app.works["train"].die()

    with pytest.raises(WorkFailed, match=r"root\.train failed.*SIGKILL"):
        app.settle()


def test_several_things_before_settle_are_one_turn_of_the_flow() -> None:
    app = AppTest(Two)
    app.settle()
    before = app.root._runs

    app.works["a"].finish()
    app.works["b"].finish()
    app.settle()

    assert app.root._runs == before + 1 and app.exit_code == 0


def test_turn_takes_one_turn() -> None:
    class Counting(L.LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.n = 0

        def run(self) -> None:
            self.n += 1

    app = AppTest(Counting)

    app.turn().turn()

    assert app.root.n == 2
    with pytest.raises(AppNeverRests, match="What it said last: nothing"):
        app.settle(limit=50)


def test_an_app_that_never_rests_names_what_changes() -> None:
    class Counting(L.LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.n = 0

        def run(self) -> None:
            self.n += 1

    with pytest.raises(AppNeverRests, match=r"root\.n at test_app_test\.py"):
        AppTest(Counting).settle(limit=300)


def test_the_state_is_plain_and_in_the_shape_of_state_vars() -> None:
    app = AppTest(Training).settle()
    app.works["train"].say(losses={"a": [1]})
    app.settle()

    state = app.state

    assert state == app.root._lit_shape("state_vars") | {"app_state": {"stage": "running"}}
    assert state["works"]["train"]["vars"]["losses"] == {"a": [1]}
    assert types_in(state) <= {dict, list, str, int, float, bool, type(None), tuple}


def types_in(value: Any) -> set[type]:
    found = {type(value)}
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
        found |= types_in(item)
    return found


def test_the_state_is_a_copy() -> None:
    app = AppTest(Training).settle()

    before = app.state
    app.works["train"].inside.losses["x"] = 1
    app.settle()

    assert before["works"]["train"]["vars"]["losses"] == {} and app.root.train.losses == {"x": 1}


def test_calls_tell_arguments_stage_value_and_attempts() -> None:
    app = AppTest(Two(retries=1, backoff=0.0))
    app.works["b"].fail(ValueError)
    app.works["b"].finish([1, 2])
    app.settle()

    a, b = app.calls

    assert (a.work, a.args, a.kwargs, a.stage, a.value, a.attempts) == ("root.a", (1.0,), {}, "running", None, 1)
    assert (b.stage, b.value, b.attempts) == ("succeeded", [1, 2], 2)
    assert str(b) == "root.b.run(2.0): succeeded"
    assert app.works["b"].calls == [b] and app.works["b"].call == b


def test_a_call_that_is_made_again_is_told_twice() -> None:
    class Again(L.LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.w = Train(cache_calls=False, parallel=True)
            self.n = 0

        def run(self) -> None:
            if self.w.num_successes == self.n < 2:
                self.n += 1
                self.w.run(1.0)

    app = AppTest(Again)
    app.works["w"].finish("first")
    app.works["w"].finish("second")
    app.settle()

    assert [(call.value, call.stage) for call in app.calls] == [("first", "succeeded"), ("second", "succeeded")]


def test_why_tells_the_story_of_a_call() -> None:
    app = AppTest(Training(retries=1, backoff=5.0)).settle()
    app.works["train"].fail(ValueError("no data"))
    app.settle()

    told = app.why("train").splitlines()

    assert told[0].startswith("root.train, call 1, run(lr=0.5): waits for its next attempt, in ")
    assert any("The flow asked for run(lr=0.5) for the first time." in line for line in told)
    assert any("The attempt failed: ValueError: no data." in line for line in told)
    with pytest.raises(KitError, match=r"root\.train has no call 7; it has 1"):
        app.why("train", 7)


def test_the_output_holds_what_everybody_prints_and_it_is_printed_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    app = AppTest(Training, inline=True)

    app.finish()

    assert app.output == "on_start ran\ntrained with 0.5\nThe loss is 0.25.\non_exit ran\n"
    printed = capsys.readouterr()
    assert printed.out == "on_start ran\ntrained with 0.5\non_exit ran\n" and printed.err == "The loss is 0.25.\n"


def test_a_method_of_a_flow_is_called_as_a_route_would() -> None:
    app = AppTest(Training).settle()

    assert app.ask("root.add_user", "ada") == 1
    assert app.ask("add_user", "bob", admin=True) == 2
    assert app.root.users == [["ada", False], ["bob", True]]


def test_a_method_that_raises_leaves_nothing_and_raises_here() -> None:
    app = AppTest(Training).settle()

    with pytest.raises(ValueError, match="a user has a name"):
        app.ask("add_user", "")

    assert app.exit_code is None and app.root.users == []


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("root.add_usr", r"root has no method 'add_usr': did you mean 'add_user'\?"),
        ("rot.add_user", r"no component 'rot'"),
        ("train.rnu", r"root\.train has no method 'rnu': did you mean 'run'\?"),
    ],
)
def test_a_method_that_is_not_there_is_named_with_the_nearest(path: str, sentence: str) -> None:
    with pytest.raises(KitError, match=sentence):
        AppTest(Training).ask(path)


def test_asking_an_app_that_has_ended_says_so() -> None:
    app = AppTest(Training)
    app.works["train"].finish(1)
    app.finish()

    with pytest.raises(KitError, match="has ended"):
        app.ask("add_user", "ada")


def test_works_are_stopped_when_the_app_has_ended() -> None:
    app = AppTest(Two)
    app.works["a"].finish()
    app.works["b"].finish()

    app.finish()

    assert [work.stage for work in app.works.values()] == ["stopped", "stopped"]


def test_a_work_as_root_ends_the_app_when_it_is_done() -> None:
    class Alone(L.LightningWork):
        def run(self) -> None:
            """Done."""

    assert AppTest(Alone, inline=True).finish() == 0


def test_leaving_the_context_lets_inline_works_say_goodbye() -> None:
    with AppTest(Two, inline=["a"]) as app:
        app.settle()

    assert app.output.count("on_exit ran") == 1


def test_the_hook_of_an_app_is_called_before_its_first_turn() -> None:
    class Mine(L.LightningApp):
        connected = 0

        def connect(self, runtime: object) -> None:
            self.connected += 1

    mine = Mine(Training())

    AppTest(mine).settle()

    assert mine.connected == 1


def test_two_apps_do_not_disturb_each_other() -> None:
    first, second = AppTest(Training), AppTest(Training)

    first.works["train"].say(loss=0.3)
    second.works["train"].finish(1)

    assert second.finish() == 0
    assert first.settle().root.history == [1.0, 0.3] and first.exit_code is None


def test_it_shows_itself() -> None:
    assert (
        repr(AppTest(Training).settle()) == "<AppTest Training: runs, 2026-01-01 00:00:00, works {root.train: running}>"
    )


@pytest.mark.parametrize(
    ("duration", "said"),
    [({"hour": 1}, "no 'hour': did you mean 'hours'"), ({"hours": -1}, "-3600 seconds"), ({}, "nothing was given")],
)
def test_a_duration_that_is_none_is_refused_in_a_sentence(duration: dict[str, float], said: str) -> None:
    with AppTest(Training) as app, pytest.raises(KitError, match=said):
        app.advance(**duration)


def test_a_work_fails_with_an_exception_and_nothing_else() -> None:
    with AppTest(Training) as app, pytest.raises(KitError, match="not with 'no data'"):
        app.settle()
        app.works["train"].fail("no data")  # type: ignore[arg-type]
