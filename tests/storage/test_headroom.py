"""A log that has its length from the beginning holds what was written, whatever becomes of its process, and is no condition."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightning_apps.base import messages as m
from lightning_apps.base.messages import Record
from lightning_apps.storage.journal import CHECKPOINT_BYTES, SqliteJournal


def record(turn: int) -> Record:
    return Record(turn, 1000.0 + turn, [m.Heard("root.w@1", turn, b"word" * 50)])


def turns(path: Path) -> list[int]:
    journal = SqliteJournal(str(path))
    found = [each.turn for each in journal.load()[1]]
    journal.close()
    return found


def test_turns_do_not_make_the_log_of_a_machine_that_may_lose_power_longer(tmp_path: Path) -> None:
    journal, log = SqliteJournal(str(tmp_path / "journal.db"), "fsync"), tmp_path / "journal.db-wal"

    before = log.stat().st_size
    for turn in range(1, 50):
        journal.append(record(turn))

    assert (before, log.stat().st_size) == (CHECKPOINT_BYTES, CHECKPOINT_BYTES)
    journal.close()
    assert not log.exists()


def test_what_was_written_is_there_after_a_death_and_after_an_end(tmp_path: Path) -> None:
    path, copy = tmp_path / "journal.db", tmp_path / "copy"
    copy.mkdir()

    for life in range(3):
        journal = SqliteJournal(str(path), "fsync")
        for turn in range(life * 10 + 1, life * 10 + 11):
            journal.append(record(turn))
        for name in ("journal.db", "journal.db-wal"):  # as a death leaves them
            shutil.copy(tmp_path / name, copy)
        (copy / "journal.db-shm").unlink(missing_ok=True)
        after_death = turns(copy / "journal.db")
        journal.close()

        assert after_death == turns(path) == list(range(1, life * 10 + 11))


def test_a_journal_goes_on_where_a_death_left_it(tmp_path: Path) -> None:
    path, copy = tmp_path / "journal.db", tmp_path / "copy"
    copy.mkdir()
    journal = SqliteJournal(str(path), "fsync")
    journal.append(record(1))
    for name in ("journal.db", "journal.db-wal"):
        shutil.copy(tmp_path / name, copy)

    later = SqliteJournal(str(copy / "journal.db"), "fsync")
    later.append(record(2))
    later.close()

    assert turns(copy / "journal.db") == [1, 2]


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file of this process may become longer than a megabyte."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_where_there_is_no_room_for_it_turns_are_kept_as_ever(tmp_path: Path, small_files: None) -> None:
    journal = SqliteJournal(str(tmp_path / "journal.db"), "fsync")
    journal.append(record(1))

    assert [each.turn for each in journal.load()[1]] == [1]
    assert os.path.getsize(tmp_path / "journal.db-wal") < 1 << 20
