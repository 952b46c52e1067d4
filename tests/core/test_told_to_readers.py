"""Readers outside the turn are told every status that a flow reads, in the turn in which it is another one."""

from __future__ import annotations

from typing import Any

import lightning as L

from lightning_apps.base import messages as m

from .talk import Root, Talk, Work


class Watched(Talk):
    """A conversation whose every turn is compared with what readers have been told."""

    def __init__(self, root: L.LightningFlow, **options: Any) -> None:
        super().__init__(root, **options)
        self.told = dict(self.core.show_all().statuses)

    def tell(self, *events: Any) -> list[Any]:
        effects = super().tell(*events)
        published = self.outcome.published
        if published is not None:
            for move in published.moves:
                if type(move).__name__ == "Went":
                    self.told.pop(move.name, None)
            self.told.update(published.statuses)
        lives = self.core.crew.lives
        held = {name: tuple(life.statuses()) for name, life in lives.items()}
        assert {name: statuses for name, statuses in self.told.items() if statuses} == {
            name: statuses for name, statuses in held.items() if statuses
        }
        return effects

    def do(self, act: Any) -> list[Any]:
        """The flow does this in its next turn."""
        self.root._acts.append(act)
        self.core.awake = True
        return self.tell()


class Flow(Root):
    """Does once what it is told to."""

    def __init__(self, **children: Any) -> None:
        super().__init__(None, **children)
        self._acts: list[Any] = []

    def run(self) -> None:
        while self._acts:
            self._acts.pop(0)(self)

    def do(self, act: Any) -> None:
        act(self)


def watched(**options: Any) -> Watched:
    return Watched(Flow(w=Work(parallel=True, raise_exception=False, start_with_flow=False, **options)))


def test_of_starts_places_calls_and_ends() -> None:
    talk = watched()

    talk.do(lambda flow: flow.w.start())
    talk.tell(m.Waiting(talk.place("w"), "w waits for 1 GPU"))
    talk.arrive("w")
    talk.do(lambda flow: flow.w.run(1))
    talk.running("w")
    talk.succeed("w", 1)
    talk.do(lambda flow: flow.w.run(2))
    talk.running("w")
    talk.fail("w")
    talk.do(lambda flow: flow.w.retry())
    talk.do(lambda flow: flow.w.run(1))
    talk.do(lambda flow: flow.w.stop())
    talk.tell(talk.exited("w", code=0))
    talk.do(lambda flow: flow.w.run(3))
    talk.tell(m.Waiting(talk.place("w"), "w waits for 1 GPU"))
    talk.tell(m.Refused(talk.place("w"), "there is no GPU"))
    talk.do(lambda flow: flow.w.start())
    talk.tell(m.Refused(talk.place("w"), "there is no GPU"))

    assert talk.told["root.w"][-1].stage == "failed"
    talk.do(lambda flow: delattr(flow, "w"))
    assert talk.told == {}


def test_of_attempts_that_are_made_again() -> None:
    talk = watched(retries=3, backoff=10.0, timeout=60.0)

    talk.do(lambda flow: flow.w.run(1))
    talk.arrive("w")
    talk.running("w")
    talk.fail("w")
    talk.now += 100
    talk.tell()
    talk.running("w")
    talk.tell(talk.exited("w", signal=9))
    talk.now += 100
    talk.tell()
    talk.arrive("w")
    talk.running("w")
    talk.now += 61
    talk.tell()
    assert [status.reason for status in talk.told["root.w"]].count("timeout") == 1
    talk.tell(talk.exited("w", signal=9))
    talk.now += 100
    talk.tell()
    talk.arrive("w")
    talk.running("w")
    talk.tell(talk.exited("w", lost=True))

    assert talk.told["root.w"][-1].reason == "lost with its machine (1 of 5)"


def test_of_what_a_handler_did_and_of_what_it_did_not() -> None:
    talk = watched()

    def falls(flow: Any) -> None:
        flow.w.run(1)
        raise ValueError("no")

    talk.tell(m.Asked("1", "root", "do", (falls,)))
    assert talk.told.get("root.w", ()) == ()
    talk.tell(m.Asked("2", "root", "do", (lambda flow: flow.w.start(),)))
    assert [status.stage for status in talk.told["root.w"]] == ["pending"]
