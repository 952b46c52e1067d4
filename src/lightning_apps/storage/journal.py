"""The journal of a run in one SQLite file: a record per turn, a snapshot now and then.  Knows bytes, not what they mean.

Write-ahead logging with one writer; a turn, or a few that were allowed to wait for each other, is one transaction.  `turn`: a commit
survives the death of any process (synchronous=NORMAL); `fsync`: also that of the machine (synchronous=FULL).  See
https://www.sqlite.org/wal.html.  What grows with a run is kept apart from its snapshots, in parts: each holds what is new since the
one before.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Mapping
from itertools import pairwise

import msgspec

from ..base.encoding import ext_hook
from ..base.errors import JournalDamaged, JournalFull, RunError
from ..base.messages import Record
from .checkpoints import Checkpoints
from .headroom import lengthen
from .reading import FORMAT, Kept, Row, oldest, read, seal, written_in

WINDOW_TURNS, WINDOW_BYTES = 10_000, 256 << 20
CHECKPOINT_BYTES = 16 << 20  # of the write-ahead log
LOG_BYTES = 3 * CHECKPOINT_BYTES  # whoever writes waits until the log begins anew
PAGE = 4096
TOGETHER, TOGETHER_BYTES = 32, 1 << 18  # turns that wait for each other at most
SWEEP = 512  # turns before the window that go at a time
UNWRITABLE = ("full", "disk i/o", "readonly", "read-only", "unable to open", "locked", "busy", "interrupted")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record, ext_hook=ext_hook)

TABLES = """
create table if not exists meta(key text primary key, value text) without rowid;
create table if not exists turns(n integer primary key, at real, sum integer, chain integer, data blob);
create table if not exists snapshots(n integer primary key, at real, sum integer, chain integer, parts integer, data blob);
create table if not exists parts(name text, n integer, whole integer, sum integer, data blob, primary key(name, n));
"""
INSERTS = ["", *("insert into turns values" + ",".join(["(?,?,?,?,?)"] * count) for count in range(1, 5))]


class SqliteJournal:
    """One run's journal.

    Args:
        path: the file; made with mode 0600 if it is not there.
        durability: "turn" or "fsync".
        window_turns, window_bytes: how much of the past is kept before the newest snapshot.
        checkpoints: what moves the log into the file meanwhile.

    Raises:
        JournalDamaged: the file is no journal (any more); the message names it.
        JournalFull: it cannot be written.
        RunError: another version wrote it.
    """

    def __init__(
        self,
        path: str,
        durability: str = "turn",
        window_turns: int = WINDOW_TURNS,
        window_bytes: int = WINDOW_BYTES,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        self.path, self._window_turns, self._window_bytes = path, window_turns, window_bytes
        self.bytes_of_snapshot = 0
        self._since_checkpoint = self._log_bytes = 0
        self._waiting: list[Row] = []
        self._waiting_bytes = 0
        self._checkpoints = checkpoints or Checkpoints(path)
        self._db = self._open(durability)
        self._look()

    def _open(self, durability: str) -> sqlite3.Connection:
        try:
            if not os.path.exists(self.path):
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=10.0)
            db.execute("pragma journal_mode=wal")
            db.execute(f"pragma synchronous={'full' if durability == 'fsync' else 'normal'}")
            db.execute("pragma wal_autocheckpoint=0")
            db.execute(f"pragma journal_size_limit={2 * CHECKPOINT_BYTES}")
            db.execute("create table if not exists meta(key text primary key, value text) without rowid")
            if written_in(db, self.path) == 0:
                db.executescript(
                    f"begin immediate; {TABLES} insert or ignore into meta values('format', '{FORMAT}'); commit"
                )
            if durability == "fsync":
                lengthen(f"{self.path}-wal", CHECKPOINT_BYTES)
            return db
        except OSError as error:
            raise JournalFull(f"The journal {self.path} cannot be made: {error.strerror}.") from None
        except sqlite3.Error as error:
            raise self._cause(error) from None

    def _look(self) -> None:
        """What the next turn, the next snapshot and the next parts go on from."""
        query = "select n, chain from turns union all select n, chain from snapshots order by 1 desc limit 1"
        between = "select coalesce(sum(length(data)), 0) from turns where n > ? and n <= ?"
        try:
            newest = self._db.execute(query).fetchone()
            snapshots = self._db.execute("select n, length(data) from snapshots order by n").fetchall()
            bounds = [0, *(n for n, _ in snapshots), 1 << 62]
            sizes = [self._db.execute(between, each).fetchone()[0] for each in pairwise(bounds)]
            parts = self._db.execute("select name, sum from parts order by n").fetchall()
            self._oldest = oldest(self._db)
        except sqlite3.Error as error:
            self._db.close()
            raise self._cause(error) from None
        self._chain = int(newest[1]) if newest else 0
        self.bytes_of_snapshot = snapshots[-1][1] if snapshots else 0
        self._spans = [
            [n, size] for n, size in zip(bounds, sizes, strict=False)
        ]  # snapshots, bytes of turns after each
        self._sums: dict[str, int] = dict(parts)
        self._swept = 0

    @property
    def bytes_since_snapshot(self) -> int:
        """Bytes of the records after the newest snapshot."""
        return int(self._spans[-1][1])

    def _cause(self, error: sqlite3.Error) -> RunError:
        """What an error of SQLite means to the person whose run it is."""
        text = str(error)
        if any(word in text.lower() for word in UNWRITABLE):
            return JournalFull(f"The journal {self.path} cannot be written: {text}.")
        return JournalDamaged(f"The journal {self.path} is damaged: {text}.")

    # -- writing -----------------------------------------------------------------------------------------

    def append(self, record: Record, later: bool = False) -> None:
        """Keep one turn's record; returns when it is kept.  A turn that changed nothing is not written.

        Args:
            later: nothing depends on it yet, so it may be kept with the next that is not, or by `flush`.

        Raises:
            JournalFull: it could not be kept; nothing of it was.
        """
        if record.empty:
            return None if later else self.flush()
        data, former = _encode(record), self._chain
        self._chain = zlib.crc32(data, former)
        self._waiting.append((record.turn, record.at, zlib.crc32(data), self._chain, data))
        self._waiting_bytes += len(data)
        self._spans[-1][1] += len(data)
        if later and len(self._waiting) < TOGETHER and self._waiting_bytes < TOGETHER_BYTES:
            return None
        try:
            return self.flush()
        except RunError:
            self._waiting.pop()
            self._chain = former
            self._waiting_bytes -= len(data)
            self._spans[-1][1] -= len(data)
            raise

    def flush(self) -> None:
        """What was allowed to wait is kept when this returns.

        Raises:
            JournalFull: it could not be; another call tries again.
        """
        rows = self._waiting
        if not rows:
            return
        try:
            if len(rows) < len(INSERTS):
                self._db.execute(INSERTS[len(rows)], [value for row in rows for value in row])
            else:
                with self._db:
                    self._db.execute("begin")
                    self._db.executemany(INSERTS[1], rows)
        except sqlite3.Error as error:
            raise self._cause(error) from None
        self._logged(self._waiting_bytes + PAGE + PAGE // 8 * len(rows))
        self._waiting, self._waiting_bytes = [], 0
        self._move_log()
        if self._swept < self._oldest:
            self._sweep()

    def _logged(self, size: int) -> None:
        self._since_checkpoint += size
        self._log_bytes += size

    def _move_log(self) -> None:
        """Beside whoever writes; a log that grows faster than it is moved holds them up, or it would grow without end."""
        if self._log_bytes > LOG_BYTES:
            self._checkpoints.finish()
            self.checkpoint()
        elif self._since_checkpoint > CHECKPOINT_BYTES:
            self._since_checkpoint = 0
            self._checkpoints.begin()
        elif self._checkpoints.ended:
            self.checkpoint()

    def take_over(self, kept: Kept) -> None:
        """What is good of another journal, all or nothing of it; into one that is empty.

        Raises:
            JournalFull: they could not be kept.
        """
        try:
            with self._db:
                self._db.execute("begin")
                self._db.executemany("insert into parts values(?,?,?,?,?)", kept.parts)
                if (data := kept.snapshot) is not None:
                    sealed = seal({row[0]: row[3] for row in kept.parts}.items())
                    row = (kept.snapshot_turn, kept.snapshot_at, zlib.crc32(data), kept.chain, sealed, data)
                    self._db.execute("insert into snapshots values(?,?,?,?,?,?)", row)
                    self._db.execute("insert or replace into meta values('oldest', ?)", (str(kept.snapshot_turn),))
                rows = [(_decode.decode(row[4]).turn, *row[1:]) for row in kept.rows]  # a key may be what was damaged
                self._db.executemany(INSERTS[1], rows)
        except sqlite3.Error as error:
            raise self._cause(error) from None
        self._look()

    def checkpoint(self) -> None:
        """Move what is in the write-ahead log into the file, as far as readers allow."""
        self._since_checkpoint, self._log_bytes, self._checkpoints.ended = 0, 0, False
        try:
            self._db.execute("pragma wal_checkpoint(passive)").fetchall()
        except sqlite3.Error:
            """Another time; nothing is lost by waiting."""

    def keep_snapshot(self, turn: int, at: float, data: bytes, parts: Mapping[str, tuple[bool, bytes]] = {}) -> None:
        """Everything as it is after `turn`, the newest there is; what is older than the window goes.

        Args:
            turn: its number.
            at: wall time, seconds.
            data: everything but what is kept in parts.
            parts: by name what is new since the last snapshot; True: since the beginning, so that it replaces what was before.

        Raises:
            JournalFull: it could not be kept; nothing of it was.
        """
        self.flush()
        sums = dict(self._sums)
        for name, (whole, part) in parts.items():
            sums[name] = zlib.crc32(part, 0 if whole else sums.get(name, 0))
        rows = [(name, turn, int(whole), sums[name], part) for name, (whole, part) in parts.items()]
        spans = [*self._spans, [turn, 0]] if self._spans[-1][0] != turn else self._spans
        base = self._base(turn, spans)
        try:
            with self._db:
                self._db.execute("begin")
                self._db.executemany("insert or replace into parts values(?,?,?,?,?)", rows)
                row = (turn, at, zlib.crc32(data), self._chain, seal(sums.items()), data)
                self._db.execute("insert or replace into snapshots values(?,?,?,?,?,?)", row)
                self._forget(base)
        except sqlite3.Error as error:
            raise self._cause(error) from None
        self._logged(len(data) + sum(len(row[4]) for row in rows))
        self._sums, self._oldest = sums, max(base, self._oldest)
        self._spans = [each for each in spans if each[0] >= base]
        self.bytes_of_snapshot = len(data)
        self._sweep()

    def _base(self, turn: int, spans: list[list[int]]) -> int:
        """The snapshot that the window can be read from, 0: the whole run is inside it."""
        later = 0
        for n, size in reversed(spans):
            later += size
            if n and (n <= turn - self._window_turns or later >= self._window_bytes):
                return n
        first = spans[0][0] or spans[1][0]
        return first if later >= self._window_bytes else 0

    def _forget(self, base: int) -> None:
        """Nothing before this snapshot is told of any more; its turns go a few at a time."""
        if not base:
            return
        self._db.execute("insert or replace into meta values('oldest', ?)", (str(base),))
        self._db.execute("delete from snapshots where n < ?", (base,))
        newest = "select max(n) from parts as later where later.name = parts.name and whole and n <= ?"
        self._db.execute(f"delete from parts where n < ({newest})", (base,))

    def _sweep(self) -> None:
        """Turns before the window, as many as do not keep anybody waiting."""
        try:
            first = self._db.execute("select min(n) from turns").fetchone()[0]
            if first is None or first > self._oldest:
                self._swept = self._oldest
                return
            self._swept = min(self._oldest, first + SWEEP - 1)
            self._db.execute("delete from turns where n <= ?", (self._swept,))
        except sqlite3.Error as error:
            raise self._cause(error) from None

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
        return int(max(turn, self._spans[-1][0]))

    def oldest_turn(self) -> int:
        """The oldest turn whose state can be told, 0 if there is none."""
        return self._oldest or int(self._db.execute("select min(n) from turns").fetchone()[0] or 0)

    def load(self, until: int | None = None) -> tuple[bytes | None, list[Record]]:
        """The newest good snapshot (up to turn `until`) without its parts, and every good record after it; see `load_all`."""
        snapshot, _, records = self.load_all(until)
        return snapshot, records

    def load_all(
        self, until: int | None = None
    ) -> tuple[bytes | None, dict[str, list[tuple[int, bytes]]], list[Record]]:
        """The newest good snapshot (up to turn `until`), its parts by name, and every good record after it, in order.

        A row that is damaged or missing ends the reading: what comes after it was made from what it said.

        Returns:
            the snapshot; by name the turn and the data of each part; the records.

        Raises:
            JournalDamaged: a record is as it was written, and no record.
        """
        self.flush()
        kept = read(self._db, until)
        parts: dict[str, list[tuple[int, bytes]]] = {}
        for name, turn, _, _, data in kept.parts:
            parts.setdefault(name, []).append((turn, data))
        try:
            return kept.snapshot, parts, [_decode.decode(row[4]) for row in kept.rows]
        except msgspec.DecodeError as error:
            raise JournalDamaged(f"The journal {self.path} holds a record that cannot be read: {error}.") from None

    def close(self) -> None:
        """Everything is in the one file afterwards."""
        self._checkpoints.finish()
        try:
            self.flush()
            self._db.execute("pragma wal_checkpoint(truncate)").fetchall()
        except (RunError, sqlite3.Error):
            """The log stays beside the file, and is read with it; what found no room had led to nothing."""
        self._db.close()
