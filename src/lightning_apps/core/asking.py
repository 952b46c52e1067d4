"""What a flow asks of its works: calls, starts and stops, and where that ends its turn.  Knows nothing of how works come to it."""

from __future__ import annotations

from typing import Any

from ..base import messages as m
from ..base.errors import Blocked, CannotSend, NotAttached
from ..base.status import WorkStageStatus as Stage
from ..base.traces import place_in_user_code
from ..model.retry import Policy
from ..model.work import LightningWork
from .arguments import describe_arguments, dump_arguments
from .calls import Call
from .crew import Crew
from .keys import Keys
from .ledger import Ledger
from .life import ATTACHED, LEAVING, NOWHERE, Life
from .undo import Undo


class Asking:
    """What was asked in the turn under way, and whether it waits.

    Attributes:
        handling: a handler runs, not the flow: it goes on where a flow would wait.
    """

    def __init__(self, crew: Crew, ledger: Ledger, undo: Undo) -> None:
        self._crew, self._ledger, self._undo = crew, ledger, undo
        self._keys = Keys(self._warn_key)
        self._spoken: dict[str, Call | None] = {}  # works whose status is of another call now, and of which it was
        self._blocked = False
        self.handling = False

    def open_turn(self) -> None:
        """Nothing waits yet."""
        self._blocked = False

    def close_turn(self) -> None:
        """What the works' statuses are of now, where that changed."""
        for name, before in self._spoken.items():
            life = self._crew.lives.get(name)
            if life is not None and life.calls.latest is not None and life.calls.latest is not before:
                self._ledger.record.done.append(["latest", name, life.calls.latest.key])
        self._spoken.clear()

    def call(self, work: LightningWork, args: tuple[Any, ...], kwargs: dict[str, Any], policy: Policy | None) -> Any:
        """A flow asks for a call; see the table in `semantics`: known or new, parallel or not, cached or not."""
        life = self.life_of(work)
        try:
            key = self._keys.of(args, kwargs)
        except CannotSend as error:
            raise CannotSend(f"{work.name}.run{describe_arguments(args, kwargs)}: {error}.") from None
        found = life.calls.find(key)
        if self._blocked:
            return self._after_blocked(life, key)
        if self._to_open(life, key, found):
            self._undo.opening(life, key)
            self._crew.stirred.add(life.name)
            self._crew.open(life, key, dump_arguments(work, args, kwargs), policy)
        elif (
            found is not None
            and life.calls.latest is not found
            and not (found.stage == Stage.SUCCEEDED and work.cache_calls)
        ):
            self._speak_of(life, found)
        if work.parallel or (life.calls.done(key) and work.cache_calls):
            return life.calls.value(key) if life.calls.done(key) else None
        return self._block()

    def _speak_of(self, life: Life, call: Call) -> None:
        """It was asked for again, so the status is its status.  Only where a turn ends with another one is that news."""
        before = life.calls.latest
        self._crew.stirred.add(life.name)
        if life.name not in self._spoken:
            self._spoken[life.name] = before
            self._undo.later(lambda: self._spoken.__delitem__(life.name))
        self._undo.later(lambda: setattr(life.calls, "latest", before))
        life.calls.latest = call

    def _block(self) -> None:
        """The turn ends here, a handler goes on."""
        if not self.handling:
            self._blocked = True
            raise Blocked

    def _to_open(self, life: Life, key: str, call: Call | None) -> bool:
        if call is None:
            return not (life.calls.done(key) and life.work.cache_calls)
        return call.stage == Stage.SUCCEEDED and not life.work.cache_calls

    def _after_blocked(self, life: Life, key: str) -> Any:
        """Somebody caught `Blocked`: nothing more is opened in this turn."""
        self._ledger.emit(
            m.Say("warning", f"A call of {life.name} at {place_in_user_code()} was not made: this turn already waits for another "
                  "work. Don't catch BaseException, or use a bare `except:`, around a call that waits.", once=True)
        )  # fmt: skip
        if life.calls.done(key) or life.work.parallel:
            return life.calls.value(key)
        raise Blocked

    def _warn_key(self, text: str) -> None:
        self._ledger.emit(m.Say("warning", text, once=True))

    def life_of(self, work: LightningWork) -> Life:
        """The life of a work that is in the tree.

        Raises:
            NotAttached: it is not.
        """
        life = self._crew.lives.get(work.name)
        if life is None or life.work is not work:
            raise NotAttached(
                f"Failed to create process for {type(work).__name__}. Make sure to set this work as an attribute of a "
                "`LightningFlow` before calling the run method."
            )
        return life

    def start(self, work: LightningWork) -> None:
        """Start the process; a work that is not parallel ends the turn until it has started."""
        life = self.life_of(work)
        if life.phase == ATTACHED and life.ready:
            return
        if not self._blocked:
            if life.phase in (NOWHERE, LEAVING) and not life.wanted:
                self._ledger.record.done.append(["start", work.name])
            self._undo.touching(life)
            self._crew.stirred.add(life.name)
            self._crew.start(life)
        if not work.parallel:
            self._block()

    def stop(self, work: LightningWork, delete: bool) -> None:
        """The status is "stopped" at once."""
        life = self.life_of(work)
        self._undo.touching(life)
        self._crew.stirred.add(life.name)
        if self._crew.stop(life, delete):
            self._ledger.record.done.append(["stop", work.name, delete])

    def retry(self, work: LightningWork) -> None:
        """Ask again for the last call if it failed or was stopped."""
        life = self.life_of(work)
        self._undo.touching(life)
        self._crew.stirred.add(life.name)
        self._crew.retry(life)
