"""The journal of a run in one SQLite file: a record per turn, a snapshot now and then.  Knows bytes, not what they mean.

Write-ahead logging with one writer; a turn is one transaction.  `turn`: a commit survives the death of any process
(synchronous=NORMAL); `fsync`: also that of the machine (synchronous=FULL).  See https://www.sqlite.org/wal.html.
Every row carries a checksum, so that what a damaged disk made of it is told from what was written.
"""

from __future__ import annotations

import os
import sqlite3
import time
import zlib
from collections.abc import Iterator

import msgspec

from ..base.encoding import ext_hook
from ..base.errors import JournalDamaged, JournalFull, UsageError
from ..base.messages import Record

FORMAT = 1
WINDOW_TURNS, WINDOW_BYTES = 10_000, 256 << 20
CHECKPOINT_BYTES = 4 << 20

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record, ext_hook=ext_hook)

TABLES = """
create table if not exists meta(key text primary key, value text) without rowid;
create table if not exists turns(n integer primary key, at real, sum integer, data blob);
create table if not exists snapshots(n integer primary key, at real, sum integer, data blob);
"""


class SqliteJournal:
    """One run's journal.

    Args:
        path: the file; made with mode 0600 if it is not there.
        durability: "turn" or "fsync".
        window_turns, window_bytes: how much of the past is kept before the newest snapshot.

    Raises:
        JournalDamaged: the file is no journal, or of a newer version; the message names it.
        JournalFull: it cannot be written.
    """

    def __init__(
        self,
        path: str,
        durability: str = "turn",
        window_turns: int = WINDOW_TURNS,
        window_bytes: int = WINDOW_BYTES,
    ) -> None:
        self.path, self._window_turns, self._window_bytes = path, window_turns, window_bytes
        self.bytes_since_snapshot = 0
        self.bytes_of_snapshot = 0
        self._since_checkpoint = 0
        self._db = self._open(durability)

    def _open(self, durability: str) -> sqlite3.Connection:
        if not os.path.exists(self.path):
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        try:
            db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=10.0)
            db.execute("pragma journal_mode=wal")
            db.execute(f"pragma synchronous={'full' if durability == 'fsync' else 'normal'}")
            db.execute("pragma wal_autocheckpoint=0")
            db.executescript(TABLES)
            found = db.execute("select value from meta where key='format'").fetchone()
            if found is None:
                db.execute("insert or ignore into meta values('format', ?)", (str(FORMAT),))
            elif int(found[0]) > FORMAT:
                raise JournalDamaged(
                    f"{self.path} was written by a newer version of lightning-apps (format {found[0]})."
                )
            return db
        except sqlite3.Error as error:
            raise self._cause(error) from None

    def _cause(self, error: sqlite3.Error) -> UsageError:
        """What an error of SQLite means to the person whose run it is."""
        text = str(error)
        if isinstance(error, sqlite3.OperationalError) and "malformed" not in text:
            return JournalFull(f"The journal {self.path} cannot be written: {text}.")
        return JournalDamaged(f"The journal {self.path} is damaged: {text}.")

    # -- writing -----------------------------------------------------------------------------------------

    def append(self, record: Record) -> None:
        """Keep one turn's record; returns when it is kept.  A turn that changed nothing is not written.

        Raises:
            JournalFull: it could not be kept; nothing of it was.
        """
        if record.empty:
            return
        data = _encode(record)
        try:
            self._db.execute(
                "insert or replace into turns values(?,?,?,?)", (record.turn, record.at, zlib.crc32(data), data)
            )
        except sqlite3.Error as error:
            raise self._cause(error) from None
        self.bytes_since_snapshot += len(data)
        self._since_checkpoint += len(data) + 200
        if self._since_checkpoint > CHECKPOINT_BYTES:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Move what is in the write-ahead log into the file, as far as readers allow."""
        self._since_checkpoint = 0
        try:
            self._db.execute("pragma wal_checkpoint(passive)").fetchall()
        except sqlite3.Error:
            """Another time; nothing is lost by waiting."""

    def keep_snapshot(self, turn: int, at: float, data: bytes) -> None:
        """Everything as it is after `turn`; what is older than the window goes.

        Raises:
            JournalFull: it could not be kept.
        """
        try:
            self._db.execute("insert or replace into snapshots values(?,?,?,?)", (turn, at, zlib.crc32(data), data))
            self._forget(turn)
        except sqlite3.Error as error:
            raise self._cause(error) from None
        self.bytes_since_snapshot, self.bytes_of_snapshot = 0, len(data)

    def _forget(self, turn: int) -> None:
        """Turns and snapshots that lie before the window, up to a snapshot the window can be read from."""
        oldest = turn - self._window_turns
        size = self._db.execute("select sum(length(data)) from turns where n <= ?", (turn,)).fetchone()[0] or 0
        if size > self._window_bytes:
            kept = 0
            for n, length in self._db.execute("select n, length(data) from turns order by n desc"):
                kept += length
                if kept > self._window_bytes:
                    oldest = max(oldest, n)
                    break
        base = self._db.execute("select max(n) from snapshots where n <= ?", (max(oldest, 0),)).fetchone()[0]
        if base is None and size > self._window_bytes:
            base = turn
        if base is not None:
            with self._db:
                self._db.execute("begin")
                self._db.execute("delete from turns where n <= ?", (base,))
                self._db.execute("delete from snapshots where n < ?", (base,))

    def set(self, key: str, value: str) -> None:
        """Remember one value of the run itself."""
        try:
            self._db.execute("insert or replace into meta values(?,?)", (key, value))
        except sqlite3.Error as error:
            raise self._cause(error) from None

    # -- reading -----------------------------------------------------------------------------------------

    def get(self, key: str) -> str | None:
        """A value of the run itself."""
        found = self._db.execute("select value from meta where key=?", (key,)).fetchone()
        return found[0] if found else None

    def last_turn(self) -> int:
        """The number of the newest turn that is kept, 0 if there is none."""
        turn = self._db.execute("select max(n) from turns").fetchone()[0] or 0
        snapshot = self._db.execute("select max(n) from snapshots").fetchone()[0] or 0
        return int(max(turn, snapshot))

    def oldest_turn(self) -> int:
        """The oldest turn whose state can be told."""
        found = self._db.execute("select min(n) from snapshots").fetchone()[0]
        return int(found) if found is not None else 0

    def load(self, until: int | None = None) -> tuple[bytes | None, list[Record]]:
        """The newest good snapshot (up to turn `until`), and every good record after it, in order.

        A row that is damaged ends the reading: what comes after it was made from what it says.
        """
        limit = until if until is not None else 1 << 62
        base, snapshot = 0, None
        for n, checksum, data in self._rows("snapshots", 0, limit, descending=True):
            if zlib.crc32(data) == checksum:
                base, snapshot = n, data
                break
        records = []
        for _, checksum, data in self._rows("turns", base + 1, limit):
            if zlib.crc32(data) != checksum:
                break
            records.append(_decode.decode(data))
        return snapshot, records

    def _rows(self, table: str, first: int, last: int, descending: bool = False) -> Iterator[tuple[int, int, bytes]]:
        order = "desc" if descending else "asc"
        query = f"select n, sum, data from {table} where n between ? and ? order by n {order}"
        try:
            yield from self._db.execute(query, (first, last))
        except sqlite3.DatabaseError:
            return  # a damaged page: the rows before it were good

    def close(self) -> None:
        """Everything is in the one file afterwards."""
        try:
            self._db.execute("pragma wal_checkpoint(truncate)").fetchall()
        except sqlite3.Error:
            """The log stays beside the file, and is read with it."""
        self._db.close()


def salvage(path: str) -> str | None:
    """Copy what is good of a damaged journal into a new one; the damaged one keeps its content under another name.

    Returns:
        the new name of the damaged file, or None if it was not damaged.
    """
    try:
        probe = SqliteJournal(path)
        try:
            healthy = probe._db.execute("pragma quick_check").fetchone()[0] == "ok"
        except sqlite3.DatabaseError:
            healthy = False
        if healthy:
            probe.close()
            return None
        snapshot, records = probe.load()
        probe._db.close()
    except JournalDamaged:
        snapshot, records = None, []
    aside = f"{path}.damaged-{int(time.time())}"
    os.rename(path, aside)
    for tail in ("-wal", "-shm"):
        if os.path.exists(path + tail):
            os.rename(path + tail, aside + tail)
    fresh = SqliteJournal(path)
    if snapshot is not None:
        fresh.keep_snapshot(records[0].turn - 1 if records else 1, time.time(), snapshot)
    for record in records:
        fresh.append(record)
    fresh.close()
    return aside
