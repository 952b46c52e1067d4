"""What a work is handed: fetches it, says what could not be done, and passes on to `handing` what it hands over.

It is the `files` of the work's binding: paths and payloads of that work ask it.  Knows nothing of how calls run.
"""

from __future__ import annotations

import os
from typing import Any

from ..base.errors import NotFound
from ..model.work import LightningWork
from ..storage import names as n
from ..storage import trees
from ..storage.copying import chunks
from ..storage.drive import Drive
from ..storage.elsewhere import NamesElsewhere
from ..storage.folders import _storage_root_dir
from ..storage.hashing import Digest
from ..storage.names import Entry, Names
from ..storage.path import Path
from ..storage.payload import _BasePayload
from ..storage.store import Store, identity
from .carried import exchange
from .handing import Handing, Kept, Telling, nobody


class Files:
    """The files of one work in its process.

    Args:
        work: whose.
        store, names: of the run, as this machine sees them.
        private: a folder for copies that cannot lie where their origin has them.
        machine: tells this machine from others.
        telling: how far long transfers are.
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
        self._private, self._machine, self._telling = private, machine, telling
        handing = Handing(work, store, names, private, machine, telling, kept)
        self.hand_over, self.keep_value = handing.hand_over, handing.keep_value
        self._known: dict[str, tuple[list[int], str]] = {}  # files of this machine, and what their content was

    # -- before a call -------------------------------------------------------------------------------------------

    def unpack(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """The arguments of a call as this work's own, with their files here."""
        return exchange(args, self._take), exchange(kwargs, self._take)

    def _take(self, value: Any) -> Any:
        if isinstance(value, Drive):
            return value._for(self._work)
        if value._origin is not None:
            value._attach_work(self._work)
        return self._with_file(value)

    def fetch_own(self) -> None:
        """Have the files of this work's own attributes here that others make."""
        attributes = self._work.__dict__
        for name, value in self._work._lit_values().items():
            attributes[name] = exchange(value, self._with_file)

    def _with_file(self, value: Any) -> Any:
        """A path whose file is here now, if its origin has handed it over."""
        if not isinstance(value, Path) or value._origin is None or value.origin_name == self._work.name:
            return value
        found = self._find(value)
        return value if found is None or found[0].kind == n.MISSING else self._bring(value, *found)

    # -- asked by paths ------------------------------------------------------------------------------------------

    def has(self, path: Path) -> bool:
        """Whether its origin has handed it over, or has it on this machine."""
        found = self._find(path)
        return (found is not None and found[0].kind != n.MISSING) or os.path.lexists(path.source)

    def get(self, path: Path) -> None:
        """Have it here, replacing what is here."""
        found = self._find(path)
        if found is None and os.path.lexists(path.source):
            return  # not handed over yet, but on this machine: it is where it is
        if found is None or found[0].kind == n.MISSING:
            raise NotFound(self._nobody(path, found is not None))
        self._write(*found, str(path), f"{path.source} of {path.origin_name}")

    def _nobody(self, path: Path, was_missing: bool) -> str:
        how = (
            "its run has succeeded without making it" if was_missing else "no run of it that makes it has succeeded yet"
        )
        return (
            f"An exception was raised while trying to transfer the contents at {path.source} from Work {path.origin_name} "
            f"to {self._work.name}: {path.origin_name}, which was to make it, has not handed it over; {how}."
        )

    def _find(self, path: Path) -> tuple[Entry, str] | None:
        """What was handed over of this name, and the path within it."""
        origin = path.origin_name or ""
        source = os.path.normpath(path.source)
        entry = self._names.get(origin, source)
        found = (entry, "") if entry is not None else self._names.above(origin, source)
        if found is not None and found[1]:
            tree = trees.load(self._store, found[0].content, source)
            if tree.find(found[1]) is None:
                return None
        return found

    def _bring(self, path: Path, entry: Entry, below: str) -> Path:
        """Where it lies already, if that is still what was handed over; else at its path; else beside, as that is taken."""
        here = os.path.abspath(path)
        if self._is_there(here, entry, below):
            return path
        what = f"{path.source} of {path.origin_name}"
        if not os.path.lexists(here) and self._ours(here):
            self._write(entry, below, here, what)
            return path
        beside = os.path.join(self._private, entry.content, below or os.path.basename(here) or "it")
        if entry.kind == n.TREE or not self._is_there(beside, entry, below):
            self._write(entry, below, beside, what)
        return path.lying_at(beside)

    def _is_there(self, here: str, entry: Entry, below: str) -> bool:
        """Whether it is what was handed over; a folder, and what is in one, is used on its machine as it is there."""
        if entry.kind == n.TREE:
            known = entry.machine == self._machine or here in self._known
            return os.path.lexists(here) and (known or (bool(below) and self._is_item(here, entry, below)))
        try:
            stat = os.stat(here)
        except OSError:
            return False
        mark = identity(stat)
        if (mark == entry.identity and entry.machine == self._machine) or self._known.get(here) == (
            mark,
            entry.content,
        ):
            return True
        if stat.st_size != entry.size or not os.path.isfile(here):
            return False
        return self._content_of(here, mark, entry.content) == entry.content

    def _is_item(self, here: str, entry: Entry, below: str) -> bool:
        """Whether a file is that of a folder handed over on another machine."""
        item = trees.load(self._store, entry.content).find(below)
        return item is not None and os.path.isfile(here) and trees.is_item(self._store, item, here)

    def _content_of(self, here: str, mark: list[int], like: str) -> str:
        known = self._known.get(here)
        if known is None or known[0] != mark:
            self._known[here] = known = (mark, content_of(here, like))
        return known[1]

    def _ours(self, here: str) -> bool:
        """Whether something may be made there without being asked for: below the current folder or the storage root."""
        return any(os.path.commonpath([root, here]) == root for root in (os.getcwd(), str(_storage_root_dir())))

    def _write(self, entry: Entry, below: str, here: str, what: str) -> None:
        with self._telling.progress("fetching", what, entry.size) as progress:
            if entry.kind != n.TREE:
                self._store.copy_to(entry.content, here, mode=entry.mode | 0o600, what=what, progress=progress.settled)
                self._known[here] = (identity(os.stat(here)), entry.content)
                return
            tree = trees.load(self._store, entry.content, what)
            item = tree.find(below) if below else None
            if item is not None and item.kind != trees.FOLDER:
                trees.write_item(self._store, item, here, progress.settled, what)
            else:
                trees.write_tree(self._store, tree.below(below) if below else tree, here, progress.settled, what)
                self._known[here] = ([], entry.content)

    # -- payloads ------------------------------------------------------------------------------------------------

    def has_value(self, payload: _BasePayload) -> bool:
        """Whether its origin has handed it over."""
        return self._value_entry(payload) is not None

    def _value_entry(self, payload: _BasePayload) -> str | None:
        if payload._content:
            return payload._content
        entry = self._names.get(payload.origin_name, payload.name or "")
        return entry.content if entry is not None and entry.kind == n.VALUE else None

    def load_value(self, payload: _BasePayload) -> Any:
        """The value as its origin handed it over."""
        content = self._value_entry(payload)
        if content is None:
            raise NotFound(
                f"The payload {payload.name} of {payload.origin_name}, which {self._work.name} asked for, was not handed over yet."
            )
        what = f"the payload {payload.name} of {payload.origin_name}"
        path = self._store.bring(content)
        if not self._store.check(content):
            self._store.damaged(content, what, last=False)
        return payload.load(path)


def content_of(path: str, like: str) -> str:
    """The name of what a file holds."""
    digest = Digest(like, threads=True)
    with open(path, "rb") as file:
        for chunk in chunks(file.fileno()):
            digest.update(chunk)
    return digest.name
