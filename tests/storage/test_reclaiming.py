"""Content goes when nothing of a run needs it any more: never what the run as it is needs, and of its past as much as is allowed."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_apps.base import messages as m
from lightning_apps.base.errors import LightningError
from lightning_apps.base.messages import Record
from lightning_apps.storage import trees
from lightning_apps.storage.bounded import Bounded
from lightning_apps.storage.journal import SqliteJournal
from lightning_apps.storage.names import FILE, TREE, Entry, Names
from lightning_apps.storage.reclaiming import Reclaimer, named_in
from lightning_apps.storage.shelf_of_values import ValueShelf
from lightning_apps.storage.store import Store

SIZE, MINUTE = 1000, 60 * 10**9


class Run:
    """A run whose state holds big values by attribute, with a clock of its own for the files."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.now, self.turn, self.limit = folder, 10**18, 0, limit
        self.state: dict[str, str] = {}
        self.states: dict[int, dict[str, str]] = {}
        self.store, self.names = Store(str(folder / "objects")), Names(str(folder / "names"))
        self.journal = self.opened()

    def opened(self) -> SqliteJournal:
        self.reclaimer = Reclaimer(
            self.store, self.names, str(self.folder / "journal.db"), self.limit, grace=600.0, clock=lambda: self.now
        )
        return SqliteJournal(str(self.folder / "journal.db"), window_turns=20)

    def put(self, content: int) -> str:
        """Whoever puts it touches it."""
        name = self.store.put(bytes([content]) * SIZE)
        os.utime(self.store.path(name), ns=(self.now, self.now))
        return name

    def take(self, changes: dict[str, str]) -> None:
        self.turn += 1
        self.state = {key: name for key, name in {**self.state, **changes}.items() if name}
        taken: list[m.Taken] = [
            m.Heard("root.w@1", self.turn, f"{key}={name}".encode()) for key, name in changes.items()
        ]
        self.journal.append(Record(self.turn, 0.0, taken))
        self.states[self.turn] = self.state

    def assign(self, key: str, content: int) -> None:
        self.take({key: self.put(content)})

    def drop(self, key: str) -> None:
        self.take({key: ""})

    def snapshot(self) -> None:
        if self.turn:
            self.journal.keep_snapshot(self.turn, 0.0, " ".join(self.state.values()).encode())

    def crash(self) -> None:
        self.journal.close()
        self.journal = self.opened()

    def pass_(self, minutes: int) -> None:
        self.now += minutes * MINUTE
        if self.turn:
            self.journal.flush()
            self.reclaimer.look()

    def check(self) -> None:
        """Whatever the run is taken up from is there, and so is all that it has handed over."""
        if not self.turn:
            return
        snapshot, records = self.journal.load()
        named = named_in(snapshot or b"") | {n for r in records for t in r.taken for n in named_in(t.raw)}  # type: ignore[union-attr]
        entries = {entry.content for work in self.names.works() for entry in self.names.all(work)}
        for name in named | entries | set(self.state.values()):
            assert self.store.check(name)

    def total(self) -> int:
        return sum(SIZE for _ in self.store.names())


KEYS, CONTENTS = st.sampled_from("abc"), st.integers(0, 6)
STEPS = st.one_of(
    st.tuples(st.just("assign"), KEYS, CONTENTS),
    st.tuples(st.just("drop"), KEYS),
    st.tuples(st.just("hand_over"), KEYS, CONTENTS),
    st.tuples(st.just("snapshot")),
    st.tuples(st.just("crash")),
    st.tuples(st.just("pass"), st.sampled_from([1, 7, 11])),
    st.tuples(st.just("send"), KEYS, CONTENTS),
    st.tuples(st.just("arrive")),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(STEPS, max_size=40), st.sampled_from([0, 2 * SIZE, 100 * SIZE]))
def test_whatever_happens_what_is_needed_is_there_and_what_is_not_goes(steps: list, limit: int) -> None:
    """`send` puts a value under way that arrives later, at most nine minutes."""
    with TemporaryDirectory() as folder:
        run = Run(Path(folder), limit)
        under_way: list[tuple[str, str]] = []
        sent = 0
        for what, *rest in steps:
            if what == "hand_over":
                run.names.put("root.w", Entry(rest[0], FILE, run.put(rest[1]), SIZE))
            elif what == "send":
                sent = sent if under_way else run.now
                under_way.append((rest[0], run.put(rest[1])))
            elif what == "arrive" or (what == "pass" and run.now + rest[0] * MINUTE > sent + 9 * MINUTE):
                for key, name in under_way:
                    run.take({key: name})
                under_way.clear()
                if what == "pass":
                    run.pass_(*rest)
            else:
                getattr(run, "pass_" if what == "pass" else what)(*rest)
            run.check()
        run.snapshot()
        run.pass_(11)
        run.pass_(11)
        run.check()

        needed = set(run.state.values()) | {entry.content for entry in run.names.all("root.w")}
        if run.turn:
            assert run.total() <= len(needed) * SIZE + limit
        if limit == 100 * SIZE:  # nothing that a turn needs which is still told of has gone
            oldest = run.journal.oldest_turn()
            assert all(run.store.has(n) for turn, state in run.states.items() if turn >= oldest for n in state.values())
        run.journal.close()


def test_a_value_assigned_for_weeks_does_not_fill_the_disk(tmp_path: Path) -> None:
    run, most = Run(tmp_path, 5 * SIZE), 0

    for minute in range(250):
        run.assign("x", minute)
        run.now += MINUTE
        if minute % 5 == 4:
            freed = run.reclaimer.look()
            if freed.since > run.limit:
                run.snapshot()
        most = max(most, run.total())

    run.check()
    assert most <= 5 * SIZE + 30 * SIZE  # what is allowed, and what two passes and a snapshot take
    assert len([turn for turn, state in run.states.items() if run.store.has(state["x"])]) >= 5


def test_folders_and_what_hosts_began_with_stay_and_an_old_version_of_a_folder_goes(tmp_path: Path) -> None:
    run = Run(tmp_path, 0)
    run.assign("x", 1)
    first = run.put(9)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "big").write_bytes(os.urandom(trees.PACKED + 1))
    contents = []
    for text in ("one", "two"):
        (tmp_path / "out" / "small").write_text(text)
        name, tree = trees.put_tree(run.store, str(tmp_path / "out"))
        run.names.put("root.w", Entry("out", TREE, name, tree.size))
        contents.append({name, *tree.contents()})
    reclaimer = Reclaimer(run.store, run.names, str(tmp_path / "journal.db"), 0, grace=0.0)

    freed = reclaimer.look([first])

    assert contents[1] | {first} <= set(run.store.names())
    assert not (contents[0] - contents[1]) & set(run.store.names()) and freed.count == 2 and freed.size > 3
    with pytest.raises(LightningError):
        Reclaimer(run.store, run.names, str(tmp_path / "none.db"), 0).look()
    run.journal.close()


def test_a_value_that_is_used_again_is_there_again(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    store = Store(str(tmp_path))
    shelf, value = ValueShelf(store, 10), numpy.ones(100)

    def keep() -> str:
        return shelf.keep(value, "mark", lambda: [value])

    name = keep()
    before = os.stat(store.path(name)).st_mtime_ns
    os.utime(store.path(name), ns=(1, 1))
    keep()
    assert os.stat(store.path(name)).st_mtime_ns >= before and not store.remove_unless_touched(name, before - 1)
    assert store.remove_unless_touched(name, 1 << 62) == 800 and not store.has(name)

    assert keep() == name and bytes(shelf.view(name)) == value.tobytes()


def test_a_store_whose_content_can_be_had_elsewhere_stays_small(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    bounded = Bounded(store, 4 * SIZE)

    for number in range(20):
        name = store.put(bytes([number]) * SIZE)
        os.utime(store.path(name), ns=(number, number))
        bounded.came(name)

    assert 4 <= len(list(store.names())) <= 6 and store.has(name)
    big = store.put(b"x" * 9 * SIZE)
    bounded.came(big)
    assert list(store.names()) == [big]
