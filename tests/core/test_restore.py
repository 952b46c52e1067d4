"""A snapshot, and the records after it, bring back everything in a fresh tree."""

from __future__ import annotations

import pickle
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_apps.base import messages as m
from lightning_apps.base.encoding import decode, encode
from lightning_apps.base.errors import StateMismatch
from lightning_apps.base.messages import Effect, Failure, Record
from lightning_apps.core.calls import CallTable
from lightning_apps.core.coordinator import Coordinator, Options
from lightning_apps.core.lineage import _structures
from lightning_apps.model.containers import Dict, List
from lightning_apps.model.flow import LightningFlow
from lightning_apps.model.work import LightningWork
from lightning_apps.wire import codec


class Task(LightningWork):
    """A work with state; `size` is known to its `__init__` only."""

    def __init__(self, size: int = 1, parallel: bool = True) -> None:
        super().__init__(
            parallel=parallel, cache_calls=size % 3 != 0, raise_exception=False, start_with_flow=size % 2 == 0
        )
        self.items: Any = [0] * size
        self.loss: Any = None
        self._size = size

    def run(self, *args: Any, **named: Any) -> None:
        """Its results are made up by the test."""


class Group(LightningFlow):
    """A flow with a work, and two that it can lose."""

    def __init__(self, label: str = "") -> None:
        super().__init__()
        self.label = label
        self.spare: Any = 1
        self.first = Task(2)
        self.second: Any = Task(3)

    def run(self) -> None:
        """Run by nobody."""


class Root(LightningFlow):
    """Does what it is told to in its next turn."""

    def __init__(self) -> None:
        super().__init__()
        self.note: Any = None
        self.work: Any = Task(4)
        self.group = Group("born")
        self.listed: Any = List(Task(1), Group("listed"))
        self.named: Any = Dict(a=Task(5))
        self.later: Any = None
        self._todo: list[Any] = []

    def run(self) -> None:
        todo, self._todo = self._todo, []
        for act in todo:
            act(self)


class World:
    """A coordinator whose workers and journal are played by a test; `rng` decides what happens."""

    def __init__(self, seed: int) -> None:
        self.rng, self.now = random.Random(seed), 1000.0
        self.root = Root()
        self.coordinator = Coordinator(self.root, Options())
        self.records: list[Record] = []
        self.offsets: dict[str, int] = {}
        self.inbox: list[m.Event] = []
        self.runs: list[tuple[str, m.Run]] = []
        self.take(self.coordinator.begin(self.now))

    def take(self, outcome: m.Outcome) -> None:
        self.records.append(msgspec.msgpack.decode(msgspec.msgpack.encode(outcome.record), type=Record))
        for effect in outcome.effects:
            self.perform(effect)

    def perform(self, effect: Effect) -> None:
        if isinstance(effect, m.Place):
            self.inbox += [m.Started(effect.place, 7), m.Attached(effect.place, 7)]
            self.say(effect.place, m.Ready(self.now))
        elif isinstance(effect, m.Stop):
            self.inbox.append(m.Exited(effect.place, 0))
        elif isinstance(effect, m.Send):
            codec.dump(effect.message)
            if isinstance(effect.message, m.Run):
                self.runs.append((effect.place, effect.message))

    def say(self, place: str, message: Any) -> None:
        self.offsets[place] = self.offsets.get(place, 0) + 1
        raw = codec.dump(message)
        self.inbox.append(m.Said(place, self.offsets[place], codec.load_from_worker(raw), raw))

    def step(self) -> None:
        self.now += self.rng.choice([0.01, 1.0, 100.0])
        count = self.rng.randrange(len(self.inbox) + 1)
        events, self.inbox = self.inbox[:count], self.inbox[count:]
        self.take(self.coordinator.step(events, self.now))

    def flow_acts(self) -> None:
        act, value = self.rng.choice(ACTS), self.rng.randrange(100)
        self.root._todo.append(lambda root: act(root, value))
        self.coordinator.awake = True

    def worker_acts(self) -> None:
        if not self.runs:
            return
        place, order = self.runs[self.rng.randrange(len(self.runs))]
        life = self.coordinator.crew.places.get(place)
        if life is None or life.calls.active is None or life.calls.active.attempt != order.attempt:
            self.runs.remove((place, order))
            return
        change = m.Change(("loss",), m.SET, (self.rng.random(), "é", 2**70))
        stage = self.rng.choice(["change", "running", "succeeded", "failed", "died"])
        if stage == "change":
            self.say(place, m.Changed(life.mirror.version, (change, m.Change(("items",), m.SPLICE, [0, 0, [1]]))))
        elif stage == "died":
            self.inbox.append(m.Exited(place, 1))
        else:
            failure = m.Failure("user_exception", "Oops", "ValueError") if stage == "failed" else None
            self.say(
                place,
                m.Moved(order.ordinal, order.attempt, stage, self.now, (1, {2: {3}}) if not failure else None, failure),
            )


def _delete(root: Root, value: int) -> None:
    group: Any = root.group
    if group.second is not None:
        group.second.delete()
        group.second = None if value % 2 else Task(value % 7)
    else:
        group.second = Task(value % 5)


def _call(root: Root, value: int) -> None:
    works = root.works()
    works[value % len(works)].run(value % 4, tag=("x", value % 2))


def _stop(root: Root, value: int) -> None:
    works = root.works()
    works[value % len(works)].stop()


def _grow(root: Root, value: int) -> None:
    root.listed.insert(value % (len(root.listed) + 1), Group(str(value)) if value % 2 else Task(value % 6))


def _shrink(root: Root, value: int) -> None:
    if root.listed:
        root.listed.pop(value % len(root.listed))


def _name(root: Root, value: int) -> None:
    key = "abc"[value % 3]
    if value % 5 == 0:
        root.named.pop(key, None)
    else:
        root.named[key] = Task(value % 6) if value % 2 else Group(key)


def _later(root: Root, value: int) -> None:
    if value % 7 == 0 and "later" in {*root._lit_children, *root._lit_state}:
        del root.later
    else:
        root.later = [List(), Dict(), None, [Task(1), Task(2)]][value % 4]


def _deep(root: Root, value: int) -> None:
    groups = [flow for flow in root.flows.values() if isinstance(flow, Group)]
    group: Any = groups[value % len(groups)]
    if value % 3 == 0 and "extra" not in group._lit_children:
        made = Group("inner")
        made.extra = Task(3)
        group.extra = made
    elif value % 3 == 1 and "spare" in group._lit_state:
        del group.spare
    else:
        group.label += str(value)
    for work in group.works():
        work.items.append(value)


def _schedule(root: Root, value: int) -> None:
    if root.schedule(["* * * * *", "hourly"][value % 2]):
        root.note = ("due", value)


def _iterate(root: Root, value: int) -> None:
    for item in root.experimental_iterate(range(5), user_key=str(value % 2)):
        root.note = {value: {item}}
        root.work.run("step", item)
        break


ACTS = [_delete, _call, _call, _call, _stop, _grow, _grow, _shrink, _name, _later, _deep, _deep, _schedule, _iterate]


def live(seed: int, steps: int) -> World:
    world = World(seed)
    for _ in range(steps):
        world.rng.choice([world.flow_acts, world.worker_acts, world.step, world.step])()
    return world


def everything(coordinator: Coordinator) -> dict[str, Any]:
    """What has to survive; processes have not."""
    lives = coordinator.crew.lives
    return {
        "state": [(name, work._lit_values()) for name, work in coordinator.tree.items()],
        "classes": {name: type(each) for name, each in coordinator.tree.items()},
        "order": sorted(_structures(coordinator.tree)),
        "private": {name: each._size for name, each in coordinator.tree.items() if isinstance(each, Task)},
        "calls": {name: life.calls.shape() for name, life in lives.items()},
        "placements": {name: life.placements for name, life in lives.items()},
        "latest": {name: life.calls.latest and life.calls.latest.key for name, life in lives.items()},
        "unsettled": {name: [call.key for call in life.calls.unsettled()] for name, life in lives.items()},
        "wanted": {name: life.wanted for name, life in lives.items()},
        "timers": coordinator.schedules.dump(),
        "departed": coordinator.crew._departed,
    }


def whole(coordinator: Coordinator) -> dict[str, Any]:
    """All that a snapshot keeps of the works that have a process, and when something is due."""
    lives = {name: decode(encode(life.dump())) for name, life in coordinator.crew.lives.items() if life.place}
    return {"lives": lives, "alarms": coordinator.crew.alarms.dump(), "places": sorted(coordinator.crew.places)}


def sorted_state(found: dict[str, Any]) -> dict[str, Any]:
    """Attributes in the order of their names; the layout is output, made again in the next turn."""
    states = {name: {key: values[key] for key in sorted(values) if key != "_layout"} for name, values in found["state"]}
    return {**found, "state": states}


def everywhere(coordinator: Coordinator) -> set[str]:
    return set(coordinator.crew.places)


@given(st.integers(0, 2**32), st.integers(0, 60))
@settings(max_examples=150, deadline=None)
def test_a_snapshot_brings_everything_back(seed: int, steps: int) -> None:
    world = live(seed, steps)
    kept = encode(world.coordinator.snapshot())

    fresh = Coordinator(Root())
    fresh.restore(decode(kept), now=world.now, alive=everywhere(world.coordinator))

    assert sorted_state(everything(fresh)) == sorted_state(everything(world.coordinator))
    assert fresh.root.group.state["works"] == world.root.group.state["works"]
    assert whole(fresh) == whole(world.coordinator)


@given(st.integers(0, 2**32), st.integers(0, 60), st.floats(0, 1))
@settings(max_examples=150, deadline=None)
def test_records_after_a_snapshot_bring_back_what_followed_it(seed: int, steps: int, when: float) -> None:
    world = live(seed, int(steps * when))
    kept, known = encode(world.coordinator.snapshot()), len(world.records)
    for _ in range(steps - int(steps * when)):
        world.rng.choice([world.flow_acts, world.worker_acts, world.step, world.step])()

    fresh = Coordinator(Root())
    fresh.restore(decode(kept), world.records[known:], codec.load_from_worker, world.now, everywhere(world.coordinator))

    assert sorted_state(everything(fresh)) == sorted_state(everything(world.coordinator))


@given(st.integers(0, 2**32), st.integers(0, 40))
@settings(max_examples=100, deadline=None)
def test_records_alone_bring_everything_back(seed: int, steps: int) -> None:
    world = live(seed, steps)

    fresh = Coordinator(Root())
    fresh.restore(None, world.records, codec.load_from_worker, world.now, everywhere(world.coordinator))

    assert sorted_state(everything(fresh)) == sorted_state(everything(world.coordinator))
    assert whole(fresh) == whole(world.coordinator)


@given(st.integers(0, 2**32), st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_after_a_restore_calls_that_were_not_settled_get_a_new_worker(seed: int, steps: int) -> None:
    world = live(seed, steps)
    busy = {name for name, life in world.coordinator.crew.lives.items() if life.busy}

    fresh = Coordinator(Root())
    outcome = fresh.restore(decode(encode(world.coordinator.snapshot())), now=world.now)

    placed = {effect.work: effect.place for effect in outcome.effects if isinstance(effect, m.Place)}
    assert busy <= set(placed) and [entry[0] for entry in outcome.record.done] == ["resumed"]
    assert not set(placed.values()) & everywhere(world.coordinator)
    for name in busy:
        run = fresh.step([m.Attached(placed[name], 1)], world.now)
        sent = [e.message for e in run.effects if isinstance(e, m.Send) and e.place == placed[name]]
        assert isinstance(sent[0], m.Welcome) and isinstance(sent[-1], m.Run)
        assert sent[-1].attempt > world.coordinator.crew.lives[name].calls.attempts


def test_a_snapshot_of_a_newer_version_is_refused() -> None:
    kept = Coordinator(Root()).snapshot()

    with pytest.raises(
        StateMismatch, match=r"format 99, and this version reads \d+: resume it with the newer version\."
    ):
        Coordinator(Root()).restore({**kept, "format": 99})
    with pytest.raises(StateMismatch, match=r"format 1, and .* the older version\."):
        Coordinator(Root()).restore({**kept, "format": 1})


def test_half_a_character_in_a_message_keeps_nobody_from_saving() -> None:
    table = CallTable(5)
    table.open("a" * 32, b"arguments", 1.0)
    call = table.next()
    assert call is not None
    call.failure, call.checkpoint, call.value = Failure("died", "half \udc80", "E"), {"x": 1}, [0]
    call.move("failed", 2.0, "why \udc80", "half \udc80")
    call.move("pending", 3.0)
    call.move("running", 4.0, "well", None)

    again = CallTable(5)
    again.load(decode(encode(table.dump())))

    (back,) = again.by_key.values()
    assert back.failure == Failure("died", "half \\udc80", "E")
    assert [(s.reason, s.message) for s in back.statuses] == [(None, None), ("well", None)]
    assert (back.checkpoint, back.value, back.attempt, back.sent) == ({"x": 1}, [0], 1, True)
    call.failure = None
    call.move("failed", 2.0, "why \udc80", "half \udc80")
    again.load(decode(encode(table.dump())))
    (back,) = again.by_key.values()
    assert (back.failure, back.statuses[-1].reason, back.statuses[-1].message) == (None, "why \\udc80", "half \\udc80")


def test_an_attribute_that_the_class_has_got_since_keeps_its_value() -> None:
    world = World(1)
    kept = decode(encode(world.coordinator.snapshot()))
    del kept["tree"]["state"]["root"][0]["note"]

    fresh = Coordinator(Root())
    fresh.root.note = "new"
    fresh.restore(kept)

    assert fresh.root.note == "new"


class Unsendable(LightningWork):
    """Made with something that cannot be pickled, and holding it."""

    def __init__(self, function: Any) -> None:
        super().__init__(parallel=True)
        self._function = function

    def run(self) -> None:
        """Never."""


def test_a_component_that_cannot_be_made_again_is_named() -> None:
    world = World(1)
    world.root._todo.append(lambda root: root.listed.append(Unsendable(lambda: None)))
    world.coordinator.awake = True
    world.step()
    kept = decode(encode(world.coordinator.snapshot()))

    with pytest.raises(StateMismatch, match=r"root\.listed\.2 was made while the app ran"):
        Coordinator(Root()).restore(kept)


def test_arguments_come_back_as_they_were() -> None:
    world = World(1)
    world.root._todo.append(lambda root: root.work.run(5, tag=(1, 2)))
    world.coordinator.awake = True
    world.step()

    fresh = Coordinator(Root())
    fresh.restore(decode(encode(world.coordinator.snapshot())))

    assert pickle.loads(fresh.crew.lives["root.work"].calls.unsettled()[0].arguments) == ((5,), {"tag": (1, 2)})
