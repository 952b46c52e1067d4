"""The journal keeps records and snapshots in order, bounded, and says what it cannot do."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightning_apps.base import messages as m
from lightning_apps.base.errors import JournalDamaged, JournalFull, RunError
from lightning_apps.base.messages import Record
from lightning_apps.storage.checkpoints import Checkpoints
from lightning_apps.storage.journal import SqliteJournal


def record(turn: int, size: int = 10) -> Record:
    """A turn that heard one thing of `size` bytes."""
    return Record(turn, 1000.0 + turn, [m.Heard("root.w@1", turn, turn.to_bytes(4, "big") * (size // 4 + 1))])


def turns(journal: SqliteJournal, until: int | None = None) -> tuple[bytes | None, list[int]]:
    snapshot, records = journal.load(until)
    return snapshot, [each.turn for each in records]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "journal.db")


def test_records_come_back_as_they_were_and_in_order(path: str) -> None:
    journal = SqliteJournal(path)
    written = [
        record(1),
        Record(2, 1.5, [m.Exited("root.w@1", signal=9)], [["set", "root", b"\x93"]], [["x"]], {"k": 1.0}),
    ]
    for each in written:
        journal.append(each)

    assert journal.load() == (None, written)
    journal.close()
    assert SqliteJournal(path).load() == (None, written)


def test_a_turn_that_changed_nothing_is_not_written(path: str) -> None:
    journal = SqliteJournal(path)

    journal.append(Record(7, 1.0))

    assert journal.load() == (None, []) and journal.last_turn() == 0


def test_a_process_that_is_killed_has_recorded_what_it_appended(path: str) -> None:
    script = (
        "import os, signal, sys; sys.path[:0] = sys.argv[2:]\n"
        "from storage.test_journal import record, SqliteJournal\n"
        "journal = SqliteJournal(sys.argv[1])\n"
        "for turn in range(1, 51): journal.append(record(turn))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    process = subprocess.run([sys.executable, "-c", script, path, *sys.path], check=False)

    assert process.returncode == -signal.SIGKILL
    assert turns(SqliteJournal(path)) == (None, list(range(1, 51)))


def test_only_what_follows_the_newest_snapshot_is_read(path: str) -> None:
    journal = SqliteJournal(path)
    for turn in range(1, 10):
        journal.append(record(turn))
        if turn in (3, 6):
            journal.keep_snapshot(turn, 1.0, b"after %d" % turn)

    assert turns(journal) == (b"after 6", [7, 8, 9])
    assert turns(journal, 5) == (b"after 3", [4, 5])
    assert turns(journal, 2) == (None, [1, 2])
    assert journal.oldest_turn() == 1 and journal.last_turn() == 9


def test_the_chain_goes_on_after_a_snapshot_and_after_opening_again(path: str) -> None:
    for turn in range(1, 9):
        journal = SqliteJournal(path)
        journal.append(record(turn))
        if turn % 3 == 0:
            journal.keep_snapshot(turn, 1.0, b"%d" % turn)
        journal.close()

    assert turns(SqliteJournal(path)) == (b"6", [7, 8])


def test_turns_before_the_window_go_as_far_as_the_rest_can_be_read_without_them(path: str) -> None:
    journal = SqliteJournal(path, window_turns=10)
    for turn in range(1, 41):
        journal.append(record(turn))
        if turn % 8 == 0:
            journal.keep_snapshot(turn, 1.0, b"%d" % turn)

    assert turns(journal, 30) == (b"24", list(range(25, 31)))
    assert turns(journal, 23) == (None, [])
    assert journal.oldest_turn() == 24
    assert turns(journal) == (b"40", [])


def test_turns_go_when_they_take_more_room_than_the_window_has(path: str) -> None:
    journal = SqliteJournal(path, window_bytes=20_000)
    for turn in range(1, 101):
        journal.append(record(turn, 1000))
        if turn % 10 == 0:
            journal.keep_snapshot(turn, 1.0, b"%d" % turn)

    assert 70 <= journal.oldest_turn() <= 90
    assert turns(journal, 95) == (b"90", list(range(91, 96)))


def test_the_file_stops_growing(path: str) -> None:
    journal = SqliteJournal(path, window_bytes=1 << 20)
    sizes = []
    for turn in range(1, 12_001):
        journal.append(record(turn, 1000))
        if turn % 500 == 0:
            journal.keep_snapshot(turn, 1.0, bytes(20_000))
        if turn % 3000 == 0:
            journal.checkpoint()
            sizes.append(os.path.getsize(path) + os.path.getsize(path + "-wal"))

    assert max(sizes[1:]) <= sizes[1] * 1.2


def test_values_of_the_run_are_remembered(path: str) -> None:
    journal = SqliteJournal(path)
    journal.set("generation", "1")
    journal.set("generation", "2")
    journal.close()

    assert SqliteJournal(path).get("generation") == "2"
    assert SqliteJournal(path).get("colour") is None


def test_it_can_be_read_while_it_is_written(path: str) -> None:
    journal, reader = SqliteJournal(path), SqliteJournal(path)
    journal.append(record(1))
    first = turns(reader)
    journal.append(record(2))

    assert (first, turns(reader)) == ((None, [1]), (None, [1, 2]))


def test_the_file_is_for_its_owner_only(path: str) -> None:
    before = os.umask(0)
    try:
        journal = SqliteJournal(path)
        journal.append(record(1))
    finally:
        os.umask(before)

    assert {stat.S_IMODE(os.stat(path + tail).st_mode) for tail in ("", "-wal", "-shm")} == {0o600}
    journal.close()


def test_a_journal_of_a_newer_version_is_refused_by_name_and_left_alone(path: str) -> None:
    journal = SqliteJournal(path)
    journal.set("format", "99")
    journal.close()
    before = Path(path).read_bytes()

    with pytest.raises(RunError, match=r"journal\.db was written by a newer version .*format 99.*resume") as caught:
        SqliteJournal(path)

    assert not isinstance(caught.value, JournalDamaged)
    assert Path(path).read_bytes() == before


def test_another_file_is_no_journal(path: str) -> None:
    Path(path).write_text("dear diary, " * 1000)

    with pytest.raises(JournalDamaged, match=r"journal\.db is damaged: file is not a database"):
        SqliteJournal(path)

    assert Path(path).read_text() == "dear diary, " * 1000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for little."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_told_and_what_was_recorded_before_stays(small_disk: Path) -> None:
    journal = SqliteJournal(str(small_disk / "journal.db"))
    kept = 0
    with pytest.raises(JournalFull, match=r"journal\.db cannot be written: database or disk is full"):
        for turn in range(1, 1000):
            journal.append(record(turn, 5000))
            kept = turn

    assert 10 < kept < 500
    assert turns(journal) == (None, list(range(1, kept + 1)))


def test_a_turn_that_found_no_room_is_written_as_soon_as_there_is_some(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(300_000))
    journal, turn = SqliteJournal(str(small_disk / "journal.db")), 0
    with pytest.raises(JournalFull):
        while True:
            journal.append(record(turn + 1, 5000))
            turn += 1
    with pytest.raises(JournalFull):
        journal.append(record(turn + 1, 5000))

    (small_disk / "ballast").unlink()
    journal.append(record(turn + 1, 5000))

    assert turns(journal) == (None, list(range(1, turn + 2)))
    journal.close()
    assert turns(SqliteJournal(str(small_disk / "journal.db"))) == (None, list(range(1, turn + 2)))


def test_a_limit_of_file_sizes_is_a_full_disk(path: str) -> None:
    journal, limits, turn = SqliteJournal(path), resource.getrlimit(resource.RLIMIT_FSIZE), 0
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(JournalFull, match=r"journal\.db cannot be written"):
            while turn < 1000:
                journal.append(record(turn + 1, 5000))
                turn += 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, former)
    journal.append(record(turn + 1, 5000))

    assert turns(journal) == (None, list(range(1, turn + 2)))


def as_nobody(path: str, code: str) -> str:
    """What the code prints when somebody without rights runs it; `path` is its `sys.argv[1]`."""
    script = (
        "import os, sys; sys.path[:0] = sys.argv[2:]\n"
        "from storage.test_journal import *\n"
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        f"try:\n    {code}\nexcept RunError as error:\n    print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", script, path, *sys.path], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return done.stdout


def test_a_folder_that_cannot_be_written_is_one_sentence(path: str) -> None:
    folder = Path(path).parent
    folder.chmod(0o555)
    for parent in list(folder.parents)[:3]:
        if parent.stat().st_uid == os.getuid() and str(parent) not in ("/", "/tmp"):
            parent.chmod(0o755)

    assert as_nobody(path, "SqliteJournal(sys.argv[1])") == (
        f"JournalFull The journal {path} cannot be made: Permission denied.\n"
    )


def test_two_writers_of_one_turn_are_not_both_right(path: str) -> None:
    first, second = SqliteJournal(path), SqliteJournal(path)
    first.append(record(1))

    with pytest.raises(JournalDamaged, match="UNIQUE"):
        second.append(record(1))


def test_rows_say_their_turn_and_time_for_others_to_look_up(path: str) -> None:
    journal = SqliteJournal(path)
    journal.append(record(3))
    journal.close()

    with sqlite3.connect(path) as db:
        assert db.execute("select n, at from turns").fetchall() == [(3, 1003.0)]


def test_turns_that_may_wait_are_kept_with_the_next_that_may_not(path: str) -> None:
    journal, other = SqliteJournal(path), SqliteJournal(path)

    journal.append(record(1), later=True)
    journal.append(record(2), later=True)
    before = turns(other)
    journal.append(record(3))

    assert (before, turns(other)) == ((None, []), (None, [1, 2, 3]))


@pytest.mark.parametrize("count", [1, 4, 5, 31])
def test_turns_that_wait_are_kept_when_that_is_asked_for(path: str, count: int) -> None:
    journal, other = SqliteJournal(path), SqliteJournal(path)
    for turn in range(1, count + 1):
        journal.append(record(turn), later=True)

    before = turns(other)
    journal.flush()

    assert (before, turns(other)) == ((None, []), (None, list(range(1, count + 1))))


def test_many_turns_or_large_ones_do_not_wait(path: str) -> None:
    journal, other = SqliteJournal(path), SqliteJournal(path)

    for turn in range(1, 41):
        journal.append(record(turn), later=True)
    many = turns(other)[1]
    journal.append(record(41, 1 << 20), later=True)

    assert len(many) >= 30 and turns(other)[1][-1] == 41


def test_turns_that_wait_and_find_no_room_are_all_kept_later(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(300_000))
    journal, turn = SqliteJournal(str(small_disk / "journal.db")), 0
    with pytest.raises(JournalFull):
        while True:
            journal.append(record(turn + 1, 5000))
            turn += 1
    journal.append(record(turn + 1, 5000), later=True)
    with pytest.raises(JournalFull):
        journal.append(record(turn + 2, 5000))
    with pytest.raises(JournalFull):
        journal.flush()

    (small_disk / "ballast").unlink()
    journal.append(record(turn + 2, 5000))

    assert turns(journal) == (None, list(range(1, turn + 3)))
    journal.close()


def test_what_waits_is_kept_when_the_journal_is_closed(path: str) -> None:
    journal = SqliteJournal(path)
    journal.append(record(1), later=True)

    journal.close()

    assert turns(SqliteJournal(path)) == (None, [1])


def test_parts_belong_to_their_snapshot_and_those_before_it(path: str) -> None:
    journal = SqliteJournal(path)
    for turn, parts in [
        (2, {"a": (True, b"1")}),
        (4, {"a": (False, b"2"), "b": (True, b"x")}),
        (6, {"a": (True, b"3")}),
    ]:
        journal.append(record(turn))
        journal.keep_snapshot(turn, 1.0, b"%d" % turn, parts)

    assert journal.load_all(3)[:2] == (b"2", {"a": [(2, b"1")]})
    assert journal.load_all(5)[:2] == (b"4", {"a": [(2, b"1"), (4, b"2")], "b": [(4, b"x")]})
    journal.close()
    again = SqliteJournal(path)
    again.keep_snapshot(7, 1.0, b"7", {"a": (False, b"4")})
    assert again.load_all()[:2] == (b"7", {"a": [(6, b"3"), (7, b"4")], "b": [(4, b"x")]})


@pytest.mark.parametrize(
    "damage",
    ["delete from parts where n = 4", "delete from parts where n = 2", "update parts set data = x'00' where n = 4"],
)
def test_a_snapshot_whose_parts_are_damaged_is_not_taken(path: str, damage: str) -> None:
    journal = SqliteJournal(path)
    for turn in range(1, 6):
        journal.append(record(turn))
        if turn in (2, 4):
            journal.keep_snapshot(turn, 1.0, b"%d" % turn, {"a": (False, b"part %d" % turn)})
    journal.close()
    with sqlite3.connect(path) as db:
        db.execute(damage)

    snapshot, _, records = SqliteJournal(path).load_all()

    first = 1 if "n = 2" in damage else 3
    assert (snapshot, [each.turn for each in records]) == (None if first == 1 else b"2", list(range(first, 6)))


def test_parts_that_were_replaced_go_with_the_snapshots_that_needed_them(path: str) -> None:
    journal = SqliteJournal(path, window_turns=10)
    for turn in range(1, 101):
        journal.append(record(turn))
        if turn % 5 == 0:
            journal.keep_snapshot(turn, 1.0, b"%d" % turn, {"a": (turn % 20 == 0, b"part %d" % turn)})

    assert [turn for turn, _ in journal.load_all()[1]["a"]] == [100]
    assert [turn for turn, _ in journal.load_all(97)[1]["a"]] == [80, 85, 90, 95]
    with sqlite3.connect(path) as db:
        assert db.execute("select min(n) from parts").fetchone() == (80,)


def test_turns_before_the_window_are_not_told_of_while_they_are_still_there(path: str) -> None:
    journal = SqliteJournal(path, window_turns=10)
    for turn in range(1, 2001):
        journal.append(record(turn), later=True)
    for turn in (2000, 2010, 2020):
        journal.append(record(turn + 1))
        journal.keep_snapshot(turn + 1, 1.0, b"%d" % turn)

    with sqlite3.connect(path) as db:
        assert db.execute("select min(n) from turns").fetchone()[0] < journal.oldest_turn() == 2011
    assert turns(journal, 1990) == (None, []) and turns(journal)[0] == b"2020"
    for turn in range(2030, 2040):
        journal.append(record(turn))
    with sqlite3.connect(path) as db:
        assert db.execute("select min(n) from turns").fetchone()[0] == 2021


def test_a_journal_of_an_older_version_is_refused_by_name(path: str) -> None:
    journal = SqliteJournal(path)
    journal.set("format", "1")
    journal.close()

    with pytest.raises(RunError, match=r"journal\.db was written by an older version .*format 1, .*resume"):
        SqliteJournal(path)


class Starved(Checkpoints):
    """The one that gets no time of the processor unless somebody waits for it."""

    def begin(self) -> None:
        self.begun = True

    def finish(self) -> None:
        if getattr(self, "begun", False):
            self._move()


def test_a_log_that_is_moved_too_slowly_holds_up_whoever_writes_and_grows_no_further(path: str) -> None:
    journal, sizes = SqliteJournal(path, checkpoints=Starved(path)), []
    for turn in range(1, 601):
        journal.append(record(turn, 200_000))
        sizes.append(os.path.getsize(path + "-wal"))

    assert 40 << 20 < max(sizes) < 64 << 20
    journal.close()
    assert turns(SqliteJournal(path)) == (None, list(range(1, 601)))


def test_under_steady_writing_the_log_begins_anew_and_nothing_is_lost(path: str) -> None:
    journal, sizes = SqliteJournal(path), []
    for turn in range(1, 601):
        journal.append(record(turn, 200_000))
        sizes.append(os.path.getsize(path + "-wal"))

    assert max(sizes) < 64 << 20
    assert turns(journal) == (None, list(range(1, 601)))
    journal.close()
    assert turns(SqliteJournal(path)) == (None, list(range(1, 601)))
