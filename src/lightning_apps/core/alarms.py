"""Which of many things are due next: a heap of wall times by name.  Reads no clock."""

from __future__ import annotations

import heapq


class Alarms:
    """At most one alarm per name counts: the last one set."""

    def __init__(self) -> None:
        self._times: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def set(self, name: str, at: float) -> None:
        """Let `name` be due at `at`, and not before."""
        self._times[name] = at
        heapq.heappush(self._heap, (at, name))

    def dump(self) -> dict[str, float]:
        """Everything there is to remember; each of it can be `set` again."""
        return dict(self._times)

    @property
    def next_at(self) -> float | None:
        """The time of the next alarm."""
        while self._heap and self._times.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> list[str]:
        """The names that are due; each once."""
        found = []
        while (at := self.next_at) is not None and at <= now:
            _, name = heapq.heappop(self._heap)
            del self._times[name]
            found.append(name)
        return found
