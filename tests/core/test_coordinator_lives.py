"""Stops, failures, losses, devices and idleness as conversations with the coordinator."""

from __future__ import annotations

import lightning as L
import pytest
from lightning.testing import AppTest

from core.talk import Root, Talk, Work, of
from lightning_apps.base import messages as m


def call(flow):
    flow.w.run(flow.n)


def started(work, run=call, **options):
    """A conversation in which the work's first call is under way."""
    talk = Talk(Root(run, w=work), **options)
    talk.settle()
    talk.arrive("w")
    talk.running("w")
    return talk


def test_a_failure_is_seen_for_one_turn_and_then_ends_the_app_with_1():
    seen = []

    def run(flow):
        seen.append(flow.w.has_failed)
        flow.w.run()

    app = AppTest(Root(run, w=Work()))
    app.works["w"].fail(ValueError("boom"))
    with pytest.raises(ValueError, match="boom"):
        app.settle()

    assert (seen.count(True), seen[-1], app.exit_code) == (1, True, 1)
    assert app.output.startswith(
        "ValueError: boom\nroot.w failed: run(), attempt 1.\nThe app ends because root.w failed."
    )


def test_a_failed_call_that_the_flow_retries_at_once_does_not_end_the_app():
    def run(flow):
        if flow.w.has_failed:
            flow.w.retry()
        flow.w.run()

    app = AppTest(Root(run, w=Work()))
    app.works["w"].fail(ValueError)
    app.settle()

    assert app.exit_code is None and app.works["w"].inside.attempt == 2


def test_of_two_that_failed_together_the_one_that_is_not_made_again_ends_the_app():
    def run(flow):
        if flow.v.has_failed:
            flow.v.retry()
        flow.v.run()
        flow.w.run()

    talk = Talk(Root(run, v=Work(parallel=True), w=Work(parallel=True)))
    talk.settle()
    talk.arrive("v", "w")
    failure = m.Failure("user_exception", "boom", "ValueError")

    effects = talk.tell(*(talk.moved(name, "failed", None, failure) for name in "vw"))

    assert [exit.work for exit in of(effects, m.Exit)] == ["root.w"]


def test_a_failed_call_is_not_made_again_by_the_same_arguments_but_by_others():
    app = AppTest(Root(call, w=Work(parallel=True, raise_exception=False)))
    app.works["w"].fail(ValueError)
    assert [call.stage for call in app.settle().calls] == ["failed"]

    app.ask("take", 1)
    app.settle()

    assert [(call.args, call.stage) for call in app.calls] == [((0,), "failed"), ((1,), "running")]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (lambda work: work.exit(3), "The process of root.w ended with exit code 3."),
        (lambda work: work.die(), "The process of root.w was ended by SIGKILL (9) (out of memory?)."),
    ],
)
def test_a_process_that_dies_on_a_living_machine_has_failed(how, said):
    app = AppTest(Root(call, w=Work(parallel=True, raise_exception=False)))

    how(app.works["w"])
    app.settle()

    assert (app.works["w"].stage, app.works["w"].status.message) == ("failed", said)


def test_a_lost_machine_is_no_failure_and_the_call_goes_out_again():
    app = AppTest(Root(call, w=Work(parallel=True)))
    app.settle()
    app.works["w"].hold()
    app.works["w"].lose()
    app.settle()
    assert [status.reason for status in app.root.w.statuses if "lost" in (status.reason or "")] == [
        "lost with its machine (1 of 5)"
    ]

    app.works["w"].release()

    assert app.works["w"].inside.attempt == 2 and app.works["w"].stage == "running"
    assert list(app.stage.engine.workers) == ["root.w@1", "root.w@2"]


def test_a_call_lost_too_often_has_failed():
    talk = started(Work(parallel=True, raise_exception=False), lost_limit=2)
    for _ in range(2):
        talk.tell(talk.exited("w", lost=True))
        talk.arrive("w")
    talk.tell(talk.exited("w", lost=True))

    assert talk.root.w.has_failed
    assert "3 times" in talk.root.w.status.message


def test_stop_shows_stopped_at_once_and_the_same_arguments_do_not_start_it_again():
    def run(flow):
        flow.w.run(1)
        if flow.n == 1:
            flow.w.stop()
            assert flow.w.has_stopped

    talk = started(Work(parallel=True), run)
    talk.root.__dict__["n"] = 1
    effects = talk.tell(m.Asked("1", "root", "works"))
    assert [stop.place for stop in of(effects, m.Stop)] == ["root.w@1"]
    effects = talk.settle() + talk.tell(m.Exited("root.w@1", 0)) + talk.settle()

    assert talk.root.w.has_stopped
    assert not of(effects, m.Place) and not of(effects, m.Stop)


def test_other_arguments_start_a_stopped_work_once_the_old_process_is_gone():
    talk = started(Work(parallel=True))
    talk.root.w.stop()
    talk.root.__dict__["n"] = 2
    assert not of(talk.tell(m.Asked("1", "root", "works")), m.Place)

    effects = talk.tell(m.Exited("root.w@1", 0))

    assert [place.place for place in of(effects, m.Place)] == ["root.w@2"]


def test_a_worker_that_dials_in_after_its_work_was_stopped_is_rejected():
    talk = Talk(Root(None, w=Work()))
    place = talk.place("w")
    talk.root.w.stop()

    effects = talk.tell(m.Attached(place, 1))

    assert of(effects, m.Rejected)


def test_stopping_what_never_started_does_nothing():
    talk = Talk(Root(lambda flow: flow.w.stop(), w=Work(start_with_flow=False)))

    assert talk.settle() == []
    assert talk.root.w.status.stage == "not_started"


def test_an_engine_that_can_never_place_a_work_fails_its_call_with_the_reason():
    app = AppTest(Root(call, w=Work(parallel=True, raise_exception=False, start_with_flow=False)))

    app.works["w"].refuse("this machine has 2 CPUs.")
    app.settle()

    assert (app.works["w"].stage, app.works["w"].status.message) == ("failed", "this machine has 2 CPUs.")


def test_what_a_work_waits_for_is_its_status():
    app = AppTest(Root(call, w=Work(parallel=True, start_with_flow=False)))

    app.works["w"].hold("1 GPU is held by root.a")
    app.settle()

    assert (app.works["w"].stage, app.works["w"].status.reason) == ("pending", "1 GPU is held by root.a")


def test_an_idle_holder_is_released_when_another_waits_for_what_it_holds():
    def run(flow):
        flow.a.run()
        flow.b.run()

    talk = Talk(Root(run, a=Work(parallel=True), b=Work(parallel=True, start_with_flow=False)))
    talk.settle()
    talk.arrive("a")
    talk.running("a")
    effects = talk.tell(m.Waiting(talk.place("b"), "held", (talk.place("a"),)))
    assert not of(effects, m.Stop)

    effects = talk.succeed("a")

    assert [stop.place for stop in of(effects, m.Stop)] == ["root.a@1"]
    assert talk.root.a.has_succeeded


def test_an_idle_process_ends_after_its_idle_timeout_and_not_before():
    talk = started(Work(parallel=True, cloud_compute=L.CloudCompute(idle_timeout=60)))
    talk.succeed("w")
    talk.settle()
    assert talk.wakes_at == 1060.0

    talk.now = 1059.0
    assert not of(talk.tell(), m.Stop)
    talk.now = 1060.0
    assert of(talk.tell(), m.Stop)
    assert talk.wakes_at is None
    assert talk.root.w.has_succeeded


def test_an_idle_timeout_that_is_set_while_the_work_is_idle_counts_from_when_it_became_idle():
    talk = started(Work(parallel=True))
    talk.succeed("w")
    talk.settle()
    assert talk.wakes_at is None

    talk.root._run = lambda flow: setattr(flow.w, "cloud_compute", L.CloudCompute(idle_timeout=60))
    talk.ask("take", 1)
    talk.settle()
    assert talk.wakes_at == 1060.0

    talk.now = 1060.0
    assert of(talk.tell(), m.Stop)


def test_a_work_that_left_the_tree_while_it_was_idle_wakes_nobody():
    talk = started(Work(parallel=True, cloud_compute=L.CloudCompute(idle_timeout=60)))
    talk.succeed("w")
    talk.settle()

    def leave(flow):
        if "w" in flow._lit_children:
            del flow.w

    talk.root._run = leave
    talk.ask("take", 1)
    talk.settle()

    assert talk.wakes_at is None


def test_after_its_idle_process_ended_other_arguments_start_it_again():
    app = AppTest(Root(call, w=Work(parallel=True, cloud_compute=L.CloudCompute(idle_timeout=60))))
    app.works["w"].finish()
    app.settle()
    app.advance(seconds=60)
    assert app.works["w"].stage == "succeeded" and not app.works["w"].has_process

    app.ask("take", 5)
    app.settle()

    assert (app.works["w"].call.args, app.works["w"].call.stage) == ((5,), "running")


def test_a_work_that_leaves_the_tree_is_stopped_and_its_words_are_ignored():
    def run(flow):
        if flow.n == 1 and "w" in flow._lit_children:
            del flow.w

    talk = Talk(Root(run, w=Work()))
    talk.settle()
    talk.arrive("w")
    late = talk.said("w", m.Changed(9, (m.Change(("x",), m.SET, 3),)))
    talk.root.__dict__["n"] = 1
    effects = talk.tell(m.Asked("1", "root", "works"))

    assert [stop.place for stop in of(effects, m.Stop)] == ["root.w@1"]
    assert not of(talk.tell(late), m.Send)


def test_a_name_given_again_gets_placements_that_only_grow():
    def run(flow):
        if flow.n == 1:
            flow.w.delete()
            flow.w = Work()
            flow.n = 2
            flow.w.start()

    talk = Talk(Root(run, w=Work()))
    talk.settle()
    talk.arrive("w")
    talk.root.__dict__["n"] = 1
    effects = talk.tell(m.Asked("1", "root", "works"))

    assert of(effects, m.Stop)[0].place == "root.w@1"
    assert [place.place for place in of(effects, m.Place)] == ["root.w@2"]


@pytest.mark.parametrize("interruptible", [False, True])
def test_a_process_that_got_sigterm_takes_no_other_call_and_its_work_gets_a_new_one(interruptible):
    compute = L.CloudCompute(interruptible=interruptible)
    talk = started(Work(parallel=True, cloud_compute=compute), lambda flow: flow.w.run(flow.n))
    old = talk.place("w")

    effects = talk.tell(talk.moved("w", "stopped"))
    talk.root.n = 1
    effects += talk.settle()
    assert not of(effects, m.Run)
    assert not of(effects, m.Place)

    effects = talk.tell(m.Exited(old, 0))
    assert [place.work for place in of(effects, m.Place)] == ["root.w"]
    assert talk.place("w") != old
    assert of(talk.arrive("w"), m.Run)
