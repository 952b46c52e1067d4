"""The journal of a run in one SQLite file: a record per turn, a snapshot now and then.  Knows bytes, not what they mean.

Write-ahead logging with one writer; a turn is one transaction.  `turn`: a commit survives the death of any process
(synchronous=NORMAL); `fsync`: also that of the machine (synchronous=FULL).  See https://www.sqlite.org/wal.html.
Every row carries a checksum of its own, and one over all turns up to it, so that what a damaged disk changed, or left out,
is told from what was written.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Iterator
from typing import Any

import msgspec

from ..base.encoding import ext_hook
from ..base.errors import JournalDamaged, JournalFull, RunError
from ..base.messages import Record

FORMAT = 1
Row = tuple[int, float, int, int, bytes]  # of a table: number of the turn, wall time, checksum, checksum up to it, data
WINDOW_TURNS, WINDOW_BYTES = 10_000, 256 << 20
CHECKPOINT_BYTES = 4 << 20
UNWRITABLE = ("full", "disk i/o", "readonly", "read-only", "unable to open", "locked", "busy", "interrupted")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record, ext_hook=ext_hook)

TABLES = """
create table if not exists meta(key text primary key, value text) without rowid;
create table if not exists turns(n integer primary key, at real, sum integer, chain integer, data blob);
create table if not exists snapshots(n integer primary key, at real, sum integer, chain integer, data blob);
"""


class SqliteJournal:
    """One run's journal.

    Args:
        path: the file; made with mode 0600 if it is not there.
        durability: "turn" or "fsync".
        window_turns, window_bytes: how much of the past is kept before the newest snapshot.

    Raises:
        JournalDamaged: the file is no journal (any more); the message names it.
        JournalFull: it cannot be written.
        RunError: a newer version wrote it.
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
        self._chain = self._last_sum()

    def _open(self, durability: str) -> sqlite3.Connection:
        try:
            if not os.path.exists(self.path):
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=10.0)
            db.execute("pragma journal_mode=wal")
            db.execute(f"pragma synchronous={'full' if durability == 'fsync' else 'normal'}")
            db.execute("pragma wal_autocheckpoint=0")
            db.execute(f"pragma journal_size_limit={4 * CHECKPOINT_BYTES}")
            db.executescript(TABLES)
            self._check_format(db)
            return db
        except OSError as error:
            raise JournalFull(f"The journal {self.path} cannot be made: {error.strerror}.") from None
        except sqlite3.Error as error:
            raise self._cause(error) from None

    def _check_format(self, db: sqlite3.Connection) -> None:
        if written_in(db, self.path) == 0:
            db.execute("insert or ignore into meta values('format', ?)", (str(FORMAT),))

    def _last_sum(self) -> int:
        """What the checksum of the next turn goes on from."""
        query = "select n, chain from turns union all select n, chain from snapshots order by 1 desc limit 1"
        try:
            found = self._db.execute(query).fetchone()
        except sqlite3.Error as error:
            self._db.close()
            raise self._cause(error) from None
        return int(found[1]) if found else 0

    def _cause(self, error: sqlite3.Error) -> RunError:
        """What an error of SQLite means to the person whose run it is."""
        text = str(error)
        if any(word in text.lower() for word in UNWRITABLE):
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
        chain = zlib.crc32(data, self._chain)
        row = (record.turn, record.at, zlib.crc32(data), chain, data)
        try:
            self._db.execute("insert into turns values(?,?,?,?,?)", row)
        except sqlite3.Error as error:
            raise self._cause(error) from None
        self._chain = chain
        self.bytes_since_snapshot += len(data)
        self._since_checkpoint += len(data) + 200
        if self._since_checkpoint > CHECKPOINT_BYTES:
            self.checkpoint()

    def take_over(self, kept: Kept) -> None:
        """What is good of another journal, all or nothing of it.

        Raises:
            JournalFull: they could not be kept.
        """
        try:
            with self._db:
                self._db.execute("begin")
                if (data := kept.snapshot) is not None:
                    row = (kept.snapshot_turn, kept.snapshot_at, zlib.crc32(data), kept.chain, data)
                    self._db.execute("insert into snapshots values(?,?,?,?,?)", row)
                self._db.executemany("insert into turns values(?,?,?,?,?)", kept.rows)
        except sqlite3.Error as error:
            raise self._cause(error) from None
        self._chain = self._last_sum()

    def checkpoint(self) -> None:
        """Move what is in the write-ahead log into the file, as far as readers allow."""
        self._since_checkpoint = 0
        try:
            self._db.execute("pragma wal_checkpoint(passive)").fetchall()
        except sqlite3.Error:
            """Another time; nothing is lost by waiting."""

    def keep_snapshot(self, turn: int, at: float, data: bytes) -> None:
        """Everything as it is after `turn`, the newest there is; what is older than the window goes.

        Raises:
            JournalFull: it could not be kept.
        """
        try:
            row = (turn, at, zlib.crc32(data), self._chain, data)
            self._db.execute("insert or replace into snapshots values(?,?,?,?,?)", row)
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
        """The oldest turn whose state can be told, 0 if there is none."""
        turn = self._db.execute("select min(n) from turns").fetchone()[0]
        snapshot = self._db.execute("select min(n) from snapshots").fetchone()[0]
        if snapshot is None or (turn is not None and turn <= snapshot):
            return int(turn or 0)
        return int(snapshot)

    def load(self, until: int | None = None) -> tuple[bytes | None, list[Record]]:
        """The newest good snapshot (up to turn `until`), and every good record after it, in order.

        A row that is damaged or missing ends the reading: what comes after it was made from what it said.

        Raises:
            JournalDamaged: a record is as it was written, and no record.
        """
        kept = read(self._db, until)
        try:
            return kept.snapshot, [_decode.decode(row[4]) for row in kept.rows]
        except msgspec.DecodeError as error:
            raise JournalDamaged(f"The journal {self.path} holds a record that cannot be read: {error}.") from None

    def close(self) -> None:
        """Everything is in the one file afterwards."""
        try:
            self._db.execute("pragma wal_checkpoint(truncate)").fetchall()
        except sqlite3.Error:
            """The log stays beside the file, and is read with it."""
        self._db.close()


def written_in(db: sqlite3.Connection, path: str) -> int:
    """The format of a journal, 0 for one that is only being made.

    Raises:
        JournalDamaged: it says none that there ever was.
        RunError: a newer version wrote it.
    """
    found = db.execute("select value from meta where key='format'").fetchone()
    if found is None:
        return 0
    if not str(found[0]).isdecimal():
        raise JournalDamaged(f"The journal {path} is damaged: it says that its format is {found[0]!r}.")
    if int(found[0]) > FORMAT:
        raise RunError(
            f"The journal {path} was written by a newer version of lightning-apps (format {found[0]}, this one reads up to "
            f"{FORMAT}): resume the run with that version."
        )
    return int(found[0])


class Kept(msgspec.Struct):
    """What is good of a journal: rows as they are stored; `whole` if that is everything after the newest snapshot."""

    snapshot_turn: int = 0
    snapshot_at: float = 0.0
    snapshot: bytes | None = None
    chain: int = 0
    rows: list[Row] = []
    whole: bool = True


def read(db: sqlite3.Connection, until: int | None = None) -> Kept:
    """The newest good snapshot and every good row after it; for a damaged file, too."""
    kept, limit = Kept(), until if until is not None else 1 << 62
    for row in _rows(db, "select n, at, sum, chain, data from snapshots where n <= ? order by n desc", (limit,)):
        if row is not None and zlib.crc32(row[4]) == row[2]:
            kept.snapshot_turn, kept.snapshot_at, _, kept.chain, kept.snapshot = row
            break
        kept.whole = False
    chain, query = kept.chain, "select n, at, sum, chain, data from turns where n between ? and ? order by n"
    for row in _rows(db, query, (kept.snapshot_turn + 1, limit)):
        if row is None or zlib.crc32(row[4]) != row[2] or zlib.crc32(row[4], chain) != row[3]:
            kept.whole = False
            break
        chain = row[3]
        kept.rows.append(row)
    return kept


def _rows(db: sqlite3.Connection, query: str, arguments: tuple[int, ...]) -> Iterator[Any]:
    """Rows; None where one cannot be read, which is the last then."""
    try:
        for row in db.execute(query, arguments):
            numbers = all(isinstance(value, (int, float)) for value in row[:-1])
            yield row if numbers and isinstance(row[-1], bytes) else None
    except sqlite3.Error:
        yield None
