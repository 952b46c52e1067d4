"""Cron patterns as arithmetic: the first due time after a moment.  Reads no clock; local time comes in as a time zone.

Five fields are Debian's cron (by way of cronsim), read in local time: where clocks are put forward, a job at a skipped
time is due right after the gap; where they are put back, a job at a fixed time is due once; patterns with a star in
minutes or hours follow real time.  A sixth field, the last, holds seconds, as croniter had it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone, tzinfo

from cronsim import CronSim, CronSimError

from ..base.errors import ScheduleError

ALIASES = {
    "hourly": "0 * * * *",
    "midnight": "0 0 * * *",
    "daily": "0 0 * * *",
    "weekly": "0 0 * * 0",
    "monthly": "0 0 1 * *",
    "yearly": "0 0 1 1 *",
    "annually": "0 0 1 1 *",
}
WAY_OUT = 'give 5 fields such as "*/5 * * * *" (a 6th, last, holds seconds) or one of ' + ", ".join(ALIASES) + "."


class LocalTime(tzinfo):
    """This machine's local time as a time zone, daylight saving included."""

    def utcoffset(self, dt: datetime | None) -> timedelta:
        """How far local time is ahead of UTC at this local time."""
        if dt is None:
            return timedelta(0)
        naive = dt.replace(tzinfo=None)
        return naive - datetime.fromtimestamp(naive.timestamp(), timezone.utc).replace(tzinfo=None)

    def dst(self, dt: datetime | None) -> None:
        """Unknown, and not needed."""

    def tzname(self, dt: datetime | None) -> str:
        """A name for people."""
        return "local time"

    def fromutc(self, dt: datetime) -> datetime:
        """The local time of a moment given in UTC; `fold` tells the two passes of an hour apart."""
        return datetime.fromtimestamp(dt.replace(tzinfo=timezone.utc).timestamp()).replace(tzinfo=self)


class Pattern:
    """A cron pattern that was understood.

    Args:
        text: 5 fields, 6 fields with seconds last, or an alias such as "hourly" or "@daily".

    Raises:
        ScheduleError: not a pattern; the sentence names it.
    """

    __slots__ = ("_fields", "_seconds", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        if not isinstance(text, str):
            raise ScheduleError(f"The schedule {text!r} is not a text: {WAY_OUT}")
        fields = ALIASES.get(text.strip().lower().removeprefix("@"), text).split()
        if len(fields) not in (5, 6):
            raise ScheduleError(f"The schedule {text!r} has {len(fields)} fields: {WAY_OUT}")
        self._fields = " ".join(fields[:5])
        try:
            self._seconds = sorted(_seconds(fields[5])) if len(fields) == 6 else [0]
            CronSim(self._fields, datetime(2024, 1, 1))
        except (CronSimError, ValueError) as error:
            raise ScheduleError(f"The schedule {text!r} is not valid ({error}): {WAY_OUT}") from None

    def after(self, moment: float, zone: tzinfo) -> float:
        """The first due time after `moment`, both in seconds since the epoch.

        Raises:
            ScheduleError: it is never due, as on the 30th of February.
        """
        now = datetime.fromtimestamp(moment // 1, zone)
        begin = moment // 1 - now.second
        for due in _minutes(self._fields, datetime.fromtimestamp(begin - 1, zone)):
            start = due.timestamp()
            if start < begin:
                continue  # the first pass of an hour that is now passed for the second time
            for second in self._seconds:
                if start + second > moment:
                    return start + second
        raise ScheduleError(f"The schedule {self.text!r} is never due after {now:%Y-%m-%d}: {WAY_OUT}")


def _minutes(fields: str, before: datetime) -> Iterable[datetime]:
    """Every due minute after `before`."""
    try:
        return CronSim(fields, before)
    except CronSimError:
        return ()


def _seconds(field: str) -> set[int]:
    """The seconds of a crontab field: numbers, ranges, steps and lists of them."""
    found: set[int] = set()
    for term in field.split(","):
        span, _, step = term.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            low, high = 0, 59
        else:
            low = _second(first)
            high = _second(last) if dash else 59 if step else low
        if high < low or (step or "1") == "0":
            raise ValueError("Bad second")
        found.update(range(low, high + 1, _whole(step or "1")))
    return found


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("Bad second")
    return int(text)


def _second(text: str) -> int:
    if (number := _whole(text)) > 59:
        raise ValueError("Bad second")
    return number
