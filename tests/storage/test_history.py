"""Reading a journal from outside: while it is written, after its writer was killed, and never a byte into it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest

from lightning_apps.base.errors import JournalDamaged, RunError
from lightning_apps.base.messages import Record
from lightning_apps.storage.history import History
from lightning_apps.storage.journal import SqliteJournal


def record(turn: int) -> Record:
    return Record(turn, 100.0 + turn, [], [["set", "root", b"x" * 10]])


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "journal.db")


def turns(history: History, first: int = 0, until: int = 1 << 62) -> list[int]:
    return [each.turn for each in history.records(first, until)]


def test_a_journal_is_read_while_it_is_written(path: str) -> None:
    journal = SqliteJournal(path)
    journal.append(record(1))
    with History(path) as history:
        journal.append(record(2))  # a reader does not block the writer

        assert turns(history) == [1]  # and sees one moment
    with History(path) as history:
        assert turns(history) == [1, 2]
    journal.close()


def test_a_closed_journal_is_read_without_a_trace(path: str, tmp_path: Path) -> None:
    journal = SqliteJournal(path)
    journal.append(record(1))
    journal.set("ended", "0")
    journal.close()
    before = Path(path).read_bytes()

    with History(path) as history:
        assert (turns(history), history.get("ended"), history.last()) == ([1], "0", (1, 101.0))

    assert Path(path).read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["journal.db"]


def test_turns_are_found_by_their_time(path: str) -> None:
    journal = SqliteJournal(path)
    for turn in (1, 2, 5):
        journal.append(record(turn))
    journal.close()

    with History(path) as history:
        assert [history.turn_at(at) for at in (100.0, 101.0, 104.9, 105.0, 999.0)] == [0, 1, 2, 5, 5]
        assert turns(history, 2, 4) == [2]


def test_what_is_left_of_a_long_past_begins_with_a_snapshot(path: str) -> None:
    journal = SqliteJournal(path, window_turns=2)
    for turn in range(1, 9):
        journal.append(record(turn))
        if turn % 3 == 0:
            journal.keep_snapshot(turn, 100.0 + turn, b"snapshot")
    with History(path) as history:
        oldest = history.oldest()

        assert oldest == journal.oldest_turn() > 0
        assert history.snapshot(oldest) == (oldest, 100.0 + oldest, b"snapshot")
        assert history.snapshot(oldest - 1) is None
        assert turns(history)[0] == oldest + 1
    journal.close()


def test_no_journal_and_no_good_one_are_sentences(path: str) -> None:
    with pytest.raises(RunError, match="has recorded nothing"):
        History(path)
    Path(path).write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(JournalDamaged, match="cannot be read"):
        History(path)


def test_a_journal_that_is_only_being_made_has_recorded_nothing_yet_and_is_never_half_there(tmp_path: Path) -> None:
    def make() -> None:
        for number in range(40):
            SqliteJournal(str(tmp_path / f"{number}.db")).close()

    maker = Thread(target=make)
    maker.start()
    seen = set()
    while maker.is_alive():
        for path in tmp_path.glob("*.db"):
            try:
                with History(str(path)) as history:
                    seen.add((history.last(), history.snapshot(), history.get("ended")))
            except JournalDamaged as error:
                assert "no such table: turns" in str(error)
    maker.join()

    assert seen <= {((0, 0.0), None, None)}


def test_a_journal_that_lacks_a_table_is_damaged(path: str) -> None:
    SqliteJournal(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("drop table snapshots")

    with pytest.raises(JournalDamaged), History(path) as history:
        history.last()
