"""The smallest conversations whose records once brought back something else than what was."""

from __future__ import annotations

from typing import Any

import msgspec

from core.talk import Root, Talk, Work, of
from lightning_apps.base import messages as m
from lightning_apps.core.coordinator import Coordinator
from lightning_apps.model.retry import Backoff
from lightning_apps.wire import codec


class Halting(Root):
    """Its work can be stopped from outside."""

    def halt(self) -> None:
        self.w.stop()


class Recorded(Talk):
    """A conversation that keeps what it recorded."""

    def __init__(self, run: Any = None, **options: Any) -> None:
        self.run, self.how = run, options
        self.records: list[m.Record] = []
        super().__init__(self.build())
        self.keep()

    def build(self) -> Halting:
        return Halting(self.run, w=Work(**{"raise_exception": False, **self.how}))

    def keep(self) -> None:
        record = self.outcome.record
        if not record.empty:
            self.records.append(msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=m.Record))

    def tell(self, *events: Any) -> list[Any]:
        said = [msgspec.structs.replace(e, raw=codec.dump(e.message)) if isinstance(e, m.Said) else e for e in events]
        effects = super().tell(*said)
        self.keep()
        return effects

    def again(self, *alive: str) -> tuple[Coordinator, list[Any]]:
        """A later host, and what it does first."""
        core = Coordinator(self.build())
        return core, core.restore(None, self.records, codec.load_from_worker, self.now, alive).effects

    def running_call(self) -> None:
        """Its work runs a call."""
        self.tell()
        self.arrive("w")
        self.running("w")


def ask_once(root: Any) -> None:
    root.w.run(1)


def test_a_stop_by_a_request_stays_although_a_success_came_in_the_same_turn() -> None:
    talk = Recorded(ask_once, parallel=True)
    talk.running_call()
    talk.tell(m.Asked("1", "root", "halt"), talk.moved("w", "succeeded"))

    core, _ = talk.again(talk.place("w"))

    stage = talk.core.crew.lives["root.w"].calls.latest.stage
    assert core.crew.lives["root.w"].calls.latest.stage == stage


def test_a_call_whose_order_never_reached_its_worker_is_sent_to_it_by_the_next_host() -> None:
    talk = Recorded(ask_once, parallel=True)
    talk.tell()
    talk.tell(m.Attached(talk.place("w"), 1))  # and the host dies before it says a word

    core, _ = talk.again(talk.place("w"))
    effects = core.step([m.Attached(talk.place("w"), 1)], talk.now).effects

    welcome, run = of(effects, m.Welcome) + of(effects, m.Run)
    assert not welcome.message.again and (run.message.ordinal, run.message.attempt) == (1, 1)


def test_a_worker_that_has_the_order_is_not_sent_it_again() -> None:
    talk = Recorded(ask_once, parallel=True)
    talk.running_call()

    core, _ = talk.again(talk.place("w"))
    effects = core.step([m.Attached(talk.place("w"), 1, received=1, attempt=1)], talk.now).effects

    assert of(effects, m.Welcome)[0].message.again and not of(effects, m.Run)


def test_the_place_of_a_retry_is_remembered_although_nothing_else_happened_in_its_turn() -> None:
    talk = Recorded(ask_once, parallel=True, retries=1, backoff=Backoff(1.0, 1.0, 1.0, 0.0))
    talk.running_call()
    talk.tell(talk.exited("w", signal=9))
    talk.now += 2.0
    (place,) = of(talk.tell(), m.Place)
    talk.arrive("w")
    talk.succeed("w")

    core, effects = talk.again(place.place)

    assert core.crew.lives["root.w"].place == place.place == "root.w@2"
    assert core.crew.lives["root.w"].calls.successes == 1 and not of(effects, m.Place)


def test_a_start_while_the_process_is_ending_is_remembered() -> None:
    def run(root: Any) -> None:
        if root._turns == 1:
            root.w.start()
        elif root.w.has_started and not root.n:
            root.n = 1
            root.w.stop()
            root.w.start()

    talk = Recorded(run, parallel=True, start_with_flow=False)
    talk.tell()
    talk.arrive("w")
    talk.settle()

    core, effects = talk.again()

    assert core.crew.lives["root.w"].wanted
    assert [place.place for place in of(effects, m.Place)] == ["root.w@2"]


def test_what_the_flow_wrote_while_an_attempt_ran_outlives_its_failure() -> None:
    def run(root: Any) -> None:
        root.w.run(1)
        if root.w.x == 5 and "flow" not in root.w.items:
            root.w.items.append("flow")
            root.w.x = 7

    talk = Recorded(run, parallel=True, retries=1, backoff=0.0)
    talk.running_call()
    changes = (m.Change(("x",), m.SET, 5), m.Change(("items",), m.SPLICE, [0, 0, ["work"]]))
    talk.tell(talk.said("w", m.Changed(talk.core.crew.lives["root.w"].mirror.version, changes)))
    talk.settle()
    assert talk.root.w.items == ["work", "flow"]
    talk.fail("w")
    talk.settle()

    core, _ = talk.again(talk.place("w"))

    assert (talk.root.w.x, talk.root.w.items) == (7, ["flow"])
    assert (core.root.w.x, core.root.w.items) == (7, ["flow"])


def test_what_on_start_writes_is_no_trace_of_the_attempt_before() -> None:
    talk = Recorded(ask_once, parallel=True)
    talk.running_call()
    talk.tell(talk.exited("w", lost=True))
    talk.tell(m.Attached(talk.place("w"), 1))
    version = talk.core.crew.lives["root.w"].mirror.version
    talk.tell(talk.said("w", m.Changed(version, (m.Change(("x",), m.SET, 3),))))
    talk.tell(talk.said("w", m.Ready(talk.now)))
    talk.settle()

    assert talk.core.crew.lives["root.w"].base == {}
    assert talk.root.w.x == 3


def ask_both(root: Any) -> None:
    root.w.run(1)
    root.w.run(2)


def test_calls_whose_failure_ended_the_app_are_made_again_when_it_is_resumed() -> None:
    talk = Recorded(ask_both, parallel=True, raise_exception=True)
    talk.running_call()
    effects = talk.tell(talk.moved("w", "failed", failure=m.Failure("user_exception", "ValueError: no")))
    assert of(effects, m.Exit)

    core, effects = talk.again(talk.place("w"))

    first, second = core.crew.lives["root.w"].calls.by_key.values()
    assert (first.ordinal, second.ordinal) == (2, 1)  # the one that failed waits its turn again
    assert first.stage == second.stage == "pending"
    (said,) = of(effects, m.Say)
    assert "root.w had failed, which ended the app: run(1) is made again." in said.message


def test_a_failure_that_the_flow_lives_with_stays_one_when_the_app_is_resumed() -> None:
    talk = Recorded(ask_once, parallel=True)
    talk.running_call()
    talk.tell(talk.moved("w", "failed", failure=m.Failure("user_exception", "ValueError: no")))

    core, effects = talk.again(talk.place("w"))

    assert core.crew.lives["root.w"].calls.latest.stage == "failed" and not of(effects, m.Say)
