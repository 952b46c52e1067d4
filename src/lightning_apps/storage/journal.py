"""The journal of a run in one SQLite file: a record per turn, a snapshot now and then.  Knows bytes, not what they mean.

Write-ahead logging with one writer; a turn, or a few that were allowed to wait for each other, is one transaction.  `turn`: a commit
survives the death of any process (synchronous=NORMAL); `fsync`: also that of the machine (synchronous=FULL).  See
https://www.sqlite.org/wal.html.  What grows with a run is kept apart from its snapshots, in parts: each holds what is new since the
one before.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Mapping

import msgspec

from ..base.encoding import ext_hook
from ..base.errors import JournalDamaged, RunError
from ..base.messages import Record
from .checkpoints import Checkpoints
from .journal_file import cause, opened
from .reading import Kept, Row, read, seal
from .window import WINDOW_BYTES, WINDOW_TURNS, Window

CHECKPOINT_BYTES = 16 << 20  # of the write-ahead log
LOG_BYTES = 3 * CHECKPOINT_BYTES  # whoever writes waits until the log begins anew
PAGE = 4096
TOGETHER, TOGETHER_BYTES = 32, 1 << 18  # turns that wait for each other at most

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record, ext_hook=ext_hook)

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
        self.path, self._window = path, Window(window_turns, window_bytes)
        self.bytes_of_snapshot = 0
        self._since_checkpoint = self._log_bytes = 0
        self._waiting: list[Row] = []
        self._waiting_bytes = 0
        self._checkpoints = checkpoints or Checkpoints(path)
        self._db = opened(path, durability, CHECKPOINT_BYTES)
        self._look()

    def _look(self) -> None:
        """What the next turn, the next snapshot and the next parts go on from."""
        query = "select n, chain from turns union all select n, chain from snapshots order by 1 desc limit 1"
        try:
            newest = self._db.execute(query).fetchone()
            snapshot = self._db.execute("select length(data) from snapshots order by n desc limit 1").fetchone()
            parts = self._db.execute("select name, sum from parts order by n").fetchall()
            self._window.look(self._db)
        except sqlite3.Error as error:
            self._db.close()
            raise cause(self.path, error) from None
        self._chain = int(newest[1]) if newest else 0
        self.bytes_of_snapshot = snapshot[0] if snapshot else 0
        self._sums: dict[str, int] = dict(parts)

    @property
    def bytes_since_snapshot(self) -> int:
        """Bytes of the records after the newest snapshot."""
        return self._window.newest_bytes

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
        self._window.grew(len(data))
        if later and len(self._waiting) < TOGETHER and self._waiting_bytes < TOGETHER_BYTES:
            return None
        try:
            return self.flush()
        except RunError:
            self._waiting.pop()
            self._chain = former
            self._waiting_bytes -= len(data)
            self._window.grew(-len(data))
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
            raise cause(self.path, error) from None
        self._logged(self._waiting_bytes + PAGE + PAGE // 8 * len(rows))
        self._waiting, self._waiting_bytes = [], 0
        self._move_log()
        if self._window.behind:
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
            raise cause(self.path, error) from None
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
        moved = self._window.moved_to(turn)
        try:
            with self._db:
                self._db.execute("begin")
                self._db.executemany("insert or replace into parts values(?,?,?,?,?)", rows)
                row = (turn, at, zlib.crc32(data), self._chain, seal(sums.items()), data)
                self._db.execute("insert or replace into snapshots values(?,?,?,?,?,?)", row)
                moved.forget(self._db)
        except sqlite3.Error as error:
            raise cause(self.path, error) from None
        self._logged(len(data) + sum(len(row[4]) for row in rows))
        self._sums, self._window = sums, moved
        self.bytes_of_snapshot = len(data)
        self._sweep()

    def _sweep(self) -> None:
        try:
            self._window.sweep(self._db)
        except sqlite3.Error as error:
            raise cause(self.path, error) from None

    def set(self, key: str, value: str) -> None:
        """Remember one value of the run itself."""
        try:
            self._db.execute("insert or replace into meta values(?,?)", (key, value))
        except sqlite3.Error as error:
            raise cause(self.path, error) from None

    # -- reading -----------------------------------------------------------------------------------------

    def get(self, key: str) -> str | None:
        """A value of the run itself."""
        found = self._db.execute("select value from meta where key=?", (key,)).fetchone()
        return found[0] if found else None

    def last_turn(self) -> int:
        """The number of the newest turn that is kept, 0 if there is none."""
        turn = self._db.execute("select max(n) from turns").fetchone()[0] or 0
        return int(max(turn, self._window.newest))

    def oldest_turn(self) -> int:
        """The oldest turn whose state can be told, 0 if there is none."""
        return self._window.oldest or int(self._db.execute("select min(n) from turns").fetchone()[0] or 0)

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
