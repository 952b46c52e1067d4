"""Conversations with a coordinator: events go in, effects are looked at.  No process, no clock."""

from __future__ import annotations

from typing import Any

import lightning as L

from lightning_apps.base import messages as m
from lightning_apps.core.coordinator import Coordinator, Options


class Work(L.LightningWork):
    """A work whose `run` is never run here."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.x, self.items = 0, []

    def run(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("run by the flow")


class Root(L.LightningFlow):
    """A flow whose `run` is given from outside; `turns` counts how often it ran."""

    def __init__(self, run: Any = None, **children: Any) -> None:
        super().__init__()
        self._run, self._turns = run, 0
        self.n = 0
        for name, child in children.items():
            setattr(self, name, child)

    def run(self) -> None:
        self._turns += 1
        if self._run is not None:
            self._run(self)

    def take(self, n: int) -> None:
        self.n = n


class Talk:
    """One conversation; `now` is the time of the next step."""

    def __init__(self, root: L.LightningFlow, **options: Any) -> None:
        self.root, self.now = root, 1000.0
        self.core = Coordinator(root, Options(**options))
        self.offsets: dict[str, int] = {}
        self.outcome = self.core.begin(self.now)

    def tell(self, *events: Any) -> list[Any]:
        """One turn."""
        self.outcome = self.core.step(events, self.now)
        return self.outcome.effects

    def said(self, name: str, message: Any) -> Any:
        """The event of a worker's next words."""
        place = self.place(name)
        self.offsets[place] = self.offsets.get(place, 0) + 1
        return m.Said(place, self.offsets[place], message)

    def place(self, name: str) -> str:
        return self.core.crew.lives[f"root.{name}"].place

    def arrive(self, *names: str) -> list[Any]:
        """These works' workers dial in and are ready, each in a turn of its own."""
        effects = []
        for name in names:
            effects += self.tell(m.Attached(self.place(name), 1))
            effects += self.tell(self.said(name, m.Ready(self.now)))
        return effects

    def moved(self, name: str, stage: str, value: Any = None, failure: Any = None) -> Any:
        """The event that the call under way reached a stage."""
        call = self.core.crew.lives[f"root.{name}"].calls.active
        return self.said(name, m.Moved(call.ordinal, call.attempt, stage, self.now, value, failure))

    def running(self, name: str) -> list[Any]:
        return self.tell(self.moved(name, "running"))

    def succeed(self, name: str, value: Any = None) -> list[Any]:
        return self.tell(self.moved(name, "succeeded", value))

    def fail(self, name: str, text: str = "boom") -> list[Any]:
        return self.tell(self.moved(name, "failed", None, m.Failure("user_exception", text, "ValueError")))

    def exited(self, name: str, **how: Any) -> Any:
        return m.Exited(self.place(name), **how)

    def ask(self, method: str, *args: Any, component: str = "root") -> Any:
        """One turn with a request; what it was answered."""
        effects = self.tell(m.Asked("1", component, method, args))
        (reply,) = of(effects, m.Reply)
        return reply

    @property
    def wakes_at(self) -> float | None:
        """When the next turn is, apart from looks at layouts."""
        due, self.core.layouts.due = self.core.layouts.due, None
        try:
            return self.core.wake_at
        finally:
            self.core.layouts.due = due

    def settle(self, limit: int = 50) -> list[Any]:
        """Turns until the flow has no reason to run; all their effects."""
        effects = self.tell()
        for _ in range(limit):
            if self.core.wake_at != 0.0:
                return effects
            effects += self.tell()
        raise AssertionError("the flow never rests")


def of(effects: list[Any], kind: type) -> list[Any]:
    """Effects of one kind; of a message's kind: the Sends of it."""
    return [e for e in effects if isinstance(e, kind) or (isinstance(e, m.Send) and isinstance(e.message, kind))]
