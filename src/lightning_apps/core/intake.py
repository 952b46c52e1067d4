"""Takes in what happened, one event at a time: noted for the record, and told to whom it concerns.  Does not run the flow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..base import messages as m
from ..base.messages import Change, Event
from .crew import Crew
from .failures import Failures
from .ledger import Ledger
from .life import Life
from .watched import Watched


class Intake:
    """One way in for everything.

    Args:
        offer_port: makes sure that a work has a port.
        asked: answers a request from outside.
    """

    def __init__(
        self,
        crew: Crew,
        ledger: Ledger,
        watched: Watched,
        failures: Failures,
        offer_port: Callable[[Life], int],
        asked: Callable[[m.Asked | m.Edited], bool],
    ) -> None:
        self._crew, self._ledger, self._watched, self._failures = crew, ledger, watched, failures
        self._offer_port, self._answer = offer_port, asked

    def take(self, event: Event) -> bool:
        """Take in one event; whether the flow should see it."""
        if isinstance(event, m.Said):
            return self.heard(event)
        if not isinstance(event, (m.Asked, m.Edited)):
            self._ledger.record.taken.append(event)
        handler = HANDLERS[type(event)]
        before = self._failures.count
        woken = bool(handler(self, event))
        if self._failures.count > before:
            self._failures.tell(before)
        return woken

    def take_last(self, event: Event) -> None:
        """After the end of the app: what works still say is taken in, and what is known of their processes."""
        if isinstance(event, m.Said):
            self.heard(event)
        elif isinstance(event, m.Started):
            self._ledger.record.taken.append(event)
            self._started(event)
        elif isinstance(event, m.Exited) and (life := self._crew.places.get(event.place)) is not None:
            self._ledger.record.taken.append(event)
            self._release(life)

    def heard(self, event: m.Said) -> bool:
        """A worker said something: changes count at once, words about calls after the changes before them."""
        life = self._crew.places.get(event.place)
        if life is None or event.offset <= life.mirror.heard:
            return False
        life.mirror.heard = event.offset
        self._ledger.record.taken.append(m.Heard(event.place, event.offset, event.raw))
        message = event.message
        if type(message) is m.Changed:
            self._changed(life, event.place, message)
            if life.held and not life.mirror.asking:
                self._release(life)
            return True
        life.held.append(message)
        return False if life.mirror.asking else self._release(life)

    def _changed(self, life: Life, place: str, message: m.Changed) -> None:
        if life.tracking:
            for change in message.changes:
                life.remember(change.path[0])
        for whole in life.mirror.absorb(life.work, message):
            self._ledger.emit(m.Send(place, whole))
        self._ledger.shown.said(life.work, _applied(message.changes, life.mirror.refused))
        if opaque := life.work._lit_opaque:
            for attribute in {change.path[0] for change in message.changes} & opaque:
                self._watched.knows(life.work, attribute)  # the work's own news, not the flow's

    def _release(self, life: Life) -> bool:
        """Take in what a worker said of its calls, once all that it had done before is here."""
        held, life.held = life.held, []
        for message in held:
            self._word(life, message)
        return True

    def _word(self, life: Life, message: Any) -> None:
        before = self._failures.count
        self._crew.stirred.add(life.name)
        if isinstance(message, m.Moved):
            self._crew.call_moved(life, message)
        elif isinstance(message, m.Ready):
            self._crew.ready(life, message)
        elif isinstance(message, m.Checkpoint):
            self._crew.checkpointed(life, message)
        if self._failures.count > before:
            self._failures.tell(before)

    def _attached(self, event: m.Attached) -> bool:
        life = self._crew.places.get(event.place)
        if life is not None:
            self._crew.stirred.add(life.name)
            self._offer_port(life)
        return self._crew.attached(event)

    def _started(self, event: m.Started) -> bool:
        life = self._crew.places.get(event.place)
        if life is not None:
            life.pid, life.began = event.pid, event.began
        return False

    def _exited(self, event: m.Exited) -> bool:
        life = self._crew.places.get(event.place)
        if life is not None:
            self._crew.stirred.add(life.name)
            self._release(life)
        return self._crew.exited(event)

    def _got(self, event: m.Got) -> bool:
        life = self._crew.places.get(event.place)
        if life is not None:
            life.mirror.received(event.version)
        return False

    def _waiting(self, event: m.Waiting) -> bool:
        self._stir(event.place)
        return self._crew.waiting(event)

    def _refused(self, event: m.Refused) -> bool:
        self._stir(event.place)
        return self._crew.refused(event)

    def _stir(self, place: str) -> None:
        life = self._crew.places.get(place)
        if life is not None:
            self._crew.stirred.add(life.name)

    def _asked(self, event: m.Asked | m.Edited) -> bool:
        return self._answer(event)

    def _noted(self, event: Event) -> bool:
        """Nothing follows from it."""
        return False


def _applied(changes: tuple[Change, ...], refused: list[Change]) -> Iterable[Change]:
    return [change for change in changes if not any(change is each for each in refused)] if refused else changes


HANDLERS: dict[type, Callable[[Intake, Any], bool]] = {
    m.Attached: Intake._attached,
    m.Detached: Intake._noted,
    m.Started: Intake._started,
    m.Waiting: Intake._waiting,
    m.Silent: Intake._noted,
    m.Refused: Intake._refused,
    m.Exited: Intake._exited,
    m.Got: Intake._got,
    m.EngineClosed: Intake._noted,
    m.Asked: Intake._asked,
    m.Edited: Intake._asked,
}
