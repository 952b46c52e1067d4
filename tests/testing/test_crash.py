"""The host of an app in a test dies, and is resumed from its records."""

from __future__ import annotations

import lightning as L
import pytest
from lightning.testing import AppTest

from lightning_apps.base.errors import KitError
from testing.apps import Nightly, Train, Training


def test_works_live_on_and_what_they_say_meanwhile_is_heard_by_the_next_host() -> None:
    app = AppTest(Training).settle()
    app.works["train"].say(loss=0.3)

    app.crash()
    app.works["train"].finish(7)

    assert app.finish() == 0
    assert (app.root.history, app.root.result, app.calls[0].attempts) == ([1.0, 0.3], 7, 1)


def test_what_was_not_recorded_is_lost_and_what_was_is_not() -> None:
    app = AppTest(Training).settle()
    app.ask("add_user", "ada")

    app.crash()

    assert app.root.users == [["ada", False]]


def test_works_that_die_with_the_host_are_started_again() -> None:
    app = AppTest(Training).settle()
    app.works["train"].say(loss=0.3)
    app.settle()

    app.crash(works=True).settle()

    assert app.works["train"].stage == "running" and app.root.train.loss == 1.0
    app.works["train"].finish(7)
    assert app.finish() == 0 and app.calls[0].attempts == 2


def test_a_work_may_die_while_there_is_no_host() -> None:
    app = AppTest(lambda: Training(retries=1, backoff=0.0)).settle()
    app.works["train"].die()

    app.crash().settle()

    assert app.calls[0].attempts == 2


def test_time_that_passed_without_a_host_makes_one_due_time_of_many() -> None:
    app = AppTest(Nightly).settle()

    app.clock.advance(10 * 86400.0)
    app.crash().settle()

    assert app.root.nights == 2


def test_components_made_at_run_time_are_there_after_a_crash() -> None:
    class Making(L.LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.made = L.structures.List()

        def run(self) -> None:
            if len(self.made) < 2:
                self.made.append(Train(parallel=True))
            for work in self.made:
                work.run(1.0)

    app = AppTest(Making).settle()

    app.crash().settle()

    assert list(app.works) == ["root.made.0", "root.made.1"]
    assert [work.stage for work in app.works.values()] == ["running", "running"]


def test_an_app_given_as_an_object_cannot_be_resumed_and_the_sentence_says_what_to_give() -> None:
    app = AppTest(Training()).settle()

    with pytest.raises(KitError, match=r"`AppTest\(Training\)`"):
        app.crash()


def test_a_host_may_be_resumed_from_a_snapshot_and_the_records_after_it() -> None:
    app = AppTest(Training, _snapshots=2).settle()
    app.ask("add_user", "ada")
    kept, after = app.stage.journal.load()
    assert kept is not None and len(after) < len(app.stage.journal.data)

    app.crash()
    app.works["train"].finish(7)

    assert app.finish() == 0 and app.root.users == [["ada", False]]


def test_a_request_may_end_the_app() -> None:
    app = AppTest(Ending).settle()

    assert app.ask("end") is None

    assert app.exit_code == 0 and app.works["train"].stage == "stopped"


class Ending(Training):
    def end(self) -> None:
        self.stop()
