"""Turns as conversations: pacing, wakes, ends, handlers, and that a turn is all or nothing."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import lightning as L
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.talk import Root, Talk, Work, of
from lightning_apps.base import messages as m
from lightning_apps.base.errors import NotAttached, WrongPlace


@dataclasses.dataclass
class Point:
    x: int
    tags: list[str]


# -- when the flow runs ----------------------------------------------------------------------------------


def test_a_flow_that_changes_its_state_runs_again_at_once_and_rests_at_a_fixed_point():
    def run(flow):
        flow.n = min(flow.n + 1, 5)

    talk = Talk(Root(run))
    talk.settle()

    assert (talk.root.n, talk.root._turns) == (5, 6)


def test_private_attributes_and_values_put_back_wake_nobody():
    def run(flow):
        flow._turns_seen = flow._turns
        flow.n = flow.n

    talk = Talk(Root(run))
    talk.settle()

    assert talk.root._turns == 1


def test_after_a_hundred_self_made_turns_the_flow_is_paced_and_told_why_once():
    def run(flow):
        flow.n += 1

    talk = Talk(Root(run), pace_after=100, pace_fastest=0.001, pace_slowest=0.1)
    said, pauses = [], []
    for _ in range(1000):
        said += of(talk.tell(), m.Say)
        pauses.append(talk.wakes_at - talk.now if talk.wakes_at else 0.0)

    assert set(pauses[:100]) == {0.0}
    assert 0.0005 < pauses[101] < 0.0015
    assert pauses[101:] == sorted(pauses[101:])
    assert pauses[-1] == pytest.approx(0.1)
    (warning,) = said
    assert "root.n" in warning.message and "test_coordinator_turns.py:" in warning.message


def test_an_event_ends_the_pacing():
    def run(flow):
        flow.n += 1

    talk = Talk(Root(run, w=Work()))
    for _ in range(300):
        talk.tell()
    assert talk.wakes_at > talk.now

    talk.tell(m.Attached(talk.place("w"), 1))

    assert talk.wakes_at == 0.0


def test_a_tick_wakes_the_flow_at_its_times():
    talk = Talk(Root(), tick=5.0)
    talk.settle()
    assert talk.wakes_at == 1005.0

    talk.now = 1005.0
    talk.tell()

    assert talk.root._turns == 2
    assert talk.wakes_at == 1010.0


def test_a_schedule_wakes_the_flow_when_it_is_due_and_stays_due_until_it_is_reached():
    fired = []

    def run(flow):
        flow.gate.run()
        if flow.schedule("* * * * * *"):
            fired.append(True)

    talk = Talk(Root(run, gate=Work()))
    talk.settle()
    talk.arrive("gate")
    talk.running("gate")
    talk.succeed("gate")
    talk.settle()
    assert len(fired) == 1
    assert talk.wakes_at == 1001.0

    talk.now = 1003.5
    talk.tell()

    assert len(fired) == 2
    assert talk.outcome.record.timers


# -- how an app ends ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "code", "text"),
    [
        (lambda flow: flow.stop("done"), 0, "done"),
        (lambda flow: flow.fail("broken"), 1, "broken"),
        (lambda flow: exit(3), 3, ""),
        (lambda flow: exit(), 0, ""),
        (lambda flow: exit("why"), 1, "why"),
        (lambda flow: 1 / 0, 1, "ZeroDivisionError"),
    ],
)
def test_a_flow_ends_the_app_with_its_code(how, code, text):
    talk = Talk(Root(how))
    (exit_,) = of(talk.tell(), m.Exit)

    assert exit_.code == code
    assert text in exit_.message and (text or not exit_.message)
    if code == 1 and exit_.error:
        assert exit_.message.endswith("\nThe run of root (Root) failed: the app ends.")
    assert talk.core.done and talk.wakes_at is None


def test_an_exception_that_is_no_exception_class_of_the_usual_kind_ends_the_app_as_well():
    class Cancelled(BaseException):
        pass

    def run(flow):
        raise Cancelled("odd")

    (exit_,) = of(Talk(Root(run)).tell(), m.Exit)

    assert exit_.code == 1 and "odd" in exit_.message


def test_what_was_changed_and_called_in_the_turn_of_a_stop_counts():
    def run(flow):
        flow.n = 7
        flow.stop()

    talk = Talk(Root(run))
    talk.tell()

    assert talk.root.n == 7
    assert [entry[1] for entry in talk.outcome.record.done if entry[0] == "set"] == ["root"]


def test_after_the_end_what_works_still_say_is_taken_in():
    talk = Talk(Root(lambda flow: flow.stop() if flow.n else None, w=Work()))
    talk.settle()
    talk.arrive("w")
    talk.root.__dict__["n"] = 1
    last = talk.said("w", m.Changed(9, (m.Change(("x",), m.SET, 8),)))
    talk.tell(m.Asked("1", "root", "works"))
    talk.core.absorb([last], talk.now)
    talk.core.finish(talk.now)

    assert talk.root.w.x == 8
    assert talk.root.w.has_stopped


# -- threads -----------------------------------------------------------------------------------------------


def test_state_set_on_another_thread_is_refused_naming_appstate():
    thread = [1]
    talk = Talk(Root(), thread=lambda: thread[0])
    talk.tell()
    thread[0] = 2

    with pytest.raises(WrongPlace, match="AppState"):
        talk.root.n = 1
    assert talk.root.n == 0


# -- all or nothing ----------------------------------------------------------------------------------------


class Full(Root):
    """Some of everything that a turn can change."""

    def __init__(self, run: Any = None, cache: bool = True) -> None:
        super().__init__(run)
        self.items, self.table, self.marks, self.point = [1, [2]], {"a": {"b": 1}, "l": [1]}, {1, 2}, Point(1, ["t"])
        self.a, self.b = Work(parallel=True, cache_calls=cache), Work(parallel=True, start_with_flow=False)
        self.later = None
        self.works_list = L.structures.List(Work(), Work())
        self.works_dict = L.structures.Dict(k=Work())

    def handle(self, steps: Any, raises: bool = True) -> str:
        for step in steps:
            STEPS[step](self)
        if raises:
            raise ValueError("no")
        return "fine"


STEPS: dict[str, Any] = {
    "set": lambda f: setattr(f, "n", f.n + 1),
    "append": lambda f: f.items.append([3]),
    "inner": lambda f: f.items[1].append(4) if len(f.items) > 1 and isinstance(f.items[1], list) else None,
    "pop": lambda f: f.items.pop() if f.items else None,
    "insert": lambda f: f.items.insert(0, {"x": []}),
    "reverse": lambda f: f.items.reverse(),
    "clear": lambda f: f.items.clear(),
    "replace list": lambda f: setattr(f, "items", [[5], 6]),
    "deep": lambda f: f.table.setdefault("a", {}).__setitem__("b", f.n + 10),
    "new key": lambda f: f.table.__setitem__(f"k{len(f.table)}", [1]),
    "drop key": lambda f: f.table.popitem() if f.table else None,
    "update set": lambda f: f.marks.update({len(f.marks) + 5, 1}),
    "discard": lambda f: f.marks.discard(1),
    "mutate point": lambda f: f.point.tags.append("u"),
    "replace point": lambda f: setattr(f, "point", Point(f.point.x + 1, [])),
    "work state": lambda f: f.a.items.append(1),
    "call a": lambda f: f.a.run(f.n),
    "call b": lambda f: f.b.run("x"),
    "call a thrice": lambda f: [f.a.run("of three", f.n, number) for number in range(3)],
    "call a as long ago": lambda f: f.a.run("zeroth"),
    "stop a": lambda f: f.a.stop(),
    "start b": lambda f: f.b.start(),
    "retry a": lambda f: f.a.retry(),
    "schedule": lambda f: f.schedule("0 0 * * *"),
    "make": lambda f: setattr(f, "later", Work()) if f.later is None else None,
    "call made": lambda f: f.later.run() if f.later is not None else None,
    "add": lambda f: f.works_list.append(Work()),
    "pop work": lambda f: f.works_list.pop(0) if f.works_list else None,
    "put": lambda f: f.works_dict.__setitem__("k", Work()),
    "put new": lambda f: f.works_dict.__setitem__(f"n{len(f.works_dict)}", Work()),
    "drop work": lambda f: f.works_dict.pop("k", None),
    "clear works": lambda f: f.works_list.clear(),
    "replace a": lambda f: (f.a.delete(), setattr(f, "a", Work(parallel=True))),
}


def everything(talk: Talk) -> Any:
    """What there is to see of an app, as plain copies."""
    core, root = talk.core, talk.root
    lives = {}
    for name, life in core.crew.lives.items():
        table = life.calls
        calls = {key: (call.stage, call.attempt, call.sent, call.ordinal) for key, call in table.by_key.items()}
        lives[name] = (
            *(life.place, life.placements, life.phase, life.ready, life.wanted, life.released, id(life.work)),
            *(
                life.statuses(),
                list(calls.items()),
                [call.key for call in table.queue],
                table.active and table.active.key,
            ),
            *(table.latest and table.latest.key, table.ordinals, table.attempts, dict(table.finished)),
            *(list(life.mirror._outgoing), life.work._lit_deleted),
        )
    tree = {name: (id(component), component.name, id(component._lit_binding)) for name, component in core.tree.items()}
    state = copy.deepcopy(root.state)
    structures = (
        [id(w) for w in root.works_list],
        root.works_list._lit_next,
        {k: id(w) for k, w in root.works_dict.items()},
    )
    return state, lives, tree, sorted(core.crew.places), structures, core.schedules.dump(), dict(core.crew._departed)


def warmed(cache: bool = True, **options: Any) -> Talk:
    """An app in the middle of its life: some calls of long ago, one under way, one queued, one failed."""
    talk = Talk(Full(None, cache), **options)
    for number in ("zeroth", "zeroth and a half"):
        talk.root.a.run(number)
    talk.root.a.run("first")
    talk.root.a.run("second")
    talk.settle()
    talk.arrive("a")
    for _ in range(2):
        talk.running("a")
        talk.succeed("a")
    talk.running("a")
    talk.settle()
    return talk


@given(
    st.lists(st.sampled_from(sorted(STEPS)), max_size=12),
    st.lists(st.sampled_from(sorted(STEPS)), max_size=8),
    st.sampled_from([1, 2, 4, 1000]),
    st.booleans(),
)
@settings(max_examples=400, deadline=None)
def test_a_handler_that_raises_leaves_no_trace(before, steps, history, cache):
    talk = warmed(cache, history=history)
    assert talk.ask("handle", before, False).value == "fine"
    talk.settle()
    known = everything(talk)

    effects = talk.tell(m.Asked("2", "root", "handle", (steps,)))

    (reply,) = effects
    assert isinstance(reply.error, ValueError)
    assert everything(talk) == known
    assert (talk.outcome.record.done, talk.outcome.record.story, talk.outcome.record.timers) == ([], [], {})


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=8), st.lists(st.sampled_from(sorted(STEPS)), max_size=8))
@settings(max_examples=150, deadline=None)
def test_after_one_that_was_taken_back_everything_still_works(steps, more):
    talk, other = warmed(), warmed()
    talk.ask("handle", steps)

    for each in (talk, other):
        assert each.ask("handle", more, False).value == "fine"
        each.settle()

    assert plain(talk.root.state) == plain(other.root.state)


def plain(state: Any) -> Any:
    """State without the order of keys."""
    return {key: plain(value) for key, value in sorted(state.items())} if isinstance(state, dict) else state


def test_a_turn_that_raises_leaves_only_what_came_in():
    def run(flow):
        if flow.a.x == 5:
            flow.handle(["set", "append", "call b", "make"])

    talk = Talk(Full(run))
    talk.settle()
    talk.arrive("a")
    talk.settle()
    effects = talk.tell(talk.said("a", m.Changed(99, (m.Change(("x",), m.SET, 5),))))

    assert [type(effect) for effect in effects] == [m.Exit]
    assert (talk.root.a.x, talk.root.n, talk.root.items, talk.root.later) == (5, 0, [1, [2]], None)
    record = talk.outcome.record
    assert len(record.taken) == 1 and record.done == [["ended", 1]]


def test_containers_that_were_put_back_are_still_tracked():
    talk = warmed()
    talk.ask("handle", ["pop", "replace list", "deep", "drop key"])

    talk.ask("handle", ["inner", "deep"], False)

    assert talk.root.items[1] == [2, 4]
    assert len(talk.outcome.record.done) == 2


# -- requests ----------------------------------------------------------------------------------------------


class Asks(Root):
    def __init__(self) -> None:
        super().__init__(None, w=Work(start_with_flow=False))

    def call(self) -> str:
        assert self.w.run(1) is None
        self.w.start()
        return "asked"

    def end(self) -> None:
        self.stop("by request")

    def give_up(self) -> None:
        self.fail("on request")

    def leave(self) -> None:
        raise SystemExit(3)


def test_a_blocking_run_in_a_handler_only_asks_for_the_call():
    talk = Talk(Asks())
    talk.settle()

    assert talk.ask("call").value == "asked"
    assert talk.root.w.is_pending
    assert of(talk.outcome.effects, m.Place)


def test_a_handler_may_end_the_app():
    talk = Talk(Asks())
    effects = talk.tell(m.Asked("1", "root", "end"))

    assert of(effects, m.Reply)[0].error is None
    assert of(effects, m.Exit) == [m.Exit(0, "by request", None, "")]


def test_a_handler_may_end_the_app_as_failed():
    talk = Talk(Asks())

    assert of(talk.tell(m.Asked("1", "root", "give_up")), m.Exit) == [m.Exit(1, "on request", None, "")]


def test_a_handler_that_is_interrupted_leaves_no_trace():
    class Interrupted(Asks):
        def write(self):
            self.n = 7
            talk.core.interrupt()

    talk = Talk(Interrupted())
    talk.settle()

    with pytest.raises(KeyboardInterrupt):
        talk.ask("write")

    assert talk.root.n == 0 and not talk.core.cut_short().record.done


def test_after_an_end_nothing_that_comes_is_a_failure_or_begun():
    talk = Talk(Root(lambda flow: flow.w.run(flow.n), w=Work(parallel=True)))
    talk.settle()
    talk.arrive("w")
    talk.running("w")
    place = talk.place("w")

    moved = talk.moved("w", "failed", None, m.Failure("user_exception", "cut short", "ValueError"))
    outcome = talk.core.absorb([moved, m.Waiting(place, "no room"), m.Exited(place, 1)], 1001.0)

    assert outcome.record.done == [["ending", "the app has ended"]] and not outcome.effects
    assert talk.root.w.status.stage == "running"
    assert talk.core.absorb([m.Waiting(place, "no room")], 1001.0, "by hand").record.done == []


class Answers(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.names = ["a"]

    def run(self): ...

    async def think(self, fail=False):
        self.names.append("thought")
        if fail:
            raise ValueError("no")
        return self.names


def test_an_async_handler_is_finished_within_its_turn_and_undone_if_it_raises():
    talk = Talk(Answers())

    reply, failed = talk.ask("think"), talk.ask("think", True)

    assert reply.value == ["a", "thought"] and type(reply.value) is list
    assert isinstance(failed.error, ValueError)
    assert talk.root.names == ["a", "thought"]


def test_leaving_a_handler_by_sys_exit_is_its_error_and_the_app_goes_on():
    talk = Talk(Asks())

    assert isinstance(talk.ask("leave").error, SystemExit)
    assert not talk.core.done


def test_a_request_for_a_component_that_is_not_there_is_answered_with_a_sentence():
    reply = Talk(Asks()).ask("anything", component="root.gone")

    assert isinstance(reply.error, NotAttached)
    assert "root.gone" in str(reply.error)


def test_a_value_that_does_not_tell_is_noticed_even_in_the_turn_it_came():
    def run(flow):
        if flow.n == 0:
            flow.n = 1
            flow.w.x = Point(1, [])
            flow.w.x.tags.append("late")

    talk = Talk(Root(run, w=Work()))
    talk.tell()

    assert [entry[1] for entry in talk.outcome.record.done if entry[0] == "set"] == ["root", "root.w", "root.w"]


class Rebuilding(Root):
    """Its handlers make and drop structures, and fail."""

    def make(self):
        self.made = L.structures.List()
        raise ValueError("as asked")

    def drop(self):
        del self.kept
        raise ValueError("as asked")

    def replace(self):
        self.kept = L.structures.Dict()
        raise ValueError("as asked")


def test_a_handler_that_raises_leaves_structures_as_they_were():
    talk = Talk(Rebuilding(kept=L.structures.List()))
    talk.settle()
    kept = talk.root.kept

    for method in ("make", "drop", "replace"):
        talk.tell(m.Asked("1", "root", method))

        assert set(talk.root._lit_children) == {"kept"} and talk.root.kept is kept
        assert not hasattr(talk.root, "made")
