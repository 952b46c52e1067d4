"""Remembers which state was served to whom last, within bounds: what somebody then posts is compared with that.  Pure."""

from __future__ import annotations

SESSIONS = 32
BYTES = 64 << 20


class Served:
    """By session, what was served last; the oldest are forgotten first."""

    def __init__(self, sessions: int = SESSIONS, limit: int = BYTES) -> None:
        self._sessions, self._limit = sessions, limit
        self._states: dict[bytes, bytes] = {}
        self._total = 0

    def note(self, session: bytes, state: bytes) -> None:
        """This was served to this session."""
        before = self._states.pop(session, b"")
        self._states[session] = state
        self._total += len(state) - len(before)
        while len(self._states) > 1 and (len(self._states) > self._sessions or self._total > self._limit):
            oldest = next(iter(self._states))
            self._total -= len(self._states.pop(oldest))

    def last(self, session: bytes) -> bytes | None:
        """What was served to this session last, if that is still known."""
        return self._states.get(session)
