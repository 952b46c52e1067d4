"""How much of a run's past is kept before its newest snapshot, and how what is older goes.  Knows rows, not what they hold."""

from __future__ import annotations

import sqlite3
from itertools import pairwise

from .reading import oldest

WINDOW_TURNS, WINDOW_BYTES = 10_000, 256 << 20
SWEEP = 512  # turns before the window that go at a time


class Window:
    """As of one snapshot.

    Args:
        turns, size: how many turns, and bytes of them, are kept before the newest snapshot.

    Attributes:
        oldest: the snapshot before which nothing is told of any more; 0: all is.
    """

    def __init__(self, turns: int, size: int) -> None:
        self._turns, self._bytes = turns, size
        self._spans = [[0, 0]]  # snapshots, bytes of turns after each
        self.oldest = self._swept = 0
        self._begins = 0  # the snapshot that it begins with; 0: the whole run is inside it

    def look(self, db: sqlite3.Connection) -> None:
        """What there is in a journal."""
        between = "select coalesce(sum(length(data)), 0) from turns where n > ? and n <= ?"
        bounds = [0, *(n for (n,) in db.execute("select n from snapshots order by n").fetchall()), 1 << 62]
        sizes = [db.execute(between, each).fetchone()[0] for each in pairwise(bounds)]
        self._spans = [[n, size] for n, size in zip(bounds, sizes, strict=False)]
        self.oldest, self._swept = oldest(db), 0

    @property
    def newest(self) -> int:
        """The turn of the newest snapshot, 0 without one."""
        return int(self._spans[-1][0])

    @property
    def newest_bytes(self) -> int:
        """Bytes of the records after it."""
        return int(self._spans[-1][1])

    def grew(self, size: int) -> None:
        """There are so many more."""
        self._spans[-1][1] += size

    def moved_to(self, turn: int) -> Window:
        """As it is when there is a snapshot of this turn, the newest."""
        spans = [*self._spans, [turn, 0]] if self.newest != turn else self._spans
        base = self._base(turn, spans)
        moved = Window(self._turns, self._bytes)
        moved._spans = [each for each in spans if each[0] >= base]
        moved.oldest, moved._swept, moved._begins = max(base, self.oldest), self._swept, base
        return moved

    def _base(self, turn: int, spans: list[list[int]]) -> int:
        """The snapshot that the window can be read from, 0: the whole run is inside it."""
        later = 0
        for n, size in reversed(spans):
            later += size
            if n and (n <= turn - self._turns or later >= self._bytes):
                return n
        first = spans[0][0] or spans[1][0]
        return first if later >= self._bytes else 0

    def forget(self, db: sqlite3.Connection) -> None:
        """Nothing before it is told of any more; turns go a few at a time."""
        if not self._begins:
            return
        db.execute("insert or replace into meta values('oldest', ?)", (str(self._begins),))
        db.execute("delete from snapshots where n < ?", (self._begins,))
        newest = "select max(n) from parts as later where later.name = parts.name and whole and n <= ?"
        db.execute(f"delete from parts where n < ({newest})", (self._begins,))

    @property
    def behind(self) -> bool:
        """Whether turns before it may still be there."""
        return self._swept < self.oldest

    def sweep(self, db: sqlite3.Connection) -> None:
        """Turns before it go, as many as do not keep anybody waiting."""
        first = db.execute("select min(n) from turns").fetchone()[0]
        if first is None or first > self.oldest:
            self._swept = self.oldest
            return
        self._swept = min(self.oldest, first + SWEEP - 1)
        db.execute("delete from turns where n <= ?", (self._swept,))
