"""The binding of every component in the host: what components say and ask, handed to whoever sees to it.  Knows nothing of events."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import msgspec

from ..base.encoding import encode_change
from ..base.errors import WrongPlace
from ..base.status import WorkStatus
from ..model.component import Component
from ..model.flow import LightningFlow
from ..model.retry import Policy
from ..model.work import LightningWork
from .asking import Asking
from .crew import Crew
from .ledger import Ledger
from .life import Life
from .members import Members
from .options import Options
from .pace import Pace
from .timers import Schedules, schedule_key
from .undo import Undo
from .watched import Watched


class FlowSide:
    """What flows, and works as their flows see them, are bound to."""

    context = "flow"
    files = None

    def __init__(
        self,
        options: Options,
        crew: Crew,
        ledger: Ledger,
        undo: Undo,
        watched: Watched,
        pace: Pace,
        asking: Asking,
        members: Members,
        schedules: Schedules,
    ) -> None:
        self._options, self._crew, self._ledger, self._undo = options, crew, ledger, undo
        self._watched, self._pace, self._asking, self._members = watched, pace, asking, members
        self._schedules = schedules
        self._thread = options.thread()

    def open_turn(self) -> None:
        """The thread that runs the turn is the flow's thread."""
        self._thread = self._options.thread()

    def check_thread(self, component: Component) -> None:
        """State may be assigned only on the flow's thread."""
        if self._options.thread() != self._thread:
            raise WrongPlace(
                f"The state of {component.name} can be set only on the flow's thread. From another thread or process use AppState()."
            )

    def moved(self, component: Component, path: tuple[Any, ...], op: int, value: Any, old: Any) -> None:
        """The flow's side changed state: recorded, and said to the work concerned at the end of the turn."""
        data = encode_change(path, op, value)
        name = component.name
        self._ledger.record.done.append(["set", name, data])
        self._ledger.shown.did(name, path, op, data)
        self._pace.moved(name, path)
        life = self._crew.lives.get(name)
        if life is not None:
            life.mirror.note(path, msgspec.Raw(data))
            self._ledger.moved[name] = life
            if path[0] in life.base:
                self._overrule(life, path, op, value)
            if path[0] == "_cloud_compute":
                self._crew.resting.note(life)
        self._undo.changed(component, path, op, value, old, life)
        if component._lit_opaque and path[0] in component._lit_opaque:
            self._undo.later(self._watched.way_back(name, path[0]))
            self._watched.knows(component, path[0])

    def _overrule(self, life: Life, path: tuple[Any, ...], op: int, value: Any) -> None:
        before = life.base[path[0]]
        self._undo.later(lambda: life.base.__setitem__(path[0], before))
        life.overrule(path, op, value)

    def attached(self, child: Component) -> None:
        """A component made while the app runs came into the tree."""
        self._members.come(child, self)

    def detached(self, child: Component) -> None:
        """A component left the tree, with everything below it."""
        self._members.go(child)

    def arranged(self, flow: Component, name: str, kind: str) -> None:
        """A structure came, or went, empty or not: its elements are said on their own."""
        self._members.arrange(flow, name, kind)

    def call(
        self,
        work: LightningWork,
        plain: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        policy: Policy | None = None,
    ) -> Any:
        """A flow asks for a call."""
        return self._asking.call(work, args, kwargs, policy)

    def start(self, work: LightningWork) -> None:
        """Start the process; a work that is not parallel ends the turn until it has started."""
        self._asking.start(work)

    def stop(self, work: LightningWork, delete: bool = False) -> None:
        """The status is "stopped" at once."""
        self._asking.stop(work, delete)

    def retry(self, work: LightningWork) -> None:
        """Ask again for the last call if it failed or was stopped."""
        self._asking.retry(work)

    def statuses(self, work: LightningWork) -> list[WorkStatus]:
        """Of the call asked for last."""
        life = self._crew.lives.get(work.name)
        return life.statuses() if life is not None else []

    def calls(self, component: Component) -> dict[str, Any]:
        """The `calls` of `state`."""
        life = self._crew.lives.get(component.name)
        if life is not None:
            return life.calls.shape()
        return {}

    def attempt(self, work: LightningWork) -> int:
        """The number of the last delivery of a call of this work."""
        life = self._crew.lives.get(work.name)
        return life.calls.attempts if life is not None else 0

    def checkpoint(self, work: LightningWork, values: dict[str, Any]) -> None:
        """Only the work itself, while it runs, has something to keep."""
        raise WrongPlace(f"{work.name}.checkpoint() is for the work's own run, not for its flow.")

    def last_checkpoint(self, work: LightningWork) -> dict[str, Any] | None:
        """What an attempt of the call asked for last left for the next."""
        life = self._crew.lives.get(work.name)
        return life.calls.latest.checkpoint if life is not None and life.calls.latest is not None else None

    def successes(self, work: LightningWork) -> int:
        """How many calls of this work have succeeded."""
        life = self._crew.lives.get(work.name)
        return life.calls.successes if life is not None else 0

    def timeouts(self, work: LightningWork) -> int:
        """How often the call asked for last took too long."""
        life = self._crew.lives.get(work.name)
        return life.calls.latest.timeouts if life is not None and life.calls.latest is not None else 0

    def port(self, work: LightningWork) -> int:
        """The port handed out to this work: the same one for whoever reads it first."""
        return self.offer_port(self._asking.life_of(work))

    def offer_port(self, life: Life) -> int:
        """The port of the work with this life, from now on."""
        if not life.offered_port:
            life.offered_port = self._options.free_port()
            self._ledger.record.done.append(["port", life.name, life.offered_port])
        return life.offered_port

    def schedule(
        self, flow: LightningFlow, code: types.CodeType, line: int, user_key: str | None, pattern: str, start: Any
    ) -> bool:
        """True at once the first time, then once per due time; the turn that reaches the line takes it."""
        key = schedule_key(flow.name, pattern, user_key, code, line, type(flow))
        return self._schedules.ask(key, pattern, start, self._crew.now)
