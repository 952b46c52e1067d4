"""Which schedules are due: arithmetic on the `now` it is given.  Reads no clock and starts no timer.

A schedule is True when it is first asked, then exactly once for each due time; a due time stays due until the flow's
line is reached, and those that were missed become one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from types import CodeType

from .cron import LocalTime, Pattern

SEPARATOR = "\x1f"


def schedule_key(
    component: str, pattern: str, user_key: str | None, code: CodeType, line: int, owner: type | None = None
) -> str:
    """What makes a schedule one: component, pattern, user key, function, and line counted from the function's first.

    Args:
        component: full name of the flow that asks.
        pattern: as written.
        user_key: the user's own key, to tell calls on one line apart.
        code, line: of the frame that asks; edits elsewhere in the file change neither name nor counted line.
        owner: the component's class; only Python 3.10 needs it to tell functions of one name apart.
    """
    place = f"{qualified_name(code, owner)}+{line - code.co_firstlineno}"
    return SEPARATOR.join((component, str(pattern), str(user_key or ""), place))


def qualified_name(code: CodeType, owner: type | None = None) -> str:
    """The function's name with its class; Python 3.10's code objects lack it, so there it is looked up in `owner`."""
    if hasattr(code, "co_qualname"):
        return str(code.co_qualname)
    for kind in owner.__mro__ if owner else ():
        for value in vars(kind).values():
            if getattr(value, "__code__", None) is code:
                return str(value.__qualname__)
    return code.co_name


class _Schedule:
    """One schedule: a due time counts if it lies after `since`; `due` is the first that does."""

    __slots__ = ("due", "pattern", "since")

    def __init__(self, pattern: Pattern, since: float, zone: tzinfo) -> None:
        self.pattern, self.since = pattern, since
        self.due = pattern.after(since, zone)


class Schedules:
    """Every schedule of an app.

    Args:
        zone: the time zone that patterns are read in; this machine's local time unless a test says otherwise.
    """

    def __init__(self, zone: tzinfo | None = None) -> None:
        self._zone = zone or LocalTime()
        self._all: dict[str, _Schedule] = {}
        self._announced: set[str] = set()
        self._before: dict[str, _Schedule | None] = {}  # what changed in this turn, as it was
        self._soonest: float | None = None
        self._stale = False

    def ask(self, key: str, pattern: str, start_time: datetime | float | None, now: float) -> bool:
        """Whether the schedule is due; asking takes the due time away.

        Args:
            key: from `schedule_key`.
            pattern: see `Pattern`.
            start_time: due times count only after it, once the first True is over; naive means local time.
            now: seconds since the epoch.

        Raises:
            ScheduleError: the pattern is not valid.
        """
        known = self._all.get(key)
        if known is None:
            since = max(now, self._moment(start_time)) if start_time is not None else now
            self._replace(key, _Schedule(Pattern(pattern), since, self._zone))
            return True
        if known.due > now:
            return False
        self._replace(key, _Schedule(known.pattern, now, self._zone))
        return True

    def due(self, now: float) -> tuple[str, ...]:
        """Keys that became due since this was last asked: the flow has to run once for them."""
        if (next_at := self.next_at) is None or next_at > now:
            return ()
        fresh = tuple(key for key, entry in self._all.items() if entry.due <= now and key not in self._announced)
        self._announced.update(fresh)
        self._stale = True
        return fresh

    @property
    def next_at(self) -> float | None:
        """When to look at `due` again, in seconds since the epoch; None if there is nothing to wait for."""
        if self._stale:
            self._soonest = min((s.due for key, s in self._all.items() if key not in self._announced), default=None)
            self._stale = False
        return self._soonest

    def drop(self, component: str) -> None:
        """Forget the schedules of a component that left the tree, and of everything below it."""
        for key in list(self._all):
            name = key.partition(SEPARATOR)[0]
            if name == component or name.startswith(component + "."):
                self._replace(key, None)

    def settle(self) -> dict[str, float | None]:
        """The turn stands: what it changed, for the record; None for a schedule that was dropped."""
        if not self._before:
            return {}
        changed = {key: self._since(key) for key in self._before}
        self._before = {}
        return changed

    def undo(self) -> None:
        """The turn is void: everything is as it was when `settle` was last called."""
        for key, before in self._before.items():
            self._put(key, before)
        self._before = {}

    def dump(self) -> dict[str, float]:
        """Everything there is to remember."""
        return {key: entry.since for key, entry in self._all.items()}

    def load(self, remembered: Mapping[str, float | None]) -> None:
        """Take over what `dump` said, or, in order, what `settle` said: missed due times become one."""
        for key, since in remembered.items():
            pattern = key.split(SEPARATOR)[1]
            self._put(key, None if since is None else _Schedule(Pattern(pattern), since, self._zone))

    def _since(self, key: str) -> float | None:
        entry = self._all.get(key)
        return None if entry is None else entry.since

    def _moment(self, start_time: datetime | float) -> float:
        if isinstance(start_time, datetime):
            return (start_time if start_time.tzinfo else start_time.replace(tzinfo=self._zone)).timestamp()
        return float(start_time)

    def _replace(self, key: str, entry: _Schedule | None) -> None:
        self._before.setdefault(key, self._all.get(key))
        self._put(key, entry)

    def _put(self, key: str, entry: _Schedule | None) -> None:
        if entry is None:
            self._all.pop(key, None)
        else:
            self._all[key] = entry
        self._announced.discard(key)
        self._stale = True
