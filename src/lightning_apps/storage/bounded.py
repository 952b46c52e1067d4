"""Keeps a store small whose content can be had elsewhere again.  Knows nothing of what it is for."""

from __future__ import annotations

import contextlib
import os

from .store import Store

LIMIT = 4 << 30  # bytes


class Bounded:
    """One store.

    Args:
        limit: bytes; the oldest content goes when there is a quarter more.
    """

    def __init__(self, store: Store, limit: int = LIMIT) -> None:
        self._store, self._limit = store, limit
        self._since = limit

    def came(self, name: str) -> None:
        """This has come, or was handed over."""
        with contextlib.suppress(OSError):
            self._since += os.stat(self._store.path(name)).st_size
        if self._since > self._limit // 4:
            self._shrink(name)
            self._since = 0

    def _shrink(self, newest: str) -> None:
        found = []
        for name in self._store.names():
            with contextlib.suppress(OSError):
                stat = os.stat(self._store.path(name))
                found.append((name == newest, stat.st_mtime_ns, stat.st_size, name))
        over = sum(size for _, _, size, _ in found) - self._limit
        for is_newest, _, size, name in sorted(found):
            if over <= 0 or is_newest:
                return
            with contextlib.suppress(OSError):
                os.unlink(self._store.path(name))
                over -= size
