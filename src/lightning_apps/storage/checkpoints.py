"""Moves the write-ahead log of a journal into its file beside whoever writes.  Knows nothing of what is in it."""

from __future__ import annotations

import contextlib
import sqlite3
import threading


class Checkpoints:
    """One at a time, each on a thread of its own, since it copies megabytes and waits for the disk.

    Args:
        path: the journal's file.

    Attributes:
        ended: one has, and what was written meanwhile is left; whoever writes moves that little, so that the log begins anew.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._thread: threading.Thread | None = None
        self.ended = False

    def begin(self) -> None:
        """Begin one, unless one is under way."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._move, name="lightning-checkpoint", daemon=True)
            self._thread.start()

    def _move(self) -> None:
        try:
            with contextlib.closing(sqlite3.connect(self._path, isolation_level=None)) as db:
                db.execute("pragma wal_checkpoint(passive)").fetchall()
        except sqlite3.Error:
            """Another time; nothing is lost by waiting."""
        self.ended = True

    def finish(self) -> None:
        """Wait until none is under way."""
        if self._thread is not None:
            self._thread.join()
