"""Which rows of a journal are as they were written; for a damaged file, too.  Knows bytes, not what they mean.

Every row carries a checksum of its own, and one over all turns up to it, so that what a damaged disk changed, or left out,
is told from what was written.  A part goes on from the parts of the same name before it; each snapshot says which parts it goes with.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from ..base.errors import JournalDamaged, RunError

FORMAT = 2
Row = tuple[int, float, int, int, bytes]  # of a turn: its number, wall time, checksum, checksum up to it, data
PartRow = tuple[str, int, int, int, bytes]  # name, turn of its snapshot, whether it is whole, checksum up to it, data


class Kept(msgspec.Struct):
    """What is good of a journal: rows as they are stored; `whole` if that is everything after the newest snapshot."""

    snapshot_turn: int = 0
    snapshot_at: float = 0.0
    snapshot: bytes | None = None
    chain: int = 0
    rows: list[Row] = []
    parts: list[PartRow] = []
    whole: bool = True


def read(db: sqlite3.Connection, until: int | None = None) -> Kept:
    """The newest good snapshot with its parts, and every good row after it."""
    kept, limit = Kept(), until if until is not None else 1 << 62
    query = "select n, at, sum, chain, parts, data from snapshots where n <= ? order by n desc"
    for row in _rows(db, query, (limit,)):
        if row is not None and zlib.crc32(row[5]) == row[2] and (parts := _parts(db, row[0], row[4])) is not None:
            kept.snapshot_turn, kept.snapshot_at, _, kept.chain, _, kept.snapshot = row
            kept.parts = parts
            break
        kept.whole = False
    last, first, chain = 0, max(kept.snapshot_turn, 0 if kept.snapshot is not None else oldest(db)) + 1, kept.chain
    query = "select n, at, sum, chain, data from turns where n between ? and ? order by n"
    for row in _rows(db, query, (first, limit)):
        if row is None or row[0] <= last or zlib.crc32(row[4]) != row[2] or zlib.crc32(row[4], chain) != row[3]:
            kept.whole = False
            break
        last, chain = row[0], row[3]
        kept.rows.append(row)
    return kept


def oldest(db: sqlite3.Connection) -> int:
    """The turn before which nothing is kept (what is still there of it is about to go), 0: all are there from the beginning."""
    try:
        found = db.execute("select value from meta where key='oldest'").fetchone()
    except (sqlite3.Error, UnicodeDecodeError):
        return 0
    return int(found[0]) if found and str(found[0]).isdecimal() else 0


def written_in(db: sqlite3.Connection, path: str) -> int:
    """The format of a journal, 0 for one that is only being made.

    Raises:
        JournalDamaged: it says none that there ever was.
        RunError: another version wrote it.
    """
    found = db.execute("select value from meta where key='format'").fetchone()
    if found is None:
        return 0
    if not str(found[0]).isdecimal():
        raise JournalDamaged(f"The journal {path} is damaged: it says that its format is {found[0]!r}.")
    if int(found[0]) != FORMAT:
        age = "a newer" if int(found[0]) > FORMAT else "an older"
        raise RunError(
            f"The journal {path} was written by {age} version of lightning-apps (format {found[0]}, this one reads {FORMAT}): "
            "resume the run with that version."
        )
    return FORMAT


def seal(sums: Iterable[tuple[str, int]]) -> int:
    """One checksum of the checksums of all names' newest parts."""
    sealed = 0
    for name, each in sorted(sums):
        sealed = zlib.crc32(f"{name} {each};".encode(), sealed)
    return sealed


def _parts(db: sqlite3.Connection, turn: int, sealed: int) -> list[PartRow] | None:
    """The parts that go with the snapshot of this turn; None if they are not as they were written."""
    found: dict[str, list[PartRow]] = {}
    query = "select name, n, whole, sum, data from parts where n <= ? order by name, n"
    for row in _rows(db, query, (turn,), numbers=slice(1, -1)):
        if row is None:
            return None
        before = 0 if row[2] or row[0] not in found else found[row[0]][-1][3]
        if zlib.crc32(row[4], before) != row[3]:
            return None
        found[row[0]] = [row] if row[2] else [*found.get(row[0], ()), row]
    same = seal((name, rows[-1][3]) for name, rows in found.items()) == sealed
    return [row for rows in found.values() for row in rows] if same else None


def _rows(
    db: sqlite3.Connection, query: str, arguments: tuple[int, ...], numbers: slice = slice(0, -1)
) -> Iterator[Any]:
    """Rows; None where one cannot be read, which is the last then."""
    try:
        for row in db.execute(query, arguments):
            good = all(isinstance(value, (int, float)) for value in row[numbers]) and isinstance(row[-1], bytes)
            yield row if good else None
    except (sqlite3.Error, UnicodeDecodeError):
        yield None
