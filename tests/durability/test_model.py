"""A model of calls and state beside the real coordinator, with random crashes: the two never disagree."""

from __future__ import annotations

import pickle
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.talk import Root, Work
from lightning_apps.base import messages as m
from lightning_apps.base.encoding import decode, encode
from lightning_apps.core.coordinator import Coordinator
from lightning_apps.wire import codec

WORKS = ("a", "b")


class Expected:
    """What the model says of one work."""

    def __init__(self) -> None:
        self.stages: dict[int, str] = {}
        self.values: dict[int, int] = {}
        self.queue: list[int] = []
        self.active: int | None = None
        self.x: Any = 0
        self.before: list[
            Any
        ] = []  # x as it was when the attempt under way, or the one that was cut short, first changed it
        self.attempt = 0

    def begin_next(self) -> None:
        """The next attempt is delivered: what the one before it wrote goes."""
        self.active = self.queue.pop(0)
        self.attempt += 1
        if self.before:
            self.x = self.before[0]
        self.before = []

    def settle(self, stage: str) -> None:
        """The call under way has ended like this."""
        assert self.active is not None
        self.stages[self.active] = stage
        self.active = None
        if stage == "succeeded":
            self.before = []

    def cut(self) -> None:
        """The process is gone with the host: its call is the next again."""
        if self.active is not None:
            self.queue.insert(0, self.active)
            self.stages[self.active] = "pending"
            self.active = None


class Crashes(RuleBasedStateMachine):
    """Random lives of an app with two works."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.todo: list[Any] = []
        self.records: list[bytes] = []
        self.kept: tuple[int, bytes] | None = None
        self.workers: dict[str, dict[str, Any]] = {}  # by place: what each process knows
        self.expected = {name: Expected() for name in WORKS}
        self.n = 0
        self.succeeded: list[tuple[str, int]] = []

    @initialize()
    def begin(self) -> None:
        self.core = self.build()
        self.commit(self.core.begin(self.now))
        self.turn()

    def build(self) -> Coordinator:
        works = {name: Work(parallel=True, raise_exception=False, start_with_flow=False) for name in WORKS}
        return Coordinator(Root(self.act, **works))

    def act(self, root: Any) -> None:
        todo, self.todo = self.todo, []
        for step in todo:
            step(root)

    # -- moving ----------------------------------------------------------------------------------------------

    def turn(self, *events: Any) -> None:
        self.now += 1.0
        self.commit(self.core.step(events, self.now))

    def commit(self, outcome: m.Outcome) -> None:
        if not outcome.record.empty:
            self.records.append(msgspec.msgpack.encode(outcome.record))
        for what, name, *rest in outcome.record.story:
            if what == "moved" and rest[1] == "succeeded":
                self.succeeded.append((name, rest[0]))
        for effect in outcome.effects:
            if isinstance(effect, m.Place):
                assert effect.place not in self.workers
                self.workers[effect.place] = {"attached": False, "received": 0, "attempt": 0, "offset": 0, "run": None}
            elif isinstance(effect, m.Stop):
                self.workers[effect.place]["attached"] = None  # it ends
            elif isinstance(effect, m.Send) and effect.place in self.workers:
                self.hear(effect.place, effect.message)

    def hear(self, place: str, message: Any) -> None:
        worker, expected = self.workers[place], self.expected[_name(place)]
        if isinstance(message, (m.Welcome, m.Changes)):
            worker["received"] = message.version
        elif isinstance(message, m.Run):
            assert message.attempt > worker["attempt"]
            worker.update(attempt=message.attempt, run=message)
            assert expected.stages[self.argument(place, message.ordinal)] != "succeeded"

    def argument(self, place: str, ordinal: int) -> int:
        call = self.core.crew.lives[f"root.{_name(place)}"].calls.by_ordinal(ordinal)
        assert call is not None
        return int(pickle.loads(call.arguments)[0][0])

    def say(self, place: str, message: Any) -> None:
        worker = self.workers[place]
        worker["offset"] += 1
        raw = codec.dump(message)
        self.turn(m.Said(place, worker["offset"], codec.load_from_worker(raw), raw))

    def place(self, name: str) -> str:
        return self.core.crew.lives[f"root.{name}"].place

    # -- what the flow does ------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(WORKS), number=st.integers(0, 4))
    def the_flow_asks(self, name: str, number: int) -> None:
        expected = self.expected[name]
        if number not in expected.stages:
            expected.stages[number] = "pending"
            expected.queue.append(number)
        self.flow(lambda root: getattr(root, name).run(number))
        self.deliveries(name)

    @rule(name=st.sampled_from(WORKS), value=st.integers())
    def the_flow_writes(self, name: str, value: int) -> None:
        expected = self.expected[name]
        self.n = value
        if value != expected.x:  # equal values are no change
            expected.x, expected.before = value, []

        def write(root: Any) -> None:
            root.n = value
            getattr(root, name).x = value

        self.flow(write)

    @rule(name=st.sampled_from(WORKS))
    def the_flow_stops_it(self, name: str) -> None:
        expected = self.expected[name]
        for number in [*([expected.active] if expected.active is not None else []), *expected.queue]:
            expected.stages[number] = "stopped"
        expected.active, expected.queue = None, []
        self.flow(lambda root: getattr(root, name).stop())

    def flow(self, step: Any) -> None:
        self.todo.append(step)
        self.core.awake = True
        self.turn()

    def deliveries(self, name: str) -> None:
        """The model delivers the next call if its worker is there and has nothing to do."""
        expected, life = self.expected[name], self.core.crew.lives[f"root.{name}"]
        if life.phase == "attached" and expected.active is None and expected.queue:
            expected.begin_next()

    # -- what workers do ---------------------------------------------------------------------------------------

    def pick(self, number: int, *, running: bool) -> str | None:
        fit = [p for p, w in self.workers.items() if w["attached"] and (w["run"] is not None or not running)]
        return sorted(fit)[number % len(fit)] if fit else None

    @rule(number=st.integers(0, 9))
    def a_worker_dials(self, number: int) -> None:
        fit = sorted(place for place, worker in self.workers.items() if worker["attached"] is False)
        if fit:
            place = fit[number % len(fit)]
            worker, name = self.workers[place], _name(place)
            fresh = worker["received"] == 0
            worker["attached"] = True
            self.turn(m.Attached(place, 1, worker["received"], worker["attempt"]))
            self.deliveries(name)
            if fresh and worker["attached"]:
                self.say(place, m.Ready(self.now))

    @rule(number=st.integers(0, 9), value=st.integers(0, 5))
    def a_work_writes(self, number: int, value: int) -> None:
        place = self.pick(number, running=True)
        if place is not None:
            run, expected = self.workers[place]["run"], self.expected[_name(place)]
            if not self.workers[place].get("began"):
                self.workers[place]["began"] = True
                self.say(place, m.Moved(run.ordinal, run.attempt, "running", self.now))
            expected.before = expected.before or [expected.x]
            expected.x = value
            seen = self.workers[place]["received"]
            self.say(place, m.Changed(seen, (m.Change(("x",), m.SET, value),)))

    @rule(number=st.integers(0, 9), well=st.booleans())
    def a_call_ends(self, number: int, well: bool) -> None:
        place = self.pick(number, running=True)
        if place is not None:
            run, expected = self.workers[place]["run"], self.expected[_name(place)]
            self.workers[place].update(run=None, began=False)
            argument = self.argument(place, run.ordinal)
            failure = None if well else m.Failure("user_exception", "no", "ValueError")
            expected.settle("succeeded" if well else "failed")
            if well:
                expected.values[argument] = run.attempt
            self.say(
                place,
                m.Moved(run.ordinal, run.attempt, "succeeded" if well else "failed", self.now, run.attempt, failure),
            )
            self.deliveries(_name(place))

    @rule(number=st.integers(0, 9))
    def a_process_ends(self, number: int) -> None:
        """One that was told to, or any other."""
        fit = sorted(place for place, worker in self.workers.items() if worker["attached"] is not False)
        if fit:
            place = fit[number % len(fit)]
            expected = self.expected[_name(place)]
            if expected.active is not None and self.workers[place]["attached"]:
                expected.settle("failed")
            del self.workers[place]
            self.turn(m.Exited(place, 1))

    # -- what happens to the host --------------------------------------------------------------------------------

    @rule()
    def a_snapshot_is_kept(self) -> None:
        self.kept = (len(self.records), encode(self.core.snapshot()))

    @precondition(lambda self: self.records)
    @rule(workers_live=st.booleans())
    def the_host_dies(self, workers_live: bool) -> None:
        if not workers_live:
            self.workers.clear()
        for worker in self.workers.values():
            worker["attached"] = worker["attached"] and False  # they dial again; what ends goes on ending
        for name in WORKS:
            if self.place(name) not in self.workers:
                self.expected[name].cut()
        first, data = self.kept or (0, None)
        decoder = msgspec.msgpack.Decoder(m.Record)
        records = [decoder.decode(each) for each in self.records[first:]]
        self.core = self.build()
        kept = None if data is None else decode(data)
        self.commit(self.core.restore(kept, records, codec.load_from_worker, self.now, set(self.workers)))
        self.turn()

    # -- what holds ----------------------------------------------------------------------------------------------

    @invariant()
    def state_and_calls_are_as_the_model_says(self) -> None:
        if not hasattr(self, "core"):
            return
        assert self.core.root.n == self.n
        for name, expected in self.expected.items():
            life = self.core.crew.lives[f"root.{name}"]
            calls = {self.argument(name, call.ordinal): call for call in life.calls.by_key.values()}
            stages = {number: "pending" if call.stage == "running" else call.stage for number, call in calls.items()}
            assert stages == expected.stages, (name, stages, expected.stages)
            assert {n: call.value for n, call in calls.items() if call.stage == "succeeded"} == expected.values
            assert life.work.x == expected.x, (name, life.work.x, expected.x)

    @invariant()
    def no_call_succeeds_twice(self) -> None:
        assert len(self.succeeded) == len(set(self.succeeded))


def _name(place: str) -> str:
    return place.partition("@")[0].rpartition(".")[2]


TestCrashes = Crashes.TestCase
TestCrashes.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
