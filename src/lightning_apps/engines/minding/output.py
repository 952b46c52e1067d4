"""What a worker wrote and the desk has not kept yet.  Bounded: of what nobody could take the oldest is dropped, whole lines first."""

from __future__ import annotations

from .words import Wrote

KEPT = 16 << 20  # bytes of each stream
PIECE = 1 << 18  # bytes of one message


class Spool:
    """One stream of one worker.

    Attributes:
        kept: so many bytes are kept by the desk.
    """

    def __init__(self, stream: str, limit: int = KEPT) -> None:
        self.stream, self._limit = stream, limit
        self._data, self._start = bytearray(), 0  # offset of the first byte that is here
        self._sent = 0  # offset of the first byte that was not sent on this connection
        self.kept = 0

    def wrote(self, data: bytes) -> None:
        """More output."""
        self._data += data
        surplus = len(self._data) - self._limit
        if surplus > 0:
            line = self._data.find(b"\n", surplus - 1)
            self._drop(line + 1 if line >= 0 else surplus)

    def _drop(self, count: int) -> None:
        del self._data[:count]
        self._start += count
        self._sent = max(self._sent, self._start)

    def reconnected(self, kept: int) -> None:
        """The desk has this much; the rest is sent again."""
        self.acknowledged(kept)
        self._sent = max(kept, self._start)

    def acknowledged(self, kept: int) -> None:
        """The desk has this much."""
        self.kept = max(self.kept, kept)
        if kept > self._start:
            self._drop(min(kept - self._start, len(self._data)))

    def to_send(self) -> list[Wrote]:
        """What was not sent on this connection yet."""
        found = []
        while (begin := self._sent - self._start) < len(self._data):
            piece = bytes(self._data[begin : begin + PIECE])
            found.append(Wrote(self.stream, self._sent, piece))
            self._sent += len(piece)
        return found

    @property
    def empty(self) -> bool:
        """Whether the desk has all of it."""
        return not self._data
