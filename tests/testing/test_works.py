"""Works that a test plays: what their processes do, and what the coordinator makes of it."""

from __future__ import annotations

import signal

import lightning as L
import pytest
from lightning.testing import AppTest

from lightning_apps.base.errors import CannotKeep, KitError, WorkFailed
from testing.apps import Train, Training, Two


def test_works_are_found_by_name_with_and_without_what_is_before_it() -> None:
    class Outer(L.LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Training()
            self.train = Train(parallel=True)

        def run(self) -> None:
            self.inner.run()

    app = AppTest(Outer)

    assert sorted(app.works) == ["root.inner.train", "root.train"] and len(app.works) == 2
    assert [app.works[n].name for n in ("train", "inner.train", "root.inner.train")] == [
        "root.train",
        "root.inner.train",
        "root.inner.train",
    ]


def test_a_name_that_is_not_there_or_not_one_is_named_with_the_nearest() -> None:
    class Groups(L.LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = Training(), Training()

        def run(self) -> None:
            """Nothing."""

    with pytest.raises(KitError, match=r"no work 'trian': did you mean 'root\.train'\?"):
        AppTest(Training).works["trian"]
    with pytest.raises(KitError, match=r"more than one work 'train': root\.a\.train, root\.b\.train"):
        AppTest(Groups).works["train"]


def test_an_attribute_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(KitError, match=r"root\.train has no attribute 'los': did you mean 'loss'\?"):
        AppTest(Training).works["train"].finish(los=0.1)


def test_a_work_that_nobody_asked_to_run_has_nothing_to_finish() -> None:
    class Idle(L.LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.train = Train(parallel=True)

        def run(self) -> None:
            """Asks for nothing."""

    with pytest.raises(KitError, match=r"root\.train has no call under way: root\.train was never asked to run"):
        AppTest(Idle).works["train"].finish()


def test_a_call_that_is_over_cannot_be_finished_again() -> None:
    app = AppTest(Two)
    app.works["a"].finish()

    with pytest.raises(KitError, match=r"root\.a has no call under way: root\.a, call 1, run\(1\.0\): succeeded"):
        app.works["a"].finish()


def test_calls_that_wait_in_line_are_finished_one_after_the_other() -> None:
    class Queue(L.LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.w = Train(parallel=True)

        def run(self) -> None:
            for number in range(3):
                self.w.run(float(number))

    app = AppTest(Queue)

    for value in ("a", "b", "c"):
        app.works["w"].finish(value)
    app.settle()

    assert [call.value for call in app.calls] == ["a", "b", "c"]


def test_what_a_work_does_inside_its_state_is_seen() -> None:
    app = AppTest(Training).settle()

    app.works["train"].inside.losses["1"] = 0.5
    app.works["train"].inside.seen.append(1)
    app.settle()

    assert app.root.train.losses == {"1": 0.5} and app.root.train.seen == [1]


def test_what_the_flow_writes_is_read_inside() -> None:
    class Steering(L.LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.train = Train(parallel=True)

        def run(self) -> None:
            self.train.run(0.1)
            if self.train.loss < 0.5:
                self.train.seen = ["stop it"]

    app = AppTest(Steering)
    app.works["train"].say(loss=0.4)
    app.settle()

    assert app.works["train"].inside.seen == ["stop it"]


def test_values_that_cannot_be_kept_are_refused_as_in_a_real_work() -> None:
    app = AppTest(Training)

    with pytest.raises(CannotKeep, match="JSON-serializable"):
        app.works["train"].say(loss=object())


def test_a_result_that_cannot_be_kept_fails_the_call() -> None:
    app = AppTest(Training)
    app.works["train"].finish(object())

    with pytest.raises(WorkFailed, match=r"returned a builtins\.object, which cannot be kept"):
        app.settle()


def test_no_code_of_a_played_work_is_run() -> None:
    app = AppTest(Training)
    app.works["train"].finish(1)
    app.finish()

    assert app.output == "The loss is 1.0.\n"


def test_a_failed_call_is_made_again_after_its_pause_as_often_as_retries_allow() -> None:
    app = AppTest(Training(retries=1, backoff=10.0)).settle()
    app.works["train"].fail(ValueError("first"), loss=0.9)
    app.settle()
    assert app.works["train"].stage == "pending" and app.root.train.loss == 0.9

    app.advance(seconds=60)
    assert app.works["train"].stage == "running" and app.root.train.loss == 1.0  # as its call began

    app.works["train"].fail(KeyError("second"))
    with pytest.raises(KeyError, match="second"):
        app.settle()


def test_an_attempt_that_takes_too_long_is_cut_short_although_its_process_hangs() -> None:
    app = AppTest(Training(timeout=60.0, retries=1, backoff=0.0)).settle()
    app.works["train"].stall()

    app.advance(seconds=59)
    assert app.works["train"].call.attempts == 1  # type: ignore[union-attr]
    app.advance(seconds=2)

    assert app.works["train"].call.attempts == 2  # type: ignore[union-attr]
    assert "took longer than the 60 s" in app.output
    app.works["train"].finish(1)
    assert app.finish() == 0


def test_a_work_that_takes_too_long_for_the_last_time_says_so_in_its_exception() -> None:
    app = AppTest(Training(timeout=60.0)).settle()

    with pytest.raises(WorkFailed, match="took longer than the 60 s"):
        app.advance(hours=1)


def test_a_work_that_hung_goes_on() -> None:
    app = AppTest(Training).settle()
    app.works["train"].stall()

    with pytest.raises(KitError, match=r"root\.train hangs since `stall\(\)`"):
        app.works["train"].say(loss=0.3)
    app.works["train"].go_on()
    app.works["train"].finish(1)

    assert app.finish() == 0


def test_a_checkpoint_is_there_at_the_next_attempt() -> None:
    app = AppTest(Training(retries=1, backoff=0.0))

    app.works["train"].checkpoint(epoch=3)
    app.works["train"].die()
    app.settle()

    assert app.works["train"].inside.last_checkpoint == {"epoch": 3}


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (lambda work: work.die(), r"was ended by SIGKILL \(9\)"),
        (lambda work: work.die("SEGV"), r"was ended by SIGSEGV \(11\)"),
        (lambda work: work.die(signal.SIGABRT), r"was ended by SIGABRT \(6\)"),
        (lambda work: work.exit(3), r"ended with exit code 3"),
    ],
)
def test_a_process_that_ends_has_failed_and_says_how(how: object, reason: str) -> None:
    app = AppTest(Training)
    how(app.works["train"])  # type: ignore[operator]

    with pytest.raises(WorkFailed, match=reason):
        app.settle()


def test_a_signal_that_is_none_is_named_with_the_nearest() -> None:
    with pytest.raises(KitError, match=r"no signal 'SIGKIL': did you mean 'SIGKILL'\?"):
        AppTest(Training).works["train"].die("SIGKIL")


def test_a_work_that_gets_sigterm_says_its_last_words_and_is_stopped() -> None:
    app = AppTest(Training).settle()

    app.works["train"].die("SIGTERM")
    app.settle()

    assert app.works["train"].stage == "stopped" and app.exit_code is None


def test_an_interruptible_work_that_gets_sigterm_is_made_again_elsewhere() -> None:
    app = AppTest(Training(cloud_compute=L.CloudCompute(interruptible=True))).settle()

    app.works["train"].die("SIGTERM")
    app.works["train"].finish(5)

    assert app.finish() == 0 and app.calls[0].attempts == 2


def test_a_work_that_is_lost_with_its_machine_is_sent_again_without_a_retry() -> None:
    app = AppTest(Training)

    app.works["train"].lose()
    app.works["train"].finish(5)

    assert app.finish() == 0 and app.calls[0].attempts == 2


def test_a_work_waits_for_its_place_until_it_is_released() -> None:
    app = AppTest(Training(start_with_flow=False))
    app.works["train"].hold("no GPU is free")
    app.settle()
    assert app.works["train"].status.reason == "no GPU is free"
    assert "waits for a place: no GPU is free" in app.why("train")

    app.works["train"].release()
    app.works["train"].finish(1)

    assert app.finish() == 0


def test_a_work_that_can_never_be_placed_fails() -> None:
    app = AppTest(Training(start_with_flow=False))
    app.works["train"].refuse("this machine has no GPU")

    with pytest.raises(WorkFailed, match="this machine has no GPU"):
        app.settle()


def test_a_work_that_the_flow_stops_is_stopped_at_once_and_its_words_count_no_more() -> None:
    class Impatient(L.LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.train = Train(parallel=True)

        def run(self) -> None:
            self.train.run(0.1)
            if self.train.loss < 0.5:
                self.train.stop()

    app = AppTest(Impatient)
    app.works["train"].say(loss=0.4)
    app.settle()

    assert app.works["train"].stage == "stopped" and not app.works["train"].is_running
    with pytest.raises(KitError, match=r"no call under way: .* was stopped, because the flow stopped it"):
        app.works["train"].finish()


class Unpicklable(L.LightningWork):
    def __init__(self) -> None:
        super().__init__(parallel=True)
        self._lock = (each for each in ())

    def run(self) -> str:
        return "done"


def test_a_work_that_does_not_pickle_is_made_from_the_flows_own() -> None:
    class Holding(L.LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.w = Unpicklable()

        def run(self) -> None:
            if self.w.run():
                self.stop()

    assert AppTest(Holding, inline=True).finish() == 0


def test_a_work_made_at_run_time_that_does_not_pickle_fails_as_it_would_in_a_real_run() -> None:
    class Making(L.LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.w = None

        def run(self) -> None:
            if self.w is None:
                self.w = Unpicklable()
            self.w.run()

    with pytest.raises(WorkFailed, match=r"made while the app runs, so it has to be pickled.*'_lock'"):
        AppTest(Making).settle()
