"""Looks at the journal of a run without ever writing to it, also while the run goes on.  Knows bytes and records, not what they mean."""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Iterator
from urllib.parse import quote

import msgspec

from ..base.encoding import ext_hook
from ..base.errors import JournalDamaged, RunError
from ..base.messages import Record
from .reading import Kept, oldest, read

_decode = msgspec.msgpack.Decoder(Record, ext_hook=ext_hook)
ALL = 1 << 62


class History:
    """One run's journal, read only: readers of a write-ahead log neither block its writer nor are blocked by it.

    Raises:
        RunError: there is no such journal.
        JournalDamaged: it cannot be read.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        if not os.path.exists(path):
            raise RunError(f"There is no journal {path}: the run has recorded nothing.")
        try:
            self._db = _open(path)
        except sqlite3.Error as error:
            raise JournalDamaged(f"The journal {path} cannot be read: {error}.") from None

    def __enter__(self) -> History:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._db.close()
        if isinstance(error, sqlite3.Error):
            raise JournalDamaged(f"The journal {self.path} cannot be read: {error}.") from error

    def get(self, key: str) -> str | None:
        """A value of the run itself."""
        found = self._db.execute("select value from meta where key=?", (key,)).fetchone()
        return found[0] if found else None

    def last(self) -> tuple[int, float]:
        """Number and wall time of the newest turn; zeros if there is none."""
        rows = [self._db.execute(f"select n, at from {table} order by n desc limit 1").fetchone() for table in TABLES]
        n, at = max((row for row in rows if row), default=(0, 0.0))
        return int(n), float(at)

    def oldest(self) -> int:
        """The oldest turn whose state can be told; 0: all are there from the beginning."""
        return oldest(self._db)

    def kept(self, until: int = ALL) -> Kept:
        """The newest good snapshot up to a turn, with its parts, and every good row from there to that turn, as they are stored."""
        return read(self._db, until)

    def raw(self, table: str) -> Iterator[tuple[int, bytes]]:
        """Turn and bytes of everything in "turns", "snapshots" or "parts", as it is stored.

        Raises:
            JournalDamaged: a page of it cannot be read.
        """
        try:
            yield from self._db.execute(f"select n, data from {table}")
        except sqlite3.Error as error:
            raise JournalDamaged(f"The journal {self.path} is damaged: {error}.") from None

    def turn_at(self, at: float) -> int:
        """The last turn up to a wall time, 0 if there is none."""
        rows = [self._db.execute(f"select max(n) from {table} where at <= ?", (at,)).fetchone()[0] for table in TABLES]
        return max(int(n or 0) for n in rows)

    def snapshot(self, until: int = ALL) -> tuple[int, float, bytes] | None:
        """The newest good snapshot up to a turn: its turn, its wall time and itself."""
        query = "select n, at, sum, data from snapshots where n <= ? order by n desc"
        for n, at, checksum, data in self._db.execute(query, (until,)):
            if zlib.crc32(data) == checksum:
                return int(n), float(at), data
        return None

    def records(self, first: int = 0, until: int = ALL) -> Iterator[Record]:
        """The records of these turns, in order, up to the first that is damaged."""
        query = "select sum, data from turns where n between ? and ? order by n"
        try:
            for checksum, data in self._db.execute(query, (first, until)):
                if zlib.crc32(data) != checksum:
                    return
                yield _decode.decode(data)
        except sqlite3.DatabaseError:
            return  # a damaged page: the rows before it were good


TABLES = ("turns", "snapshots")


def _open(path: str) -> sqlite3.Connection:
    """Where nobody writes, without making files beside it; unless somebody began to meanwhile."""
    alone = not os.path.exists(f"{path}-wal")
    how = "immutable=1" if alone else "mode=ro"
    db = sqlite3.connect(f"file:{quote(os.path.abspath(path))}?{how}", uri=True, isolation_level=None)
    try:
        db.execute("begin")  # all that is read is of one moment
        db.execute("select 1 from turns limit 1")
    except sqlite3.Error:
        db.close()
        if alone and os.path.exists(f"{path}-wal"):
            return _open(path)
        raise
    return db
