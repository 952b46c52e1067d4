"""Removes content that nothing of a run needs any more, and bounds what only its past needs.  Knows bytes, not what values are.

What is needed is found by looking for names of content in everything that is kept: a name that stands somewhere is needed,
whatever it is there for.  What is under way, and stands nowhere yet, was touched when it was set under way: nothing goes that was
touched since it was first found needless, a pass before.  See decision 14.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterable

import msgspec

from ..base.errors import LightningError
from . import trees
from .history import History
from .names import MISSING, TREE, Names
from .store import Store

NAME = re.compile(rb"b[23]-[0-9a-f]{64}")
GRACE = 600.0  # seconds between two passes that agree


class Needs(msgspec.Struct):
    """Names of content.

    Attributes:
        now: needed by the run as it is.
        past: the last turn that names each.
        since: named by turns after the newest snapshot.
    """

    now: set[str] = msgspec.field(default_factory=set)
    past: dict[str, int] = msgspec.field(default_factory=dict)
    since: set[str] = msgspec.field(default_factory=set)


class Freed(msgspec.Struct):
    """What a pass came to: bytes and pieces of content that went, bytes of values that turns since the newest snapshot name."""

    size: int = 0
    count: int = 0
    since: int = 0


def named_in(data: bytes) -> set[str]:
    """The names of content in what is kept of a run."""
    return {found.decode() for found in NAME.findall(data)}


def _all(snapshot: bytes) -> bytes:
    """Everything in it is needed."""
    return snapshot


def needs_of(journal: str, essence: Callable[[bytes], bytes] = _all) -> Needs:
    """What a journal names; all of it is of one moment.

    Args:
        essence: leaves of a snapshot what the run needs.

    Raises:
        RunError: there is none, or it cannot be read.
    """
    found = Needs()
    with History(journal) as history:
        newest, snapshot = 0, b""
        for turn, data in history.raw("snapshots"):
            if turn > newest:
                newest, snapshot = turn, data
            _remember(found.past, named_in(data), turn)
        found.now = named_in(essence(snapshot)) if named_in(snapshot) else set()
        for turn, data in history.raw("turns"):
            names = named_in(data)
            if turn > newest:
                found.since |= names
            _remember(found.past, names, turn)
        for _, data in history.raw("parts"):
            found.now |= named_in(data)
    found.now |= found.since
    return found


def _remember(past: dict[str, int], names: set[str], turn: int) -> None:
    for name in names:
        past[name] = max(turn, past.get(name, 0))


def needed_by(names: Names, store: Store) -> set[str]:
    """The content of all that works have handed over."""
    found: set[str] = set()
    for work in names.works():
        for entry in names.all(work):
            if entry.kind != MISSING:
                found.add(entry.content)
            if entry.kind == TREE and store.has(entry.content):
                with contextlib.suppress(LightningError):
                    found |= trees.load(store, entry.content).contents()
    return found


class Reclaimer:
    """Of one run.

    Args:
        store, names: of the run.
        journal: its file.
        limit: bytes of values that are kept although only past turns need them.
        small: bytes up to which nobody looks what they are for.
        grace: seconds between two passes that have to agree; 0 where nobody works on the run.
        essence: leaves of a snapshot what the run needs.
        clock: nanoseconds since the epoch, as files have them.
    """

    def __init__(
        self,
        store: Store,
        names: Names,
        journal: str,
        limit: int,
        small: int = 0,
        grace: float = GRACE,
        essence: Callable[[bytes], bytes] = _all,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._store, self._names, self._journal, self._limit = store, names, journal, limit
        self._small, self._grace, self._clock = small, int(grace * 1e9), clock
        self._essence = essence
        self._doubtful: dict[str, int] = {}  # by name, when it was found needless first

    def look(self, also: Iterable[str] = ()) -> Freed:
        """One pass.

        Args:
            also: content that is needed besides.

        Raises:
            RunError: the journal cannot be read; nothing is removed then.
        """
        began, there = self._clock(), self._there()
        if sum(there.values()) <= self._small:
            return Freed()
        needs = needs_of(self._journal, self._essence)
        needed = needs.now | needed_by(self._names, self._store) | set(also)
        needless = [name for name in there if name not in needed and name not in needs.past]
        past = sorted((turn, name) for name, turn in needs.past.items() if name in there and name not in needed)
        over = sum(there[name] for _, name in past) - self._limit
        for _, name in past:
            if over <= 0:
                break
            needless.append(name)
            over -= there[name]
        self._doubtful = {name: self._doubtful.get(name, began) for name in needless}
        freed = self._remove(began)
        freed.since = sum(there.get(name, 0) for name in needs.since)
        return freed

    def _there(self) -> dict[str, int]:
        found = {}
        for name in self._store.names():
            with contextlib.suppress(OSError):
                found[name] = os.stat(self._store.path(name)).st_size
        return found

    def _remove(self, now: int) -> Freed:
        freed = Freed()
        for name, since in list(self._doubtful.items()):
            if now - since < self._grace:
                continue
            freed.size += self._store.remove_unless_touched(name, since)
            freed.count += not self._store.has(name)
            del self._doubtful[name]
        return freed
