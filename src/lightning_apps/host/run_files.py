"""The files of a run from outside: what its works handed over and put into drives; looked at, copied, removed.  Needs no living host."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator

import msgspec

from ..base.errors import LightningError, NotFound, RunError, StorageError
from ..storage import local, trees
from ..storage import names as n
from ..storage.copying import chunks
from ..storage.names import Entry, Names
from ..storage.store import Store
from .file_address import LIT, Address, drives_of, owners
from .run_folder import RunFolder

FOLDER, FILE, VALUE = "folder", "file", "value"


class Found(msgspec.Struct):
    """One line of a listing; `at` in seconds since the epoch."""

    name: str
    kind: str
    size: int
    files: int = 1
    at: float = 0.0


class RunFiles:
    """All files of one run."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.store = Store(folder.objects)
        self.names = Names(folder.names)
        self._drives = drives_of(folder)

    def _drive(self, where: Address) -> str:
        return local.inside(os.path.join(self._drives, where.owner[len(LIT) :]), where.path or ".")

    # -- looking ---------------------------------------------------------------------------------------------------

    def listing(self, where: Address) -> list[Found]:
        """What is there: of a folder what is in it, else the file itself.

        Raises:
            NotFound: nothing is.
        """
        if not where.owner:
            return [self._summary(owner) for owner in owners(self.folder)]
        if where.owner.startswith(LIT):
            return self._list_drive(where)
        if not where.path:
            return [_found(entry) for entry in self.names.all(where.owner) if entry.kind != n.MISSING]
        entry, below = self._entry(where)
        if entry.kind != n.TREE:
            return [_found(entry)]
        return self._list_tree(where, entry, below)

    def _summary(self, owner: str) -> Found:
        if owner.startswith(LIT):
            files = [each for _, each in _files_below(os.path.join(self._drives, owner[len(LIT) :]))]
            sizes = [os.stat(each) for each in files if os.path.exists(each)]
            return Found(
                f"{owner}/",
                FOLDER,
                sum(s.st_size for s in sizes),
                len(sizes),
                max((s.st_mtime for s in sizes), default=0.0),
            )
        entries = [entry for entry in self.names.all(owner) if entry.kind != n.MISSING]
        newest = max((entry.at for entry in entries), default=0.0)
        return Found(f"{owner}/", FOLDER, sum(e.size for e in entries), sum(e.files for e in entries), newest)

    def _list_drive(self, where: Address) -> list[Found]:
        path = self._drive(where)
        if os.path.isdir(path):
            names = [(name, os.path.join(path, name)) for name in sorted(os.listdir(path)) if not local.is_part(name)]
        elif os.path.exists(path):
            names = [(where.path, path)]
        else:
            raise NotFound(f"The drive {where.owner} of the run {self.folder.id} has no {where.path!r}.")
        return [_of_disk(name, full) for name, full in names]

    def _entry(self, where: Address) -> tuple[Entry, str]:
        """What was handed over, and the path in it."""
        entry = self.names.get(where.owner, where.path)
        found = (entry, "") if entry is not None else self.names.above(where.owner, where.path)
        if found is None or found[0].kind == n.MISSING:
            there = ", ".join(each.name for each in self.names.all(where.owner) if each.kind != n.MISSING)
            raise NotFound(
                f"{where.owner} has handed over no {where.path!r} in the run {self.folder.id}; "
                + (f"it has {there}." if there else "it has handed over nothing.")
            )
        return found

    def _tree(self, where: Address, entry: Entry, below: str) -> trees.Tree:
        """The folder at a path; of a file a tree of it alone, with the path ""."""
        tree = trees.load(self.store, entry.content, str(where))
        item = tree.find(below) if below else None
        if below and item is None:
            raise NotFound(f"The folder {entry.name} that {where.owner} has handed over has no {below!r}.")
        if item is None or item.kind == trees.FOLDER:
            return tree.below(below) if below else tree
        return trees.Tree([msgspec.structs.replace(item, path="")])

    def _list_tree(self, where: Address, entry: Entry, below: str) -> list[Found]:
        found: dict[str, Found] = {}
        for item in self._tree(where, entry, below).items:
            name, _, rest = (item.path or os.path.basename(below)).partition("/")
            kind = FOLDER if rest or item.kind == trees.FOLDER else FILE
            line = found.setdefault(name, Found(name, kind, 0, 0, entry.at))
            line.size += item.size
            line.files += item.kind != trees.FOLDER
        return [found[name] for name in sorted(found)]

    # -- out -------------------------------------------------------------------------------------------------------

    def read(self, where: Address) -> Iterator[bytes]:
        """The bytes of a file, checked before the first of them is given.

        Raises:
            NotFound: there is no such file.
            StorageError: it is a folder.
        """
        scratch = os.path.join(self.folder.files, f".part-{os.urandom(8).hex()}")
        try:
            if self.copy_out(where, scratch):
                raise StorageError(f"{where} is a folder: `lightning ls` lists it, `lightning cp` copies it.")
            with open(scratch, "rb") as file:
                yield from (bytes(chunk) for chunk in chunks(file.fileno()))
        finally:
            if os.path.isdir(scratch):
                shutil.rmtree(scratch, ignore_errors=True)
            elif os.path.lexists(scratch):
                os.unlink(scratch)

    def copy_out(self, where: Address, target: str) -> bool:
        """Copy a file or folder to a path on this machine; whether it was a folder."""
        if where.owner.startswith(LIT):
            source = self._drive(where)
            if not os.path.exists(source):
                raise NotFound(f"The drive {where.owner} of the run {self.folder.id} has no {where.path!r}.")
            local.copy(source, target)
            return os.path.isdir(target)
        if not where.path:
            for entry in self.names.all(where.owner):
                if entry.kind != n.MISSING:
                    self.copy_out(Address(self.folder, where.owner, entry.name), _below(target, entry.name))
            return True
        entry, below = self._entry(where)
        if entry.kind != n.TREE:
            self.store.copy_to(entry.content, target, mode=entry.mode | 0o600, what=str(where))
            return False
        tree = self._tree(where, entry, below)
        if [item.path for item in tree.items] == [""]:
            trees.write_item(self.store, tree.items[0], target, what=str(where))
            return False
        trees.write_tree(self.store, tree, target, what=str(where))
        return True

    # -- in, and away ----------------------------------------------------------------------------------------------

    def copy_in(self, source: str, where: Address) -> None:
        """Hand a file or folder of this machine over in the name of a work, or put it into a drive."""
        if not os.path.exists(source):
            raise NotFound(f"{source} does not exist, so it cannot be copied to {where}.")
        path = where.path or os.path.basename(os.path.normpath(source))
        if where.owner.startswith(LIT):
            self._into_drive(source, where)
            return
        if os.path.isdir(source):
            content, tree = trees.put_tree(self.store, source)
            entry = Entry(
                path, n.TREE, content, tree.size, sum(i.kind != trees.FOLDER for i in tree.items), 0o755, time.time()
            )
        else:
            content, size = self.store.put_file(source)
            entry = Entry(path, n.FILE, content, size, 1, os.stat(source).st_mode & 0o777, time.time())
        self.names.put(where.owner, entry)

    def _into_drive(self, source: str, where: Address) -> None:
        component, _, path = where.path.partition("/")
        if not component:
            raise RunError(f"Say in whose name {source} is put: {where.owner}/COMPONENT/{os.path.basename(source)}.")
        target = self._drive(msgspec.structs.replace(where, path=f"{component}/{path or os.path.basename(source)}"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        local.copy(source, target)

    def remove(self, where: Address) -> None:
        """Remove what was handed over, or put into a drive, and the content that nothing else of the run needs.

        Raises:
            NotFound: nothing is there.
            RunError: it is a part of a folder that was handed over whole.
        """
        if where.owner.startswith(LIT):
            path = self._drive(where)
            if not os.path.lexists(path):
                raise NotFound(f"The drive {where.owner} of the run {self.folder.id} has no {where.path!r}.")
            local.remove(path)
            return
        if where.path:
            entry, below = self._entry(where)
            if below:
                raise RunError(f"{where} is part of the folder {entry.name}, which was handed over whole: remove that.")
            self.names.remove(where.owner, where.path)
            gone = [entry]
        else:
            gone = self.names.all(where.owner)
            self.names.forget(where.owner)
        self._drop(gone)

    def _drop(self, gone: list[Entry]) -> None:
        needed = {
            name for work in self.names.works() for entry in self.names.all(work) for name in self._contents(entry)
        }
        for name in {name for entry in gone for name in self._contents(entry)} - needed:
            with contextlib.suppress(OSError):
                os.unlink(self.store.path(name))

    def _contents(self, entry: Entry) -> set[str]:
        if entry.kind == n.MISSING:
            return set()
        if entry.kind != n.TREE:
            return {entry.content}
        try:
            return {entry.content, *trees.load(self.store, entry.content).contents()}
        except LightningError:
            return {entry.content}


def _below(folder: str, name: str) -> str:
    return os.path.join(folder, *[part for part in name.split("/") if part not in ("", ".", "..")])


def _found(entry: Entry) -> Found:
    kind = {n.TREE: FOLDER, n.FILE: FILE}.get(entry.kind, VALUE)
    return Found(f"{entry.name}/" if kind == FOLDER else entry.name, kind, entry.size, entry.files, entry.at)


def _of_disk(name: str, path: str) -> Found:
    stat = os.stat(path)
    if not os.path.isdir(path):
        return Found(name, FILE, stat.st_size, 1, stat.st_mtime)
    files = [each for _, each in _files_below(path)]
    return Found(f"{name}/", FOLDER, sum(os.path.getsize(each) for each in files), len(files), stat.st_mtime)


def _files_below(path: str) -> Iterator[tuple[str, str]]:
    for folder, _, names in os.walk(path):
        for name in names:
            if not local.is_part(name):
                yield name, os.path.join(folder, name)
