"""The clocks of this machine."""

from __future__ import annotations

import time


class SystemClock:
    """This machine's clocks."""

    def wall(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()
