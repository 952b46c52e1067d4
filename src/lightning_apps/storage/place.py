"""Files by their path below one folder: here that folder itself.  Knows nothing of what they are to anybody."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Protocol

from ..base.errors import NotFound
from . import local

FILE, FOLDER = "file", "folder"
HIDDEN = "info.txt"
Names = list[str]  # `list` is a method below


class Place(Protocol):
    """The files below one folder; "." is all of them."""

    def kind(self, path: str) -> str:
        """FILE, FOLDER, or "" where nothing is."""

    def list(self, path: str) -> Names:
        """The names in a folder; a file is its own only one."""

    def walk(self, path: str) -> Names:
        """The paths of all files below a folder, from there."""

    def put(self, source: str, path: str) -> None: ...

    def get(self, path: str, target: str) -> None: ...

    def remove(self, path: str) -> None:
        """Remove it; if it is not there any more, that is as well."""


class FolderPlace:
    """A folder of this machine.  What is put is there whole, or not at all."""

    def __init__(self, root: str) -> None:
        self._root = root

    def _at(self, path: str) -> str:
        return local.inside(self._root, path)

    def kind(self, path: str) -> str:
        where = self._at(path)
        if os.path.isdir(where):
            return FOLDER
        return FILE if os.path.lexists(where) else ""

    def list(self, path: str) -> Names:
        where = self._at(path)
        if os.path.isfile(where):
            return [os.path.basename(where)]
        return sorted(name for name in os.listdir(where) if _shown(name))

    def walk(self, path: str) -> Names:
        where, found = self._at(path), []
        for folder, folders, names in os.walk(where):
            folders[:] = [name for name in folders if _shown(name)]
            found += [os.path.relpath(os.path.join(folder, name), where) for name in names if _shown(name)]
        return sorted(found)

    def put(self, source: str, path: str) -> None:
        local.copy(source, self._at(path))

    def fill(self, write: Callable[[str], None], path: str) -> None:
        """As `put`, of what `write` makes at the path it is given."""
        with local.made(write, self._at(path)) as place:
            place()

    def get(self, path: str, target: str) -> None:
        with self.held(path) as where:
            local.copy(where, target)

    @contextlib.contextmanager
    def held(self, path: str) -> Iterator[str]:
        """Where it lies.

        Raises:
            NotFound: it is not there.
        """
        where = self._at(path)
        if not os.path.exists(where):
            raise NotFound(f"{path} went while it was fetched.")
        yield where

    def remove(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            local.remove(self._at(path))


def _shown(name: str) -> bool:
    return name != HIDDEN and not local.is_part(name)
