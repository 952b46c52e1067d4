"""What becomes of works, one rule each: which words count, what is told when, what a name, a place and a moment mean."""

from __future__ import annotations

from typing import Any

import lightning as L
import pytest

from lightning_apps.base import messages as m
from lightning_apps.base.encoding import decode, encode
from lightning_apps.base.status import AppStage
from lightning_apps.core.coordinator import Coordinator
from lightning_apps.model.retry import Backoff

from .talk import Root, Talk, Work, of

PLACE = "root.w@1"


class Flow(Root):
    """Calls its work with `n`, and does what requests say."""

    def __init__(self, **options: Any) -> None:
        super().__init__(None)
        self.w = Work(**{"parallel": True, "raise_exception": False, **options})
        self.calls = True

    def run(self) -> None:
        super().run()
        if self.calls and "w" in self._lit_children:
            self.w.run(self.n)

    def do(self, act: Any) -> None:
        act(self)


def talk_of(*steps: str, **options: Any) -> Talk:
    """A conversation up to here: "arrive", "running", "succeed" …"""
    talk = Talk(Flow(**options))
    talk.settle()
    for step in steps:
        getattr(talk, step)("w")
    return talk


def do(talk: Talk, act: Any) -> list[Any]:
    return talk.tell(m.Asked("1", "root", "do", (act,)))


def test_words_about_places_that_nobody_has_wake_no_flow_and_those_about_ours_do() -> None:
    talk = talk_of()
    turns = talk.root._turns

    for event in (m.Waiting("root.w@7", "full"), m.Refused("root.w@7", "no"), m.Exited("root.w@7", 0), m.Got("x@1", 3)):
        talk.tell(event)
    talk.tell(m.Said("root.w@7", 1, m.Ready(1.0)))
    talk.tell(m.Detached(PLACE), m.Silent(PLACE, "unheard"), m.Started(PLACE, 3), m.Got(PLACE, 0))
    assert talk.root._turns == turns

    talk.tell(m.Waiting(PLACE, "full"))
    assert talk.root._turns == turns + 1
    talk.tell(m.Refused(PLACE, "no"))
    assert talk.root._turns == turns + 2


def test_statuses_carry_the_time_at_which_the_work_was_there() -> None:
    talk = talk_of("arrive")
    call = talk.core.crew.lives["root.w"].calls.active
    assert call is not None

    talk.tell(talk.said("w", m.Moved(call.ordinal, call.attempt, "running", 5.0)))
    talk.tell(talk.said("w", m.Moved(call.ordinal, call.attempt, "succeeded", 6.0)))
    assert [s.timestamp for s in talk.root.w.statuses] == [6.0]

    do(talk, lambda flow: setattr(flow, "n", 1))
    call = talk.core.crew.lives["root.w"].calls.active
    assert call is not None
    talk.tell(talk.said("w", m.Moved(call.ordinal, call.attempt, "failed", 7.0)))
    status = talk.root.w.status
    assert (status.stage, status.timestamp, status.reason, status.message) == ("failed", 7.0, "user_exception", "")


def test_a_worker_is_told_up_to_where_it_was_heard_and_its_port() -> None:
    talk = Talk(Flow(), free_port=lambda: 50001)
    talk.settle()
    (first,) = [e.message for e in of(talk.tell(m.Attached(PLACE, 1)), m.Welcome)]
    assert (first.generation, first.heard, first.port, first.again) == (0, 0, 50001, False)
    talk.tell(talk.said("w", m.Ready(talk.now)))

    (again,) = [e.message for e in of(talk.tell(m.Attached(PLACE, 1, first.version)), m.Welcome)]

    version = talk.core.crew.lives["root.w"].mirror.version
    assert again == m.Welcome(0, version, {}, 1, 50001, again=True)


def test_an_order_that_never_arrived_is_said_again_with_what_the_attempt_before_left() -> None:
    talk = talk_of("arrive", "running", retries=2, backoff=0)
    call = talk.core.crew.lives["root.w"].calls.active
    assert call is not None
    talk.tell(talk.said("w", m.Checkpoint(call.ordinal, call.attempt, {"x": 3})))
    talk.fail("w")
    talk.settle()

    (said,) = of(talk.tell(m.Attached(PLACE, 1, 1, attempt=1)), m.Run)

    assert (said.place, said.message.attempt, said.message.checkpoint) == (PLACE, 2, {"x": 3})
    assert not of(talk.tell(m.Attached(PLACE, 1, 1, attempt=2)), m.Run)


def test_a_worker_that_comes_too_late_is_told_so_at_its_place() -> None:
    talk = talk_of()
    do(talk, lambda flow: flow.w.stop())

    effects = talk.tell(m.Attached(PLACE, 1))

    assert effects == [m.Send(PLACE, m.Rejected("this work was stopped meanwhile")), m.Stop(PLACE)]


def test_the_process_of_a_work_that_left_or_was_deleted_knows_that_it_is_for_good() -> None:
    talk = talk_of("arrive")
    assert of(do(talk, lambda flow: delattr(flow, "w")), m.Stop) == [m.Stop(PLACE, delete=True)]

    talk = talk_of("arrive")
    assert of(do(talk, lambda flow: flow.w.delete()), m.Stop) == [m.Stop(PLACE, delete=True)]
    assert [(s.stage, s.message) for s in talk.root.w.statuses[-1:]] == [("stopped", None)]

    talk = talk_of("arrive")
    assert of(do(talk, lambda flow: flow.w.stop()), m.Stop) == [m.Stop(PLACE, delete=False)]


def test_a_process_that_was_started_and_stopped_without_a_call() -> None:
    talk = Talk(Flow(start_with_flow=False))
    talk.root.calls = False
    talk.settle()
    assert do(talk, lambda flow: flow.w.stop())[0].error is None and talk.root.w.statuses == []
    assert not [entry for entry in talk.outcome.record.done if entry[0] == "stop"]

    do(talk, lambda flow: flow.w.start())
    do(talk, lambda flow: flow.w.stop())

    seen = [(s.stage, s.reason, s.message) for s in talk.root.w.statuses]
    assert seen == [("pending", "start", None), ("stopped", "pending", None)]
    talk.tell(m.Exited(PLACE, 0))
    do(talk, lambda flow: flow.w.start())
    do(talk, lambda flow: flow.w.delete())
    assert [s.message for s in talk.root.w.statuses] == [None, "deleted"]


def test_a_start_after_a_call_is_what_the_status_speaks_of() -> None:
    talk = talk_of("arrive", "running", "succeed")
    do(talk, lambda flow: flow.w.stop())
    talk.tell(m.Exited(PLACE, 0))
    assert talk.root.w.status.stage == "stopped"

    do(talk, lambda flow: flow.w.start())

    assert (talk.root.w.status.stage, talk.root.w.status.reason) == ("pending", "start")
    talk.arrive("w")
    assert talk.root.w.status.stage == "started"


def test_between_two_calls_a_process_may_be_idle_for_its_whole_time() -> None:
    talk = talk_of("arrive", "running", "succeed", cloud_compute=L.CloudCompute(idle_timeout=60))
    talk.settle()

    talk.now += 50
    do(talk, lambda flow: setattr(flow, "n", 1))
    talk.running("w")
    talk.succeed("w")
    talk.settle()
    talk.now += 20
    assert not of(talk.settle(), m.Stop)
    talk.now += 41

    assert of(talk.settle(), m.Stop) == [m.Stop(PLACE)]
    assert talk.root.w.status.stage == "succeeded"


def test_who_was_refused_does_not_wait_any_more() -> None:
    talk = talk_of()
    talk.tell(m.Waiting(PLACE, "w waits for 1 GPU"))
    talk.tell(m.Refused(PLACE, "there is none"))

    talk.now += 10

    assert not [say for say in of(talk.tell(), m.Say) if say.level == "info"]


def test_who_waited_under_an_earlier_host_waits_anew_and_nobody_is_told_of_nothing() -> None:
    talk = talk_of()
    talk.tell(m.Waiting(PLACE, "w waits for 1 GPU"))
    later = talk_of()

    later.core.restore(talk.core.snapshot(), now=talk.now)
    later.tell(m.Waiting(later.place("w"), "w waits for a node"))
    later.now = talk.now + 10

    assert [say.message for say in of(later.tell(), m.Say)] == ["w waits for a node."]


def test_who_waited_and_was_stopped_with_its_host_is_not_spoken_of() -> None:
    talk = talk_of()
    talk.tell(m.Waiting(PLACE, "w waits for 1 GPU"))
    later = talk_of()

    later.core.restore(talk.core.snapshot(), now=talk.now)

    assert later.core.crew.dump()["waiting"] == []


def test_who_got_a_place_does_not_wait_any_more() -> None:
    talk = talk_of()
    talk.tell(m.Waiting(PLACE, "w waits for 1 GPU"))
    talk.arrive("w")

    talk.now += 10

    assert not of(talk.tell(), m.Say)


def test_an_attempt_that_took_too_long_is_told_in_the_turn_of_its_end() -> None:
    talk = talk_of("arrive", "running", timeout=60.0)
    talk.now += 60

    effects = talk.tell()

    assert of(effects, m.Stop) == [m.Stop(PLACE)]
    (said,) = of(effects, m.Say)
    text = "root.w took longer than the 60 s it may take.\nroot.w failed: run(0), attempt 1."
    assert (said.level, said.message) == ("error", text)
    assert not of(talk.tell(talk.said("w", m.Ready(1.0))), m.Run)


def test_what_a_retry_waits_for_is_told_with_how_many_there_are() -> None:
    talk = talk_of("arrive", "running", retries=2, backoff=Backoff(10, 1, 10, 0.0))

    (said,) = of(talk.fail("w", "no luck\n"), m.Say)

    assert (said.level, said.message) == (
        "warning",
        "no luck\nroot.w: attempt 1 failed; retry in 10 s (1 of 2).",
    )


def test_a_retry_is_due_at_its_time_in_the_life_that_takes_the_snapshot_up() -> None:
    talk = talk_of("arrive", "running", retries=2, backoff=Backoff(10, 1, 10, 0.0))
    talk.fail("w")
    talk.settle()

    fresh = Talk(Flow(retries=2, backoff=Backoff(10, 1, 10, 0.0)))
    fresh.core = Coordinator(fresh.root)
    fresh.now = talk.now + 1
    fresh.core.restore(decode(encode(talk.core.snapshot())), now=fresh.now, alive={PLACE})

    fresh.settle()
    assert fresh.wakes_at == talk.now + 10
    fresh.now = talk.now + 10
    assert [each.message.attempt for each in of(fresh.tell(), m.Run)] == [2]


# names, through handlers that did not count ------------------------------------------------------------------------------


def fails(act: Any) -> Any:
    def both(flow: Any) -> None:
        act(flow)
        raise ValueError("no")

    return both


def test_places_of_a_name_only_grow_through_what_was_taken_back() -> None:
    talk = talk_of("arrive")
    talk.root.calls = False
    do(talk, lambda flow: delattr(flow, "w"))

    def again(flow: Any) -> None:
        flow.w = Work(start_with_flow=False)
        flow.w.start()

    assert not of(do(talk, fails(again)), m.Place)
    effects = do(talk, again)

    assert [each.place for each in of(effects, m.Place)] == ["root.w@2"]
    assert talk.tell(m.Attached("root.w@1", 1))[0].message == m.Rejected("this work was stopped meanwhile")


def test_a_process_that_was_asked_for_and_taken_back_is_nobodys() -> None:
    talk = talk_of()

    def make(flow: Any) -> None:
        flow.extra = Work(start_with_flow=False)
        flow.extra.start()

    assert not of(do(talk, fails(make)), m.Place)
    assert of(talk.tell(m.Attached("root.extra@1", 1)), m.Rejected)


# the flow -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stage", "held"), [("", True), (AppStage.STOPPING, True), (AppStage.RUNNING, False)])
def test_a_flow_that_is_held_back_begins_when_it_is_told_to_run(stage: str, held: bool) -> None:
    talk = Talk(Flow())
    talk.core.held = True
    talk.tell()
    assert talk.root._turns == 0

    talk.tell(m.Edited("1", (), None, stage))

    assert (talk.core.held, talk.root._turns) == (held, 0 if held else 1)


@pytest.mark.parametrize(
    ("compute", "placed"),
    [
        (L.CloudCompute(), True),
        (L.CloudCompute("gpu"), False),
        (L.CloudCompute("gpu", devices=2), False),
        (L.CloudCompute(devices=1), False),
    ],
)
def test_processes_that_need_devices_wait_for_a_call(compute: L.CloudCompute, placed: bool) -> None:
    talk = Talk(Root(w=Work(cloud_compute=compute)))

    assert bool(of(talk.outcome.effects, m.Place)) is placed


def test_what_readers_are_shown_of_flows_and_when() -> None:
    class Shows(Flow):
        shown, is_ready = "first", False

        def configure_layout(self) -> Any:
            return [{"name": self.shown, "content": "https://example.org"}]

        @property
        def ready(self) -> bool:
            return self.is_ready

    talk = Talk(Shows())
    core = talk.core
    whole = core.show_all()
    assert (whole.at, whole.whole, whole.turn, whole.ready) == (talk.now, True, core.turn, False)

    Shows.shown, Shows.is_ready = "second", True
    talk.now += 60
    do(talk, lambda flow: setattr(flow, "n", 1))

    published = talk.outcome.published
    assert published is not None
    change = decode(published.changes["root"]["_layout"])
    assert (change[0], change[2][0]["name"]) == (["_layout"], "second")
    assert (published.ready, published.turn, published.at, published.whole) == (True, core.turn, talk.now, False)
    talk.now += 60
    talk.tell()
    assert talk.outcome.published is None or talk.outcome.published.ready is None
