"""A damaged journal: what is good of it goes on in a new file, the damaged one stays beside it.  Knows bytes, not what they mean."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3

from ..base.errors import JournalDamaged, JournalFull
from .journal import SqliteJournal
from .reading import Kept, read, written_in
from .window import WINDOW_BYTES, WINDOW_TURNS

TAILS = ("-wal", "-shm")


def open_sound(
    path: str, durability: str = "turn", window_turns: int = WINDOW_TURNS, window_bytes: int = WINDOW_BYTES
) -> tuple[SqliteJournal, str]:
    """The journal at `path`; one that is damaged is replaced by what is good of it.

    Returns:
        the journal, and the new name of the damaged file, "" if it was sound.

    Raises:
        JournalDamaged: nothing of it is good; it stays as it is.
        JournalFull: it cannot be written.
        RunError: a newer version wrote it.
    """
    aside = ""
    aside = salvage(path) if os.path.exists(path) and not _is_sound(path) else ""
    return SqliteJournal(path, durability, window_turns, window_bytes), aside


def _is_sound(path: str) -> bool:
    """Whether everything in it is as it was written; looks without changing anything, the log beside it included."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True)) as db:
            if not db.execute("select count(*) from sqlite_schema").fetchone()[0]:
                return True  # it was only being made
            written_in(db, path)
            sound = db.execute("pragma quick_check(1)").fetchone()[0] == "ok" and read(db).whole
        return sound and _can_be_written(path)
    except (JournalDamaged, UnicodeDecodeError):
        return False
    except sqlite3.Error as error:
        return "unable to open" in str(error)  # whoever opens it to write says so better


def _can_be_written(path: str) -> bool:
    """Whether SQLite takes it for a file that it may write to (field 18 of its header, the file format write version)."""
    with open(path, "rb") as file:
        return file.read(19)[18:] in (b"\x01", b"\x02", b"")


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def salvage(path: str) -> str:
    """Put what is good of a damaged journal in its place.

    Returns:
        the new name of the damaged file.

    Raises:
        JournalDamaged: nothing of it is good; it stays as it is.
        JournalFull: there is no room for another file.
    """
    fresh = f"{path}.fresh"
    try:
        kept, values = _read_copy(path)
        if kept.snapshot is None and not kept.rows:
            raise JournalDamaged(f"The journal {path} is damaged and nothing of it can be read: begin a new run.")
        _write(fresh, kept, values)
        aside = _free_name(path)
        for tail in (*TAILS, ""):
            with contextlib.suppress(FileNotFoundError):
                os.rename(path + tail, aside + tail)
        os.rename(fresh, path)
        return aside
    except OSError as error:
        raise JournalFull(f"The damaged journal {path} cannot be mended: {error.strerror}.") from None
    finally:
        _remove(fresh)


def _read_copy(path: str) -> tuple[Kept, dict[str, str]]:
    """Of a copy, since reading a write-ahead log moves it into its file."""
    copy = f"{path}.reading"
    try:
        _remove(copy)
        shutil.copyfile(path, copy)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(path + "-wal", copy + "-wal")
        for attempt in (_pad, _leave_out_log):
            attempt(copy)
            with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as db:
                kept = read(db)
                if kept.snapshot is not None or kept.rows:
                    return kept, _values(db)
        return Kept(), {}
    finally:
        _remove(copy)


def _values(db: sqlite3.Connection) -> dict[str, str]:
    try:
        return {str(key): str(value) for key, value in db.execute("select key, value from meta")}
    except (sqlite3.Error, UnicodeDecodeError):
        return {}


def _pad(path: str) -> None:
    """Fill up a file that was cut, since SQLite opens none that is shorter than it says (fields 16 and 28 of its header)."""
    with open(path, "r+b") as file:
        header = file.read(100)
        size = int.from_bytes(header[16:18], "big")
        wanted = (65536 if size == 1 else size) * int.from_bytes(header[28:32], "big")
        present = file.seek(0, os.SEEK_END)
        if present < wanted <= 2 * present + (1 << 20):
            file.truncate(wanted)


def _leave_out_log(path: str) -> None:
    for tail in TAILS:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + tail)


def _write(path: str, kept: Kept, values: dict[str, str]) -> None:
    _remove(path)
    fresh = SqliteJournal(path)
    try:
        for key, value in values.items():
            if key != "format":
                fresh.set(key, value)
        fresh.take_over(kept)
    finally:
        fresh.close()


def _free_name(path: str) -> str:
    number = 1
    while os.path.exists(f"{path}.damaged-{number}"):
        number += 1
    return f"{path}.damaged-{number}"


def _remove(path: str) -> None:
    for tail in ("", *TAILS):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + tail)


__all__ = ["open_sound", "salvage"]
