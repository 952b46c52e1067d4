"""Works whose code is run for real, in the test's own thread."""

from __future__ import annotations

from typing import Any

import lightning as L
import pytest
from lightning.testing import AppTest, WorkFailed

from lightning_apps.base.errors import KitError
from testing.apps import Train, Training, Two


def test_an_app_runs_for_real_from_beginning_to_end() -> None:
    app = AppTest(Training, inline=True)

    assert app.finish() == 0
    assert (app.root.result, app.root.history, app.root.train.seen) == (5.0, [1.0, 0.25], [0.5])


def test_some_works_run_and_others_are_played() -> None:
    app = AppTest(Two, inline=["root.a"]).settle()

    assert [work.stage for work in app.works.values()] == ["succeeded", "running"]
    app.works["b"].finish(1)
    assert app.finish() == 0


def test_a_name_that_is_no_works_is_refused_at_once_where_one_is_near_and_else_in_the_end() -> None:
    with pytest.raises(KitError, match=r"inline: the app has no work 'trian': did you mean 'root\.train'\?"):
        AppTest(Training, inline=["trian"]).settle()

    app = AppTest(Training, inline=["report", "train"])
    with pytest.raises(KitError, match=r"inline: the app has no work 'report'; it has root\.train\."):
        app.finish()


def test_works_that_are_run_for_real_may_be_made_later() -> None:
    class Later(Training):
        train_2: Any = None

        def run(self) -> None:
            if self.train.run(lr=0.5) and self.train_2 is None:
                self.train_2 = Train()
            if self.train_2 is not None and self.train_2.run(lr=1.0):
                self.stop()

    app = AppTest(Later, inline=["train_2", "tr*n_2"]).settle()
    app.works["train"].finish(5.0)

    assert app.finish() == 0


def test_a_work_that_was_played_so_far_is_run_for_real() -> None:
    app = AppTest(Training)
    app.works["train"].say(loss=0.6)

    app.works["train"].run()

    assert app.finish() == 0 and app.root.result == 5.0


def test_the_exception_of_an_inline_work_is_raised_with_its_own_traceback() -> None:
    class Failing(L.LightningWork):
        def run(self) -> None:
            raise ValueError("for real")

    app = AppTest(Failing, inline=True)

    with pytest.raises(ValueError, match="for real") as caught:
        app.settle()
    assert caught.traceback[-1].name == "run" and app.exit_code == 1


def test_the_exception_of_on_start_is_raised() -> None:
    class Failing(L.LightningWork):
        def on_start(self) -> None:
            raise OSError("no disk")

        def run(self) -> None:
            """Never."""

    with pytest.raises(OSError, match="no disk"):
        AppTest(Failing, inline=True).settle()


def test_the_second_try_of_an_inline_work_succeeds_after_its_pause() -> None:
    class Flaky(L.LightningWork):
        def __init__(self) -> None:
            super().__init__(retries=1, backoff=30.0)

        def run(self) -> None:
            if self.attempt == 1:
                raise ConnectionError("later")

    app = AppTest(Flaky, inline=True)
    app.settle()
    assert app.exit_code is None

    assert app.finish() == 0 and app.now.minute + app.now.second > 0


class Progress(L.LightningWork):
    """Counts until it is told to end, or for ever."""

    def __init__(self) -> None:
        super().__init__(parallel=True)
        self.n = 0
        self.last = 1_000_000
        self.cleaned = False

    def run(self) -> int:
        try:
            while self.n < self.last:
                self.n += 1
        finally:
            print("cleaned up")
        return self.n


def test_the_flow_sees_every_change_while_an_inline_work_goes_on_and_is_seen() -> None:
    class Watching(L.LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.w = Progress()
            self.seen: Any = []

        def run(self) -> None:
            value = self.w.run()
            self.seen.append(self.w.n) if self.w.n not in self.seen else None
            if self.w.n == 3:
                self.w.last = 5
            if value:
                self.stop(f"{value}")

    app = AppTest(Watching, inline=True)

    assert app.finish() == 0
    assert app.root.seen == [0, 1, 2, 3, 4, 5] and app.root.w.n == 5


def test_an_inline_work_that_never_ends_is_stopped_by_its_flow() -> None:
    class Stopping(L.LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.w = Progress()

        def run(self) -> None:
            self.w.run()
            if self.w.n >= 10:
                self.w.stop()

    app = AppTest(Stopping, inline=True).settle()

    assert app.works["w"].stage == "stopped" and app.root.w.n == 10
    assert app.output.count("cleaned up") == 1


def test_an_inline_work_ends_with_its_app() -> None:
    class Ending(L.LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.w = Progress()

        def run(self) -> None:
            self.w.run()
            if self.w.n >= 7:
                self.stop("enough")

    app = AppTest(Ending, inline=True)

    assert app.finish() == 0 and app.root.w.n == 7
    assert app.output == "enough\ncleaned up\n"


def test_a_work_that_calls_sys_exit_has_failed() -> None:
    class Exiting(L.LightningWork):
        def run(self) -> None:
            raise SystemExit(3)

    with pytest.raises(WorkFailed, match=r"SystemExit: 3"):
        AppTest(Exiting, inline=True).settle()
