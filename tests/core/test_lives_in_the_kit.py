"""What flows read of their works through failures, limits, waits and crashes: statuses with reasons and times, counts, ports."""

from __future__ import annotations

from typing import Any

import lightning as L
import pytest
from lightning.testing import AppTest

from lightning_apps.base import messages as m
from lightning_apps.base.errors import WorkFailed
from lightning_apps.model.retry import Backoff


class Work(L.LightningWork):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{"parallel": True, "raise_exception": False, **options})
        self.x = 0

    def run(self, n: int = 0) -> Any: ...


class Root(L.LightningFlow):
    def __init__(self, call: Any = None, **options: Any) -> None:
        super().__init__()
        self.w = Work(**options)
        self._call = call or (lambda work: work.run(0))
        self.n = 0

    def run(self) -> None:
        self._call(self.w)

    def do(self, what: str) -> None:
        getattr(self.w, what)()

    def fresh(self) -> None:
        self.w = Work()


def app_of(call: Any = None, **options: Any) -> AppTest:
    return AppTest(lambda: Root(call, **options)).settle()


def statuses(app: AppTest) -> list[Any]:
    begin = 1767225600.0
    return [(s.stage, s.timestamp - begin, s.reason, s.message, s.count) for s in app.root.w.statuses]


def test_a_failed_attempt_is_between_its_running_and_the_wait_for_the_next() -> None:
    app = app_of(retries=2, backoff=10)
    app.works["w"].fail(ValueError("boom"))
    app.settle()

    assert [(stage, at, reason) for stage, at, reason, *_ in statuses(app)] == [
        ("pending", 0.0, None),
        ("running", 0.0, None),
        ("failed", 0.0, "user_exception"),
        ("pending", 0.0, "retry in 10 s"),
    ]
    assert statuses(app)[2][3] == "ValueError: boom\n"
    app.advance(seconds=10)
    assert statuses(app)[-1][:2] == ("running", 10.0)


def test_pauses_between_attempts_differ_by_work_and_call_and_are_the_same_again() -> None:
    def reasons() -> list[Any]:
        app = AppTest(lambda: Root(lambda work: work.run(0), retries=5, backoff=Backoff(10, 2, 100, 0.5))).settle()
        for _ in range(3):
            app.works["w"].fail(ValueError("boom"))
            app.advance(seconds=200)
        return [reason for stage, _, reason, *_ in statuses(app) if stage == "pending" and reason]

    first = reasons()
    assert len(set(first)) == 3
    assert first == reasons()


def test_time_limits_are_counted() -> None:
    app = app_of(retries=2, backoff=10, timeout=60)
    for _ in range(2):
        app.works["w"].stall()
        app.advance(seconds=70)

    assert app.root.w.num_timeouts == 2
    assert [(reason, count) for stage, _, reason, _, count in statuses(app) if stage == "failed"] == [
        ("timeout", 1),
        ("timeout", 2),
    ]
    app.works["w"].stall()
    app.advance(seconds=70)
    assert app.root.w.has_timeout
    assert statuses(app)[-1][2:] == ("timeout", "root.w took longer than the 60 s it may take.", 3)


def test_the_limit_is_that_of_the_attempt_not_of_the_call() -> None:
    app = app_of(retries=1, backoff=10, timeout=60)
    app.advance(seconds=40)
    app.works["w"].fail(ValueError("boom"))
    app.advance(seconds=50)
    assert app.works["w"].is_running
    app.advance(seconds=30)
    assert app.root.w.has_timeout


def test_options_of_one_call_survive_a_crash() -> None:
    app = app_of(lambda work: work.run.options(retries=1, backoff=7, timeout=30)(0))
    app.crash()
    app.works["w"].stall()
    app.advance(seconds=30)
    assert statuses(app)[-1][:3] == ("pending", 30.0, "retry in 7 s")

    app.crash()
    app.advance(seconds=7)
    app.crash(works=True)
    app.works["w"].stall()
    app.advance(seconds=31)

    assert statuses(app)[-1][:3] == ("failed", 67.0, "timeout")


def test_a_power_cut_takes_the_limit_of_the_attempt_with_it() -> None:
    app = app_of(timeout=60)
    app.advance(seconds=50)
    app.crash(works=True)
    assert statuses(app)[-1][:2] == ("pending", 50.0)
    assert "resumed" in statuses(app)[-1][2]
    app.settle()
    app.advance(seconds=50)

    assert app.works["w"].is_running
    app.advance(seconds=15)
    assert app.root.w.has_timeout


def test_what_the_flow_reads_of_counts() -> None:
    app = app_of(retries=1, backoff=10)
    work = app.root.w
    assert (work.attempt, work.num_successes, work.num_timeouts, work.last_checkpoint) == (1, 0, 0, None)

    app.works["w"].checkpoint(epoch=3)
    app.works["w"].fail(ValueError("boom"))
    app.advance(seconds=10)
    assert (work.attempt, work.last_checkpoint) == (2, {"epoch": 3})

    app.works["w"].finish()
    app.settle()
    assert (work.num_successes, work.last_checkpoint) == (1, None)


def test_a_work_of_no_app_has_none() -> None:
    work = Work()

    assert (work.attempt, work.num_successes, work.num_timeouts, work.last_checkpoint) == (0, 0, 0, None)


def test_words_about_another_call_or_attempt_leave_no_checkpoint() -> None:
    app = app_of(retries=3, backoff=10)
    worker = app.stage.engine.latest["root.w"]
    app.works["w"].checkpoint(epoch=1)
    app.works["w"].fail(ValueError("boom"))
    app.advance(seconds=10)
    for ordinal, attempt in ((1, 1), (2, 2), (2, 1)):
        app.stage.host.coordinator.crew.checkpointed(
            app.stage.host.coordinator.crew.lives["root.w"], m.Checkpoint(ordinal, attempt, {"epoch": 9})
        )

    assert worker is not None
    assert app.root.w.last_checkpoint == {"epoch": 1}


def test_what_a_call_is_found_by_in_the_state() -> None:
    app = app_of()
    app.works["w"].finish([1, 2])
    app.settle()

    calls = app.root.w.state["calls"]
    (key,) = [name for name in calls if name != "latest_call_hash"]
    assert calls["latest_call_hash"] == key
    assert calls[key]["ret"] == [1, 2]
    assert [status["stage"] for status in calls[key]["statuses"]] == ["succeeded"]
    assert app_of().root.w.state["calls"].keys() == {"latest_call_hash", key}


def test_a_process_that_ends_before_it_is_ready_fails_its_work() -> None:
    app = AppTest(lambda: Root(lambda work: None, raise_exception=True))
    app.works["w"].hold()
    app.turn()
    place = app.stage.host.coordinator.crew.lives["root.w"].place
    app.stage.host.events.append(m.Exited(place, 3))
    with pytest.raises(WorkFailed, match=r"root\.w failed"):
        app.turn()

    (status,) = app.root.w.statuses[:1]
    assert (status.stage, status.reason) == ("failed", "died")
    assert status.timestamp == 1767225600.0
    assert "The process of root.w ended with exit code 3 before it could take a call." in status.message
    assert app.exit_code == 1


def test_an_idle_process_that_ends_is_told_and_fails_nothing() -> None:
    app = app_of(lambda work: None, raise_exception=True)

    app.works["w"].exit(3)
    app.settle()

    assert app.exit_code is None
    assert "The idle process of root.w ended with exit code 3; its next call starts another." in app.output


@pytest.mark.parametrize("raises", [True, False])
def test_what_can_never_be_placed_fails_all_that_waits(raises: bool) -> None:
    def both(work: Work) -> None:
        work.run(0)
        work.run(1)

    app = AppTest(lambda: Root(both, raise_exception=raises, start_with_flow=False))
    app.works["w"].refuse("there are no 9 GPUs")
    if raises:
        with pytest.raises(WorkFailed, match="there are no 9 GPUs"):
            app.settle()
    else:
        app.settle()

    assert [(call.stage, call.attempts) for call in app.calls] == [("failed", 0), ("failed", 0)]
    failed = next(status for status in app.root.w.statuses if status.stage == "failed")
    assert (failed.reason, failed.message) == ("refused", "there are no 9 GPUs")
    assert app.exit_code == (1 if raises else None)


def test_a_machine_lost_too_often_fails_the_call_with_that_reason() -> None:
    app = app_of()
    for count in range(1, 6):
        app.advance(seconds=1)
        app.works["w"].lose()
        app.turn()
        assert (f"lost with its machine ({count} of 5)", float(count)) in [(s[2], s[1]) for s in statuses(app)]
        app.settle()
    app.works["w"].lose()
    app.settle()

    assert (app.root.w.status.stage, app.root.w.status.reason) == ("failed", "lost")


def test_the_exit_code_of_a_process_is_kept_with_its_failure() -> None:
    app = app_of()
    app.works["w"].exit(7)
    app.settle()

    assert app.stage.host.coordinator.crew.lives["root.w"].calls.latest.failure.exit_code == 7  # type: ignore[union-attr]


@pytest.mark.parametrize("interruptible", [True, False])
def test_sigterm_from_outside_stops_a_call_or_moves_it(interruptible: bool) -> None:
    app = app_of(cloud_compute=L.CloudCompute(interruptible=interruptible))
    app.advance(seconds=5)
    app.works["w"].die("SIGTERM")
    app.settle()

    if interruptible:
        assert [s[0] for s in statuses(app)][-2:] == ["pending", "running"]
        assert statuses(app)[-2][1:3] == (5.0, "sigterm_signal_handler")
        assert "Its process got SIGTERM from outside; as it may be interrupted, the call is made again." in app.why("w")
    else:
        assert statuses(app)[-1][:3] == ("stopped", 5.0, "sigterm_signal_handler")
        assert "may be interrupted" not in app.why("w")


def test_who_waits_for_long_is_told_once_for_each_reason() -> None:
    app = app_of(start_with_flow=False)
    app.ask("root.do", "stop")
    app.works["w"].hold("w waits for 1 GPU")
    app.ask("root.do", "retry")
    app.settle()
    assert "waits for 1 GPU" not in app.output

    app.advance(seconds=2.9)
    assert "waits for 1 GPU" not in app.output
    app.advance(seconds=0.2)
    assert app.output.count("w waits for 1 GPU.") == 1
    app.advance(seconds=60)
    assert app.output.count("w waits for 1 GPU.") == 1


def test_a_port_is_the_same_after_a_crash() -> None:
    ports: list[int] = []
    app = app_of(lambda work: ports.append(work.port))
    app.crash(works=True)
    app.settle()
    app.crash()
    app.settle()

    assert len(ports) >= 3
    assert len(set(ports)) == 1 and ports[0] > 0


def test_a_deleted_work_stays_deleted_after_a_crash_and_its_name_is_free() -> None:
    app = app_of(start_with_flow=False)
    app.ask("root.do", "delete")
    app.settle()
    app.crash()
    app.settle()
    assert app.root.w.status.stage == "stopped"
    assert app.root.w.status.message == "deleted" or app.root.w._lit_deleted

    app.ask("root.fresh")
    app.settle()

    assert app.works["w"].is_running
    assert app.stage.host.coordinator.crew.lives["root.w"].placements == 2


def test_an_undone_handler_leaves_what_an_attempt_wrote_over() -> None:
    class Careful(Root):
        def over(self) -> None:
            self.w.x = 7
            raise ValueError("after all not")

        def stays(self) -> None:
            self.w.x = 8

    def made() -> Careful:
        return Careful(retries=1, backoff=10)

    app = AppTest(made).settle()
    app.works["w"].say(x=5)
    app.settle()
    with pytest.raises(ValueError, match="after all not"):
        app.ask("root.over")
    app.works["w"].fail(ValueError("boom"))
    app.advance(seconds=10)
    assert app.root.w.x == 0  # as it was before the attempt

    app.works["w"].say(x=5)
    app.settle()
    app.ask("root.stays")
    app.works["w"].die()
    app.settle()
    assert app.root.w.x == 8


def test_pauses_of_two_works_are_spread() -> None:
    class Two(L.LightningFlow):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = (Work(retries=1, backoff=Backoff(100, 1, 100, 0.5)) for _ in range(2))

        def run(self) -> None:
            self.a.run(0)
            self.b.run(0)

    app = AppTest(Two).settle()
    for name in ("a", "b"):
        app.works[name].fail(ValueError("boom"))
    app.settle()

    assert app.root.a.status.reason != app.root.b.status.reason


def test_what_a_worker_has_not_received_is_said_again_by_the_next_host() -> None:
    class Writes(Root):
        def write(self, x: int) -> None:
            self.w.x = x

    app = AppTest(Writes).settle()
    app.works["w"].stall()
    for x in (1, 2, 3):
        app.ask("root.write", x)
    app.crash()
    app.settle()
    app.works["w"].go_on()
    app.settle()

    assert app.works["w"].inside.x == 3
    assert app.root.w.x == 3
    app.works["w"].say(x=9)
    app.settle()
    assert app.root.w.x == 9


def test_only_the_call_that_is_next_says_what_its_work_waits_for() -> None:
    def both(work: Work) -> None:
        work.run(0)
        work.run(1)

    app = AppTest(lambda: Root(both, start_with_flow=False))
    app.works["w"].hold("w waits for 1 GPU")
    app.settle()

    first, second = app.stage.host.coordinator.crew.lives["root.w"].calls.by_key.values()
    assert first.statuses[-1].reason == "w waits for 1 GPU"
    assert second.statuses[-1].reason is None


def test_a_work_that_was_refused_is_placed_again_only_when_asked() -> None:
    app = AppTest(lambda: Root(lambda work: None, raise_exception=False, start_with_flow=False))
    app.works["w"].refuse("there are no 9 GPUs")
    app.ask("root.do", "start")
    app.settle()
    life = app.stage.host.coordinator.crew.lives["root.w"]
    assert (life.placements, app.root.w.status.stage) == (1, "failed")

    app.advance(hours=1)
    app.crash()
    app.settle()

    assert app.stage.host.coordinator.crew.lives["root.w"].placements == 1


@pytest.mark.parametrize("crashes", [False, True])
def test_an_idle_process_is_ended_when_its_time_is_over_and_comes_back_for_the_next_call(crashes: bool) -> None:
    app = AppTest(lambda: Root(lambda work: None, cloud_compute=L.CloudCompute(idle_timeout=60))).settle()
    life = app.stage.host.coordinator.crew.lives["root.w"]
    assert life.place
    app.advance(seconds=59)
    assert life.place
    app.advance(seconds=2)
    if crashes:
        app.crash()
        app.settle()

    life = app.stage.host.coordinator.crew.lives["root.w"]
    assert not life.place
    assert app.root.w.status.stage == "started"
    assert "idle process" not in app.output
    app.ask("root.do", "start")
    app.settle()
    assert life.place


def test_the_end_leaves_works_stopped_at_its_time_and_those_that_were_as_they_were() -> None:
    app = app_of()
    app.advance(seconds=7)
    app.ask("root.do", "stop")
    app.settle()
    app.advance(seconds=7)

    class Ends(Root):
        def end(self) -> None:
            self.stop("enough")

    stopped = app.stage.host.coordinator
    before = list(app.root.w.statuses)
    stopped.finish(app.clock.wall())
    assert app.root.w.statuses == before

    other = AppTest(Ends).settle()
    other.advance(seconds=7)
    other.ask("root.end")
    other.stage.host.coordinator.finish(other.clock.wall())
    assert statuses(other)[-1][:2] == ("stopped", 7.0)
    assert other.stage.host.coordinator.wake_at is None
