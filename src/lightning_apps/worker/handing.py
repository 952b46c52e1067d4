"""Keeps what a work's paths and payloads hold, when a run of it is over.  Knows nothing of what it is handed by others."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator

from ..base.errors import StorageError
from ..base.messages import SET, Transfer
from ..model.work import LightningWork
from ..storage import names as n
from ..storage import trees
from ..storage.elsewhere import NamesElsewhere
from ..storage.names import Entry, Names
from ..storage.path import Path
from ..storage.payload import NOTHING, _BasePayload
from ..storage.progress import Progress
from ..storage.store import Store, identity
from .carried import found_in

Say = Callable[[str], None]
Kept = Callable[[Entry], None]
Tell = Callable[[Transfer], None]


def nobody(entry: Entry) -> None:
    """It is kept here only."""


def no_reader(transfer: Transfer) -> None:
    """Nobody follows."""


def on_stderr(line: str) -> None:
    """To the work's own error output, which the terminal shows."""
    sys.stderr.write(f"{line}\n")


class Telling:
    """How far the transfers of one work are.

    Args:
        name: of the work.
        say: takes lines for people.
        tell: takes numbers, for the host.
    """

    def __init__(self, name: str, say: Say = on_stderr, tell: Tell = no_reader) -> None:
        self.name, self.say, self.tell = name, say, tell
        self._now: Progress | None = None

    @contextlib.contextmanager
    def progress(self, doing: str, what: str, size: int) -> Iterator[Progress]:
        """Of one transfer."""

        def tell(done: int, size: int, seconds: float, over: bool) -> None:
            self.tell(Transfer(doing, what, done, size, seconds, over))

        before = self._now
        with Progress(f"{self.name}: {doing} {what}", size, self.say, tell) as progress:
            self._now = progress
            try:
                yield progress
            finally:
                self._now = before

    def sent(self, count: int) -> None:
        """So many bytes of what is handed over have left this machine."""
        if self._now is not None:
            self._now.more(count)

    def arrived(self, count: int) -> None:
        """So many bytes of what is fetched have come to this machine."""
        if self._now is not None:
            self._now.arrived(count)


class Handing:
    """What one work hands over.

    Args:
        work: whose.
        store, names: of the run, as this machine sees them.
        private: a folder for what is written on the way.
        machine: tells this machine from others.
        telling: how far it is.
        kept: told of all content that is handed over; it may keep it elsewhere as well.
    """

    def __init__(
        self,
        work: LightningWork,
        store: Store,
        names: Names | NamesElsewhere,
        private: str,
        machine: str,
        telling: Telling,
        kept: Kept = nobody,
    ) -> None:
        self._work, self._store, self._names = work, store, names
        self._private, self._machine, self._telling, self._kept = private, machine, telling, kept

    def hand_over(self) -> None:
        """Keep what this work's paths and payloads hold now.

        Raises:
            StorageError: it cannot be kept: the disk is full, a file cannot be read.
        """
        missing = []
        for name, held in self._work._lit_values().items():
            anew = False
            for value in found_in(held):
                if value.origin_name != self._work.name:
                    continue
                if isinstance(value, Path):
                    missing += [] if self._keep_path(value) else [value.source]
                elif value._value is not NOTHING:
                    before = value._content
                    self.keep_value(value)
                    anew = anew or value._content != before
            if anew:  # what the flow passes on is what the run made of it
                self._work._lit_binding.moved(self._work, (name,), SET, held, held)
        if missing:
            self._telling.say(
                f"UserWarning: {len(missing)} artifacts of {self._work.name} could not be saved because they don't exist: "
                f"{', '.join(sorted(missing))}."
            )

    def _keep_path(self, path: Path) -> bool:
        """Keep the file or folder as it is now; False if there is none."""
        name, here = os.path.normpath(path.source), os.path.abspath(path)
        try:
            stat = os.stat(here)
        except OSError:
            self._names.put(self._work.name, Entry(name, n.MISSING, at=time.time(), machine=self._machine, place=here))
            return False
        folder = os.path.isdir(here)
        mark = trees.fingerprint(here) if folder else identity(stat)
        before = self._names.get(self._work.name, name)
        if (
            before is not None
            and before.identity == mark
            and before.machine == self._machine
            and self._store.has(before.content)
        ):
            return True
        try:
            self._pass_on(name, here, folder, 0 if folder else stat.st_size)
        except StorageError as error:
            raise StorageError(f"{name} of {self._work.name} cannot be handed over: {error}") from error
        return True

    def _pass_on(self, name: str, here: str, folder: bool, size: int) -> None:
        with self._telling.progress("handing over", name, size) as progress:
            entry = self._taken(name, here, folder, progress)
        with self._telling.progress("sending", name, entry.size):
            self._kept(entry)
            self._names.put(self._work.name, entry)

    def _taken(self, name: str, here: str, folder: bool, progress: Progress) -> Entry:
        if folder:
            mark = trees.fingerprint(here)
            content, tree = trees.put_tree(self._store, here, progress.more)
            kind, size, files, mode = (
                n.TREE,
                tree.size,
                sum(i.kind in (trees.FILE, trees.PIECE) for i in tree.items),
                0o755,
            )
        else:
            stat = os.stat(here)
            mark, mode = identity(stat), stat.st_mode & 0o777
            content, size = self._store.put_file(here, progress.more)
            kind, files = n.FILE, 1
        return Entry(name, kind, content, size, files, mode, time.time(), mark, self._machine, here)

    def keep_value(self, payload: _BasePayload) -> None:
        """Keep the value as it is now."""
        scratch = os.path.join(self._private, f".payload-{os.urandom(8).hex()}")
        os.makedirs(self._private, exist_ok=True)
        try:
            payload.save(payload._value, scratch)
            content, size = self._store.put_file(scratch)
        except (OSError, StorageError) as error:
            reason = str(error).rstrip(".")
            raise StorageError(f"The payload {payload.name} of {self._work.name} cannot be kept: {reason}.") from error
        finally:
            if os.path.exists(scratch):
                os.unlink(scratch)
        payload._content = content
        entry = Entry(payload.name or "", n.VALUE, content, size, at=time.time())
        self._kept(entry)
        self._names.put(self._work.name, entry)
