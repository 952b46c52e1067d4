"""Notices turns that take too long, and where they spend their time: a look now and then at the flow's thread."""

from __future__ import annotations

import sys
from collections import Counter

from ..base.traces import place_in_user_code


class SlowTurns:
    """Samples the line the flow is at while a turn takes long.

    Args:
        thread: identity of the flow's thread.
        limit: seconds a turn may take.
    """

    def __init__(self, thread: int, limit: float) -> None:
        self._thread, self._limit = thread, limit
        self._lines: Counter[str] = Counter()

    def look(self, elapsed: float) -> None:
        """Called now and then while a turn goes on, on another thread."""
        if elapsed > self._limit / 4:
            line = place_in_user_code(sys._current_frames().get(self._thread))
            if line:
                self._lines[line] += 1

    def verdict(self, elapsed: float) -> str | None:
        """A sentence about a turn that took `elapsed` seconds, if it was too long; forgets the samples."""
        lines, self._lines = self._lines, Counter()
        if elapsed <= self._limit:
            return None
        mostly = f", mostly at {lines.most_common(1)[0][0]}" if lines else ""
        return f"root.run took {elapsed:.1f} s{mostly}: what takes longer than a second belongs in a LightningWork."
