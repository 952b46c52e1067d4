"""What the turn under way leads to: its record and its effects.  Knows nothing of why anything is written into it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..base.messages import Effect, Outcome, Record, Run, Send
from ..base.published import Published
from .life import Life
from .shown import Shown

Mark = tuple[int, int, int, int]


class Ledger:
    """One for all turns: opened, written into, closed.

    Attributes:
        record: of this turn.
        moved: works whose state was changed on the flow's side in this turn.
        shown: what readers are told of it.
    """

    def __init__(self, shown: Shown) -> None:
        self.shown = shown
        self.record = Record(0, 0.0)
        self.moved: dict[str, Life] = {}
        self._effects: list[Effect] = []

    def open(self, turn: int, now: float) -> None:
        """A turn begins."""
        self._effects = []
        self.record = Record(turn, now, [], [], [], {})

    def emit(self, effect: Effect) -> None:
        """This is to be done after the turn."""
        self._effects.append(effect)

    def mark(self) -> Mark:
        """How far it is, for `back_to`."""
        return len(self.record.done), len(self.record.story), len(self._effects), self.shown.mark()

    def back_to(self, mark: Mark) -> None:
        """What was written since `mark` was not."""
        done, story, effects, shown = mark
        del self.record.done[done:], self.record.story[story:], self._effects[effects:]
        self.shown.back_to(shown)

    def close(self, welcomed: Sequence[tuple[Life, dict[str, Any]]], published: Published | None) -> Outcome:
        """The turn is over.

        Args:
            welcomed: works that were welcomed in it, and the state to fill in for each.
            published: what readers are told of it.
        """
        if self.moved or welcomed:
            self._effects = list(self._with_changes(welcomed))
        return Outcome(self.record, self._effects, published)

    def _with_changes(self, welcomed: Iterable[tuple[Life, dict[str, Any]]]) -> Iterator[Effect]:
        """The turn's effects, and what the flow changed: behind what was said to a work before, in front of its next call."""
        for life, state in welcomed:
            state.update(life.work._lit_values())
            life.mirror.forget_outgoing()
        changes = {life.place: life.take_changes() for life in self.moved.values()}
        self.moved.clear()
        for effect in self._effects:
            if isinstance(effect, Send) and isinstance(effect.message, Run):
                yield from changes.pop(effect.place, ())
            yield effect
        for rest in changes.values():
            yield from rest
