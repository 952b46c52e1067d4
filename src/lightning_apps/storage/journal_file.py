"""The SQLite file of a journal: made whole, opened, and what its errors mean to people.  Does not know what is written when."""

from __future__ import annotations

import os
import sqlite3

from ..base.errors import JournalDamaged, JournalFull, RunError
from .headroom import lengthen
from .reading import FORMAT, written_in

UNWRITABLE = ("full", "disk i/o", "readonly", "read-only", "unable to open", "locked", "busy", "interrupted")
TABLES = """
create table if not exists meta(key text primary key, value text) without rowid;
create table if not exists turns(n integer primary key, at real, sum integer, chain integer, data blob);
create table if not exists snapshots(n integer primary key, at real, sum integer, chain integer, parts integer, data blob);
create table if not exists parts(name text, n integer, whole integer, sum integer, data blob, primary key(name, n));
"""


def opened(path: str, durability: str, log_bytes: int) -> sqlite3.Connection:
    """A connection that writes.

    Args:
        path: made with mode 0600 if it is not there.
        durability: "turn" or "fsync".
        log_bytes: of the write-ahead log, before it is moved.

    Raises:
        JournalDamaged: the file is no journal (any more).
        JournalFull: it cannot be written.
        RunError: another version wrote it.
    """
    try:
        if not os.path.exists(path):
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
        db.execute("pragma journal_mode=wal")
        db.execute(f"pragma synchronous={'full' if durability == 'fsync' else 'normal'}")
        db.execute("pragma wal_autocheckpoint=0")
        db.execute(f"pragma journal_size_limit={2 * log_bytes}")
        db.execute("create table if not exists meta(key text primary key, value text) without rowid")
        if written_in(db, path) == 0:
            db.executescript(
                f"begin immediate; {TABLES} insert or ignore into meta values('format', '{FORMAT}'); commit"
            )
        if durability == "fsync":
            lengthen(f"{path}-wal", log_bytes)
        return db
    except OSError as error:
        raise JournalFull(f"The journal {path} cannot be made: {error.strerror}.") from None
    except sqlite3.Error as error:
        raise cause(path, error) from None


def cause(path: str, error: sqlite3.Error) -> RunError:
    """What an error of SQLite means to the person whose run it is."""
    text = str(error)
    if any(word in text.lower() for word in UNWRITABLE):
        return JournalFull(f"The journal {path} cannot be written: {text}.")
    return JournalDamaged(f"The journal {path} is damaged: {text}.")
