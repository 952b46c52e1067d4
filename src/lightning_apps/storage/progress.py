"""Says how far a transfer is: only of those that take over a second.  Knows nothing of what is transferred."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

FIRST, STEP = 1.0, 2.0  # seconds until the first line, and between lines
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")

Tell = Callable[[int, int, float, bool], None]


def nobody(done: int, size: int, seconds: float, over: bool) -> None:
    """Only lines are wanted."""


class Progress:
    """One transfer; use it as a context.

    Args:
        what: the beginning of each line.
        size: bytes in all; 0 if that is not known.
        say: takes the lines.
        tell: takes the same as numbers: bytes done, bytes in all, seconds so far, and whether it is over.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        what: str,
        size: int,
        say: Callable[[str], None],
        tell: Tell = nobody,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._size, self._say, self._tell, self._clock = what, size, say, tell, clock
        self._done = self._ahead = 0
        self._began = clock()
        self._next = self._began + FIRST
        self._told = False

    def more(self, count: int) -> None:
        """So many bytes more."""
        self._done += count
        now = self._clock()
        if now >= self._next:
            self._next, self._told = now + STEP, True
            self._say(self._line(now))
            self._tell(self._done, self._size, now - self._began, False)

    def arrived(self, count: int) -> None:
        """So many bytes more, which are gone through once more on this machine."""
        self._ahead += count
        self.more(count)

    def settled(self, count: int) -> None:
        """So many bytes were gone through on this machine: they count unless they did when they arrived."""
        known = min(count, self._ahead)
        self._ahead -= known
        self.more(count - known)

    def _line(self, now: float) -> str:
        rate = self._done / max(now - self._began, 1e-9)
        if not self._size:
            return f"{self._what}: {bytes_text(self._done)}, {bytes_text(rate)}/s"
        left = max(self._size - self._done, 0) / max(rate, 1e-9)
        return f"{self._what}: {bytes_text(self._done)} of {bytes_text(self._size)}, {bytes_text(rate)}/s, {left:.0f} s left"

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        now = self._clock()
        if self._told:
            self._tell(self._done, self._size, now - self._began, True)
        if self._told and kind is None:
            rate = self._done / max(now - self._began, 1e-9)
            self._say(f"{self._what}: {bytes_text(self._done)} in {now - self._began:.1f} s, {bytes_text(rate)}/s")


def bytes_text(count: float) -> str:
    """ "1.5 GiB"."""
    for unit in UNITS[:-1]:
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} {UNITS[-1]}"
