"""Which works have had nothing to do for as long as their processes may.  Knows nothing of how these are ended."""

from __future__ import annotations

from .life import Life


class Resting:
    """Those that may rest for a limited time only; all others cost nothing, however many there are."""

    def __init__(self) -> None:
        self._limited: dict[str, Life] = {}

    def note(self, life: Life) -> None:
        """It may have begun to rest, or may rest for another time from now on."""
        if life.idle_since and _limit(life):
            self._limited[life.name] = life

    def forget(self, name: str) -> None:
        """It left the tree."""
        self._limited.pop(name, None)

    @property
    def next_at(self) -> float | None:
        """When the next of them has rested for as long as it may, in wall time."""
        return min(map(_until, filter(_rests, self._limited.values())), default=None) if self._limited else None

    def overdue(self, now: float) -> list[Life]:
        """Those that have rested for longer than they may."""
        if not self._limited:
            return []
        self._limited = {name: life for name, life in self._limited.items() if life.idle_since}
        return [life for life in self._limited.values() if _rests(life) and _until(life) <= now]


def _rests(life: Life) -> bool:
    return bool(life.idle_since and life.idle and _limit(life))


def _until(life: Life) -> float:
    return life.idle_since + _limit(life)


def _limit(life: Life) -> float:
    return float(getattr(life.work.cloud_compute, "idle_timeout", None) or 0.0)
