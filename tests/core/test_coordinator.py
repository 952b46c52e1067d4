"""Calls as conversations with the coordinator: events go in, effects come out.  No process, no clock."""

from __future__ import annotations

from core.talk import Root, Talk, Work, of
from lightning_apps.base import messages as m


def test_works_that_start_with_the_flow_are_placed_before_its_first_turn():
    talk = Talk(Root(a=Work(), b=Work(start_with_flow=False)))

    assert [effect.work for effect in of(talk.outcome.effects, m.Place)] == ["root.a"]
    assert talk.root._turns == 0


def test_the_flow_runs_once_at_first_and_then_not_before_something_happens():
    talk = Talk(Root())

    talk.tell()

    assert talk.root._turns == 1
    assert talk.wakes_at is None


def test_a_new_call_opens_places_and_delivers_and_ends_the_turn():
    def run(flow):
        flow.n += 1
        flow.w.run(1)
        raise AssertionError("passed a call that has not succeeded")

    talk = Talk(Root(run, w=Work(start_with_flow=False)))
    effects = talk.tell()

    (place,) = of(effects, m.Place)
    assert talk.root.w.is_pending
    assert not of(effects, m.Run)

    effects = talk.tell(m.Attached(place.place, 7))
    welcome, order = of(effects, m.Welcome)[0], of(effects, m.Run)[0]
    assert effects.index(welcome) < effects.index(order)
    assert (order.message.ordinal, order.message.attempt) == (1, 1)


def test_a_call_under_way_is_not_made_again_and_one_that_succeeded_is_passed():
    passed = []

    def run(flow):
        passed.append(flow.w.run(1))

    talk = Talk(Root(run, w=Work()))
    talk.settle()
    talk.arrive("w")
    talk.running("w")
    assert passed == [] and not of(talk.tell(), m.Run)

    talk.succeed("w", 42)

    assert passed[-1] == 42
    assert talk.root.w.has_succeeded
    assert [s.stage for s in talk.root.w.statuses] == ["succeeded"]


def test_a_parallel_call_returns_none_until_it_has_succeeded():
    got = []
    talk = Talk(Root(lambda flow: got.append(flow.w.run("x")), w=Work(parallel=True)))
    talk.settle()
    talk.arrive("w")
    assert set(got) == {None}

    talk.succeed("w", [1])

    assert got[-1] == [1]


def test_without_cache_a_finished_call_is_made_again():
    talk = Talk(Root(lambda flow: flow.w.run(), w=Work(parallel=True, cache_calls=False)))
    talk.settle()
    talk.arrive("w")
    talk.running("w")

    effects = talk.succeed("w")

    (order,) = of(effects, m.Run)
    assert (order.message.ordinal, order.message.attempt) == (1, 2)
    assert talk.root.w.is_pending


def test_calls_queue_first_in_first_out_and_flags_speak_of_the_last():
    def run(flow):
        for n in (5, 3, 4):
            flow.w.run(n)

    talk = Talk(Root(run, w=Work(parallel=True)))
    talk.settle()
    orders = of(talk.arrive("w"), m.Run)
    for _ in range(2):
        talk.running("w")
        assert talk.root.w.is_pending
        orders += of(talk.succeed("w"), m.Run)
    talk.running("w")
    assert talk.root.w.is_running
    talk.succeed("w")

    assert [order.message.ordinal for order in orders] == [1, 2, 3]
    assert talk.root.w.has_succeeded
    assert talk.root.w.num_successes == 3


def test_late_words_about_an_earlier_attempt_are_ignored():
    talk = Talk(Root(lambda flow: flow.w.run(), w=Work(parallel=True, raise_exception=False)))
    talk.settle()
    talk.arrive("w")
    stale = talk.moved("w", "succeeded", "old").message
    talk.fail("w")
    talk.root.w.retry()
    talk.settle()

    talk.tell(talk.said("w", stale))

    assert talk.root.w.is_pending
    assert talk.core.crew.lives["root.w"].calls.active.attempt == 2


def test_words_heard_twice_count_once():
    talk = Talk(Root(None, w=Work()))
    talk.settle()
    talk.arrive("w")
    change = talk.said("w", m.Changed(99, (m.Change(("items",), m.SPLICE, [0, 0, ["a"]]),)))
    talk.tell(change)
    talk.tell(change)

    assert talk.root.w.items == ["a"]
    assert talk.outcome.record.taken == []


def test_a_burst_costs_one_turn_and_the_record_keeps_all_of_it():
    talk = Talk(Root(None, w=Work()))
    talk.settle()
    talk.arrive("w")
    talk.settle()
    turns = talk.root._turns

    changes = [talk.said("w", m.Changed(99, (m.Change(("x",), m.SET, n),))) for n in range(1, 6)]
    talk.tell(*changes)

    assert (talk.root._turns - turns, talk.root.w.x) == (1, 5)
    assert len(talk.outcome.record.taken) == 5


def test_what_the_flow_writes_is_sent_before_the_call_it_is_for():
    def run(flow):
        if flow.w.status.stage == "started":
            flow.w.x = 9
            flow.w.run()

    talk = Talk(Root(run, w=Work(parallel=True)))
    talk.settle()
    talk.tell(m.Attached(talk.place("w"), 1))
    effects = talk.tell(talk.said("w", m.Ready(talk.now)))

    kinds = [type(effect.message) for effect in effects if isinstance(effect, m.Send)]
    assert kinds.index(m.Changes) < kinds.index(m.Run)


def test_what_the_flow_writes_in_the_turn_of_the_welcome_is_in_it_once():
    def run(flow):
        if flow.n == 1:
            flow.w.x, flow.n = 5, 2
            flow.w.items.append("once")

    talk = Talk(Root(run, w=Work()))
    talk.settle()
    talk.root.__dict__["n"] = 1

    effects = talk.tell(m.Attached(talk.place("w"), 1))

    (welcome,) = of(effects, m.Welcome)
    assert (welcome.message.state["x"], list(welcome.message.state["items"])) == (5, ["once"])
    assert not of(effects, m.Changes)


def test_once_blocked_the_turn_stays_blocked_and_says_where():
    def run(flow):
        for work in (flow.a, flow.b):
            try:
                work.run()
            except BaseException:
                continue

    talk = Talk(Root(run, a=Work(start_with_flow=False), b=Work(start_with_flow=False)))
    effects = talk.tell()

    assert [place.work for place in of(effects, m.Place)] == ["root.a"]
    (warning,) = of(effects, m.Say)
    assert "root.b" in warning.message and "test_coordinator.py:" in warning.message and warning.once


def test_a_call_that_is_not_made_again_does_not_wake_the_flow_by_itself():
    talk = Talk(Root(lambda flow: flow.w.run(), w=Work()))

    talk.settle()

    assert talk.root._turns == 2  # opening the call is a change; evaluating it again is none
    assert talk.wakes_at is None


def test_start_blocks_until_ready_and_is_not_asked_for_twice():
    passed = []

    def run(flow):
        flow.w.start()
        passed.append(1)

    talk = Talk(Root(run, w=Work(start_with_flow=False)))
    places = of(talk.settle(), m.Place)
    assert len(places) == 1 and not passed
    talk.arrive("w")

    assert passed
    assert [s.stage for s in talk.root.w.statuses] == ["pending", "started"]
