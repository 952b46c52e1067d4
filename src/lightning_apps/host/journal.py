"""A journal in memory: what a turn changed is kept until there is much of it.  Survives nothing."""

from __future__ import annotations

from collections import deque

from ..base.messages import Record

KEEP_BYTES = 64 << 20


class MemoryJournal:
    """Keeps the newest records, about 64 MiB of what came in with them."""

    def __init__(self, keep: int = KEEP_BYTES) -> None:
        self.records: deque[Record] = deque()
        self.turns = 0
        self._keep, self._bytes = keep, 0

    def append(self, record: Record) -> None:
        """Keep one turn's record, unless it changed nothing."""
        if record.empty:
            return
        self.turns += 1
        self.records.append(record)
        self._bytes += _size(record)
        while self._bytes > self._keep and len(self.records) > 1:
            self._bytes -= _size(self.records.popleft())

    def close(self) -> None:
        """Nothing to do."""


def _size(record: Record) -> int:
    return 200 + sum(len(raw) for _, _, raw in record.received) + sum(len(data) for _, data in record.changes)
