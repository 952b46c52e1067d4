"""What a worker has to say: numbered, kept until the host has recorded it.  Knows nothing of components."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

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

    @property
    def frames(self) -> list[bytes]:
        """Everything that is kept, as it is sent."""
        return [frame(payload, number) for number, payload in self._kept]

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return sum(len(payload) for _, payload in self._kept)

    def tail(self, belongs: Callable[[bytes], bool]) -> list[bytes]:
        """The newest payloads of a kind, back to the last of another kind, oldest first."""
        found: list[bytes] = []
        for _, payload in reversed(self._kept):
            if not belongs(payload):
                break
            found.append(payload)
        return found[::-1]

    def replace_tail(self, count: int, payload: bytes) -> None:
        """One payload in the place of the newest `count`, under the last one's number."""
        number = self._kept[-1][0]
        for _ in range(count):
            self._kept.pop()
        self._kept.append((number, payload))

    def after(self, offset: int) -> list[bytes]:
        """The payloads the host had not heard at `offset`, oldest first."""
        return [payload for number, payload in self._kept if number > offset]
