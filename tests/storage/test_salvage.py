"""Whatever a disk did to a journal: what is read of it is the beginning of what was written, and the damaged file stays."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lightning_apps.base.errors import JournalDamaged, RunError
from lightning_apps.storage.journal import SqliteJournal
from lightning_apps.storage.salvage import open_sound
from storage.test_journal import record

PAGE = 4096
SNAPSHOT = 20


def write(path: str, count: int = 60, *, closed: bool, size: int = 700) -> None:
    """A journal of so many turns with a snapshot after the 20th: closed well, or as a killed process leaves it."""
    original = path if closed else path + ".original"
    journal = SqliteJournal(original)
    journal.set("generation", "3")
    for turn in range(1, count + 1):
        journal.append(record(turn, size))
        if turn == SNAPSHOT:
            journal.keep_snapshot(turn, 1.0, b"everything after 20 turns" * 40)
        if turn == count // 2:
            journal.checkpoint()
    if closed:
        journal.close()
        return
    for tail in ("", "-wal"):
        shutil.copyfile(original + tail, path + tail)


class Disk:
    """One journal, as it was written and as it is damaged."""

    def __init__(self, folder: Path, *, closed: bool, count: int = 60) -> None:
        self.folder, self.count = folder, count
        write(str(folder / "journal.db"), count, closed=closed)
        self.files = {
            name: (folder / name).read_bytes() for name in ("journal.db", "journal.db-wal") if (folder / name).exists()
        }
        self.written = [record(turn, 700) for turn in range(1, count + 1)]

    def put(self, **damaged: bytes) -> str:
        """The journal anew; the files that are named otherwise."""
        for name in os.listdir(self.folder):
            os.unlink(self.folder / name)
        for name, data in {**self.files, **damaged}.items():
            (self.folder / name).write_bytes(data)
        return str(self.folder / "journal.db")

    def check(self, *, go_on: bool = True, **damaged: bytes) -> int:
        """The last turn that could be read; all that was read is as it was written."""
        path = self.put(**damaged)
        try:
            journal, aside = open_sound(path)
        except JournalDamaged:
            assert (self.folder / "journal.db").read_bytes() == damaged.get("journal.db", self.files["journal.db"])
            return -1
        snapshot, records = journal.load()
        first = SNAPSHOT if snapshot is not None else 0
        assert snapshot in (None, b"everything after 20 turns" * 40)
        assert records == self.written[first : first + len(records)]
        if aside:
            for name, data in damaged.items():
                assert Path(aside + name.removeprefix("journal.db")).read_bytes() == data
        if go_on:
            self.goes_on(journal, first + len(records))
        journal.close()
        return first + len(records)

    def goes_on(self, journal: SqliteJournal, last: int) -> None:
        """What is appended now is read after what was good."""
        journal.append(record(last + 5))
        journal.close()
        again, aside = open_sound(str(self.folder / "journal.db"))
        assert not aside
        assert [each.turn for each in again.load()[1]][-1] == last + 5
        again.close()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """In memory where possible: thousands of journals are made, and a disk that others use as well takes minutes for their syncs."""
    memory = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as found:
        for name in ("closed", "killed"):
            os.mkdir(os.path.join(found, name))
        yield Path(found)


@pytest.fixture(scope="module")
def closed(folder: Path) -> Disk:
    return Disk(folder / "closed", closed=True)


@pytest.fixture(scope="module")
def killed(folder: Path) -> Disk:
    return Disk(folder / "killed", closed=False)


def test_a_sound_journal_is_left_as_it_is(closed: Disk, killed: Disk) -> None:
    for disk in (closed, killed):
        assert disk.check() == 60
        assert not [name for name in os.listdir(disk.folder) if "damaged" in name]


def cuts(disk: Disk, name: str, step: int) -> list[int]:
    size = len(disk.files[name])
    where = range(size - 1, size - PAGE - 25, -step)
    return [disk.check(go_on=cut % 50 == 0, **{name: disk.files[name][:cut]}) for cut in where]


@pytest.mark.parametrize("step", [211, pytest.param(1, marks=pytest.mark.slow)])
def test_a_file_that_was_cut_anywhere_in_its_last_page_keeps_the_turns_before(closed: Disk, step: int) -> None:
    read = cuts(closed, "journal.db", step)

    assert min(read) >= 50


@pytest.mark.parametrize("step", [211, pytest.param(1, marks=pytest.mark.slow)])
def test_a_log_that_was_cut_anywhere_in_its_last_page_lacks_the_last_turn_only(killed: Disk, step: int) -> None:
    read = cuts(killed, "journal.db-wal", step)

    assert min(read) >= 58


def test_a_file_that_was_cut_anywhere_keeps_a_beginning_or_stays_as_it_is(closed: Disk, killed: Disk) -> None:
    for disk, name, most in ((closed, "journal.db", 50), (killed, "journal.db-wal", 58), (killed, "journal.db", 20)):
        size = len(disk.files[name])
        read = [disk.check(**{name: disk.files[name][:cut]}) for cut in range(size - 1, 100, -size // 40)]
        assert max(read) >= most


FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
flips = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=4)


def flipped(data: bytes, where: list[tuple[float, int]]) -> bytes:
    changed = bytearray(data)
    for share, mask in where:
        changed[int(share * len(changed))] ^= mask
    return bytes(changed)


@FEW
@given(flips)
@example([(0.0002791535040387316, 1)])  # a file that may only be read, as its header says
@example([(0.057785265550094785, 128)])  # a name in the schema that is no text
def test_flipped_bytes_never_lead_to_what_was_not_written(closed: Disk, where: list[tuple[float, int]]) -> None:
    closed.check(**{"journal.db": flipped(closed.files["journal.db"], where)})


@FEW
@given(flips, flips)
@example([(0.8630536199691218, 16)], [(0.0, 1)])  # the number of a turn, where the log cannot be read
def test_flipped_bytes_of_file_and_log_never_lead_to_what_was_not_written(
    killed: Disk, where: list[tuple[float, int]], there: list[tuple[float, int]]
) -> None:
    wal = flipped(killed.files["journal.db-wal"], there)
    killed.check(**{"journal.db-wal": wal})
    killed.check(**{"journal.db": flipped(killed.files["journal.db"], where), "journal.db-wal": wal})


@FEW
@given(st.integers(0, 30), st.binary(min_size=1, max_size=1))
def test_a_page_of_rubbish_never_leads_to_what_was_not_written(closed: Disk, page: int, filling: bytes) -> None:
    data = closed.files["journal.db"]
    start = page * PAGE % len(data)
    closed.check(**{"journal.db": data[:start] + filling * PAGE + data[start + PAGE :]})


def test_a_snapshot_that_is_damaged_gives_way_to_the_turns_before_it(tmp_path: Path) -> None:
    path = str(tmp_path / "journal.db")
    write(path, closed=True)
    with sqlite3.connect(path) as db:
        db.execute("update snapshots set data = 'rubbish'")

    journal, aside = open_sound(path)

    assert journal.load() == (None, [record(turn, 700) for turn in range(1, 61)])
    assert os.path.exists(aside)


def test_turns_whose_beginning_is_gone_are_not_taken_for_the_whole(tmp_path: Path) -> None:
    path = str(tmp_path / "journal.db")
    write(path, closed=True)
    with sqlite3.connect(path) as db:
        db.execute("delete from turns where n <= 20")
        db.execute("update snapshots set data = x'00'")

    with pytest.raises(JournalDamaged, match=r"journal\.db is damaged and nothing of it can be read: begin a new run"):
        open_sound(path)


def test_a_turn_that_is_missing_in_the_middle_ends_the_reading(tmp_path: Path) -> None:
    path = str(tmp_path / "journal.db")
    write(path, closed=True)
    with sqlite3.connect(path) as db:
        db.execute("delete from turns where n = 40")

    journal, aside = open_sound(path)

    assert journal.load()[1][-1].turn == 39
    assert aside and journal.last_turn() == 39


def test_values_of_the_run_survive_as_well(closed: Disk) -> None:
    path = closed.put(**{"journal.db": closed.files["journal.db"][:-PAGE]})

    journal, aside = open_sound(path)

    assert journal.get("generation") == "3" and aside.endswith(".damaged-1")


def test_a_newer_format_is_not_taken_for_damage(tmp_path: Path) -> None:
    path = str(tmp_path / "journal.db")
    write(path, closed=True)
    with sqlite3.connect(path) as db:
        db.execute("update meta set value = '99' where key = 'format'")
        db.execute("drop table snapshots")

    with pytest.raises(RunError, match="format 99"):
        open_sound(path)

    assert [name for name in os.listdir(tmp_path) if "damaged" in name] == []
