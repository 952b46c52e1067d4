"""Time that passes only when it is told to.  Knows nothing of what waits for it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo

from ..base.errors import KitError
from .names import meant

__tracebackhide__ = True  # for pytest: a test's author is shown the test
BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)  # a Thursday
UNITS = ("weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds")


def seconds_of(duration: dict[str, float]) -> float:
    """`hours=1`, `days=2, minutes=30` in seconds.

    Raises:
        KitError: nothing was given, or a unit that there is not, or time would run backwards.
    """
    for unit in duration:
        if unit not in UNITS:
            raise KitError(f"A duration has no {unit!r}{meant(unit, UNITS)}")
    seconds = timedelta(**duration).total_seconds()
    if not duration or seconds < 0:
        given = f"{seconds:g} seconds" if duration else "nothing was given"
        raise KitError(f"Say how far time goes on, as in advance(hours=1): {given}.")
    return seconds


class VirtualClock:
    """A clock for tests; it has the shape of `ports.Clock`.

    Args:
        start: what it shows first: seconds since the epoch or a moment; one without a zone is in `zone`.
        zone: the zone that moments are read and shown in.

    Example:
        >>> clock = VirtualClock(datetime(2026, 3, 1, 3, 0))
        >>> clock.advance(3600.0)
        >>> clock.now.hour
        4
    """

    def __init__(self, start: datetime | float = BEGIN, zone: tzinfo = timezone.utc) -> None:
        self.zone = zone
        self._wall = self.moment(start)
        self._began = self._wall

    def moment(self, when: datetime | float) -> float:
        """Seconds since the epoch."""
        if isinstance(when, datetime):
            return (when if when.tzinfo else when.replace(tzinfo=self.zone)).timestamp()
        return float(when)

    @property
    def now(self) -> datetime:
        """The moment it shows, in its zone."""
        return datetime.fromtimestamp(self._wall, self.zone)

    def wall(self) -> float:
        """Seconds since the epoch."""
        return self._wall

    def monotonic(self) -> float:
        """Seconds since it was made."""
        return self._wall - self._began

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass.

        Raises:
            ValueError: time does not go backwards.
        """
        if seconds < 0:
            raise ValueError(f"Time does not go backwards: {seconds} seconds.")
        self._wall += seconds

    def reach(self, at: float) -> None:
        """Let time pass until this wall time; nothing if it is over."""
        self._wall = max(self._wall, at)
