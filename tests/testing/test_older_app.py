"""The older framework's test helpers, used as the tests of public apps use them."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import pytest
from click.testing import CliRunner
from lightning.app.cli.lightning_cli import run_app
from lightning.app.runners import MultiProcessRuntime
from lightning.app.testing import EmptyFlow, EmptyWork, run_work_isolated
from lightning.app.testing.testing import LightningTestApp, application_testing
from lightning.app.utilities.enum import AppStage

from lightning_apps.base.errors import WorkFailed, WrongPlace

APP = """
import lightning as L

class Work(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.n = 0
    def run(self, n):
        self.n = n

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.work = Work()
        self.turns = 0
    def run(self):
        if not self.turns:
            print("hello from the flow")
            self.turns = 1
        self.work.run(3)

app = L.LightningApp(Root())
"""
OPTIONS = ["--blocking", "False", "--open-ui", "False"]


@pytest.fixture
def app_file(tmp_path: Path) -> str:
    path = tmp_path / "app.py"
    path.write_text(APP)
    return str(path)


class UntilSucceeded(LightningTestApp):
    seen: Any = None

    def on_before_run_once(self) -> Any:
        if self.works and all(work.has_succeeded for work in self.works):
            UntilSucceeded.seen = self.root.work.n, self.counter, self.stage
            return True
        return super().on_before_run_once()


def test_a_test_app_looks_on_between_turns_and_ends_the_app(app_file: str) -> None:
    result = application_testing(UntilSucceeded, [app_file, *OPTIONS])

    n, turns, stage = UntilSucceeded.seen
    assert (result.exit_code, n, stage) == (0, 3, AppStage.RUNNING)
    assert turns > 0


def test_the_whole_output_of_the_first_loop_is_the_flows(app_file: str) -> None:
    class FirstLoop(LightningTestApp):
        def run_once(self) -> bool:
            said = io.StringIO()
            with redirect_stdout(said):
                super().run_once()
            assert said.getvalue() == "hello from the flow\n"
            return True

    assert application_testing(FirstLoop, [app_file, *OPTIONS]).exit_code == 0


def test_what_the_flow_prints_is_in_the_result(app_file: str) -> None:
    class Once(LightningTestApp):
        def on_after_run_once(self) -> Any:
            return True

    result = application_testing(Once, [app_file, *OPTIONS])

    assert str(result.stdout_bytes) == "b'hello from the flow\\n'"


def test_an_assertion_in_a_hook_fails_the_test(app_file: str) -> None:
    class Fails(LightningTestApp):
        def on_after_run_once(self) -> Any:
            raise AssertionError("as the test says")

    with pytest.raises(AssertionError, match="as the test says"):
        application_testing(Fails, [app_file, *OPTIONS])


def test_an_override_may_return_a_tuple_and_set_the_stage(app_file: str) -> None:
    class Older(LightningTestApp):
        def run_once(self) -> Any:
            if self.root.turns:
                self.stage = AppStage.STOPPING
                return True, 0.0
            return super().run_once(), 0.0

    assert application_testing(Older, [app_file, *OPTIONS]).exit_code == 0


def test_setting_the_stage_alone_ends_the_app_as_well(app_file: str) -> None:
    class Stops(LightningTestApp):
        def on_after_run_once(self) -> Any:
            self.stage = AppStage.STOPPING

    assert application_testing(Stops, [app_file, *OPTIONS]).exit_code == 0


def test_the_class_may_be_anything_that_makes_an_app(app_file: str) -> None:
    made: list[Any] = []

    def make(root: Any, **options: Any) -> Any:
        made.append(UntilSucceeded(root, **options))
        return made[-1]

    result = application_testing(partial(make, log_level="debug"), [app_file, *OPTIONS])  # type: ignore[arg-type]

    assert result.exit_code == 0
    assert made[0].log_level == "debug"


def test_afterwards_everything_is_as_it_was(app_file: str, tmp_path: Path) -> None:
    before = sys.argv, sys.modules["__main__"], list(sys.path), L.LightningApp, L.app.LightningApp

    application_testing(UntilSucceeded, [app_file, *OPTIONS, "--env", "OF_THE_APP=1"])

    assert before == (sys.argv, sys.modules["__main__"], list(sys.path), L.LightningApp, L.app.LightningApp)
    assert "OF_THE_APP" not in os.environ
    assert os.listdir(tmp_path) == ["app.py"]


def test_variables_of_the_command_line_are_there_when_the_file_is_executed(tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text(f"import os\nassert os.environ['OF_THE_APP'] == '1'\n{APP}")

    assert application_testing(UntilSucceeded, [str(path), *OPTIONS, "--env", "OF_THE_APP=1"]).exit_code == 0


def test_a_flow_that_fails_ends_with_exit_code_1(tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text(APP.replace('print("hello from the flow")', "1 / 0"))

    assert application_testing(LightningTestApp, [str(path), *OPTIONS]).exit_code == 1


def test_the_command_can_be_invoked_with_clicks_runner_as_well(tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text(
        APP.replace("self.work.run(3)", "self.work.run(3)\n        if self.work.has_succeeded: self.stop()")
    )

    result = CliRunner().invoke(run_app, [str(path), *OPTIONS], catch_exceptions=False)

    assert result.exit_code == 0
    assert b"hello from the flow" in result.stdout_bytes


class Counts(L.LightningWork):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.counter = 0
        self.pid = 0

    def run(self, by: int = 1, fails: bool = False) -> None:
        self.counter += by
        self.pid = os.getpid()
        if fails:
            raise ValueError("as asked")


def test_a_runtime_leaves_the_flows_side_to_be_looked_at() -> None:
    class Look(LightningTestApp):
        def on_before_run_once(self) -> Any:
            return True if self.root.work.has_succeeded else None

    app = Look(Counts())

    MultiProcessRuntime(app, start_server=False).dispatch()

    assert app.root.work.counter == 1
    assert app.root.work.has_stopped


def test_a_work_can_be_run_alone_in_a_process_of_its_own() -> None:
    work = Counts()

    run_work_isolated(work, 2)

    assert work.has_succeeded and not work.has_stopped
    assert work.counter == 2
    assert work.pid not in (0, os.getpid())
    assert work.state["vars"]["counter"] == 2


def test_afterwards_its_run_simply_runs() -> None:
    work = Counts()
    run_work_isolated(work)

    work.run(by=10)

    assert work.counter == 11
    assert work.pid == os.getpid()


def test_a_work_that_fails_alone_raises_what_it_failed_of() -> None:
    work = Counts()

    with pytest.raises(WorkFailed, match="ValueError: as asked"):
        run_work_isolated(work, fails=True)

    assert work.has_failed


def test_a_work_that_does_not_raise_is_looked_at_instead() -> None:
    work = Counts(raise_exception=False)

    run_work_isolated(work, fails=True)

    assert work.has_failed


class Waits(L.LightningWork):
    def __init__(self) -> None:
        super().__init__(parallel=True, raise_exception=False)
        self.begun = 0

    def run(self) -> None:
        self.begun = os.getpid()
        signal.pause()


class Holds(L.LightningFlow):
    def __init__(self) -> None:
        super().__init__()
        self.waits = Waits()

    def run(self) -> None:
        self.waits.run()


def test_a_work_can_be_killed_and_restarted() -> None:
    class Kills(LightningTestApp):
        pids: Any = ()

        def on_after_run_once(self) -> Any:
            work = self.root.waits
            if work.is_running and work.begun and work.begun not in self.pids:
                self.pids = (*self.pids, work.begun)
                if len(self.pids) == 2:
                    return True
                self.kill_work("root.waits")
            elif work.has_stopped:
                self.restart_work("root.waits")
            return None

    app = Kills(Holds())

    MultiProcessRuntime(app, start_server=False).dispatch()

    assert len(set(app.pids)) == 2


def test_a_request_is_made_as_a_page_would() -> None:
    class Page(L.LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.clicks, self.seen, self.things = 0, 0, [1]
            self.work = EmptyWork()
            self.more = L.structures.List(Counts())

        def run(self) -> None:
            self.seen = self.clicks

    def click(state: Any, times: int, *, item: int) -> None:
        state.clicks += times
        state.things.append(item)
        state.more["0"].counter = 7

    class Clicks(LightningTestApp):
        def on_after_run_once(self) -> Any:
            if not self.root.seen:
                self.make_request(click, 3, item=2)
                return None
            return True

    app = Clicks(Page())
    MultiProcessRuntime(app, start_server=False).dispatch()

    assert app.root.seen >= 3
    assert app.root.things[:2] == [1, 2]
    assert app.root.more[0].counter == 7
    with pytest.raises(WrongPlace, match="while the app runs"):
        app.make_request(click, 3, item=2)


def test_only_works_of_a_running_app_can_be_killed() -> None:
    class Asks(LightningTestApp):
        said: Any = None

        def on_after_run_once(self) -> Any:
            with pytest.raises(WrongPlace, match=r"root.nobody .* works are root.work"):
                self.kill_work("root.nobody")
            with pytest.raises(WrongPlace, match=r"'root.nobody' .* works are root.work"):
                self.restart_work("root.nobody")
            self.said = True
            return True

    app = Asks(EmptyWork())
    MultiProcessRuntime(app, start_server=False).dispatch()

    assert app.said
    with pytest.raises(WrongPlace, match="while the app runs"):
        app.kill_work("root.work")


def test_run_once_is_for_whoever_runs_the_app() -> None:
    with pytest.raises(WrongPlace, match=r"app\.run\(\)"):
        L.LightningApp(EmptyFlow()).run_once()


def test_where_threads_run_a_work_starts_in_a_fresh_interpreter_that_does_not_run_the_tests_again() -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    work = Counts()
    try:
        run_work_isolated(work, 2)
    finally:
        over.set()
        thread.join()

    assert work.counter == 2
