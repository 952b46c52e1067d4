"""When a worker that is cut off ends itself, and when another may take its place.  Pure: clocks are handed in.

The minder sends beats; each one that is answered renews its lease, *from the moment the beat was sent*.  The desk counts from the
moment it received the last beat, which is later, and waits longer by a margin.  So whatever is lost or late on the way, and
whichever side notices first, the worker has ended before another is allowed: see Gray and Cheriton, "Leases", SOSP 1989.
"""

from __future__ import annotations

from collections import deque

import msgspec

MARGIN = 1.0  # seconds that SIGKILL and its reaping may take
DRIFT = 0.01  # how much one clock may run ahead of another
FAREWELL = 2.0  # seconds between SIGTERM and SIGKILL at the end of a lease, at most a quarter of it
FASTEST, SLOWEST = 0.05, 1.0  # seconds between beats


def pause(patience: float | None) -> float:
    """Seconds between two beats."""
    return SLOWEST if patience is None else min(SLOWEST, max(FASTEST, patience / 8))


class Lease(msgspec.Struct):
    """The minder's side.  All times come from one clock that counts suspend, in seconds.

    Attributes:
        patience: seconds without an answer after which the worker ends; None: never.
        until: the end of the lease; None without patience.
    """

    patience: float | None
    until: float | None = None
    _sent: deque[tuple[int, float]] = msgspec.field(default_factory=deque)
    _number: int = 0

    def begin(self, asked: float) -> None:
        """The desk has admitted us; `asked` is when we asked."""
        self._renew(asked)

    def beat(self, now: float) -> int:
        """The number of the next beat."""
        self._number += 1
        self._sent.append((self._number, now))
        return self._number

    def answered(self, number: int) -> None:
        """A beat came back."""
        while self._sent and self._sent[0][0] <= number:
            found, sent = self._sent.popleft()
            if found == number:
                self._renew(sent)

    def lost(self) -> None:
        """The connection is gone; what was sent on it will not be answered."""
        self._sent.clear()

    def _renew(self, sent: float) -> None:
        if self.patience is not None:
            self.until = max(self.until or 0.0, sent + self.patience)

    def asked_to_end(self, now: float) -> bool:
        """Whether it is time for SIGTERM."""
        return self.until is not None and now >= self.until - min(FAREWELL, (self.patience or 0.0) / 4)

    def over(self, now: float) -> bool:
        """Whether it is time for SIGKILL."""
        return self.until is not None and now >= self.until


class Sight(msgspec.Struct):
    """The desk's side of one place, on a clock of its own that counts suspend as well.

    Attributes:
        patience: as the minder has it.
        last: when something was heard from it; for a new host, when that host began.
    """

    patience: float | None
    last: float

    def heard(self, now: float) -> None:
        """A beat, or the first word."""
        self.last = now

    def silent(self, now: float) -> bool:
        """Whether a person should be told."""
        return now - self.last > 4 * pause(self.patience)

    def replaceable_at(self) -> float | None:
        """When the worker has ended for certain, though nobody says so; None: never."""
        if self.patience is None:
            return None
        return self.last + self.patience * (1 + DRIFT) + MARGIN
