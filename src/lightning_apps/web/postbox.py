"""From the turn's thread, which puts, to the web's, which takes: no lock, and a wake-up only where somebody waits for news."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..base.messages import Transferred
from ..base.published import Published

MANY = 64  # publications that are worth a wake-up though nobody waits

Item = Published | Transferred | str  # a stage of the app is a text


def _nobody() -> None:
    """Who takes does not wait yet."""


class Postbox:
    """What was published and not taken yet.

    Attributes:
        items: taken from the left.
        eager: whether somebody waits for news.
        wake: has whoever takes look; may be called from any thread.
    """

    def __init__(self) -> None:
        self.items: deque[Item] = deque()
        self.eager = False
        self.wake: Callable[[], None] = _nobody
        self._rung = False

    def put(self, item: Item) -> None:
        """Add something; it is seen at the next reading, or at once where somebody waits."""
        self.items.append(item)
        if (self.eager or len(self.items) >= MANY) and not self._rung:
            self._rung = True
            self.wake()

    def heard(self) -> None:
        """Before taking: whatever is put from now on wakes again."""
        self._rung = False
