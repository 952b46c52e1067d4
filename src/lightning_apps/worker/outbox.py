"""What a worker has to say: numbered, kept until the host has recorded it.  Knows nothing of components."""

from __future__ import annotations

from collections import deque

from ..wire.codec import frame


class Outbox:
    """Payloads by offset; offsets only grow."""

    def __init__(self) -> None:
        self.offset = 0
        self._kept: deque[tuple[int, bytes]] = deque()

    def add(self, payload: bytes) -> bytes:
        """Number it and keep it; returns the frame to send."""
        self.offset += 1
        self._kept.append((self.offset, payload))
        return frame(payload, self.offset)

    def acknowledged(self, offset: int) -> None:
        """Everything up to here is recorded."""
        while self._kept and self._kept[0][0] <= offset:
            self._kept.popleft()

    def after(self, offset: int) -> list[bytes]:
        """The payloads the host had not heard at `offset`, oldest first."""
        return [payload for number, payload in self._kept if number > offset]
