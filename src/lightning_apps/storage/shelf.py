"""Where a drive's files lie, by component and path: here in a folder of this machine.  Knows nothing of who may do what."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from typing import Protocol
from urllib.parse import quote

from ..base.errors import NotFound, OutsideFolder
from . import local

Names = list[str]  # `list` is a method below


class Shelf(Protocol):
    """The files of one drive; paths are below the component's folder."""

    def components(self) -> Names:
        """Whoever has put something."""

    def has(self, component: str, path: str) -> bool: ...

    def list(self, component: str, path: str) -> Names:
        """The names directly below a path; a file is its own only one's; nothing where nothing is."""

    def holders(self, path: str) -> Names:
        """Whoever has put something at this path."""

    def put(self, source: str, component: str, path: str, alone: bool) -> str:
        """Put a file or folder; "", or where only one may have it the name of another who has, and nothing is put then.

        It is looked at a moment when nobody else puts anything, as far as the place can promise that.
        """

    def get(self, component: str, path: str, target: str) -> None: ...

    def delete(self, component: str, path: str) -> None:
        """Remove it; if it is not there any more, that is as well."""


class FolderShelf:
    """A folder: one below it for each component.  What is put is there whole, or not at all."""

    def __init__(self, root: str) -> None:
        self._root = root

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        """By a file beside the folder: many read, or one replaces."""
        os.makedirs(os.path.dirname(self._root), exist_ok=True)
        name = f".{quote(os.path.basename(self._root), safe='')}.lock"
        with open(os.path.join(os.path.dirname(self._root), name), "a") as file:
            fcntl.flock(file, how)
            yield

    def components(self) -> Names:
        found = os.listdir(self._root) if os.path.isdir(self._root) else []
        return sorted(
            name for name in found if os.path.isdir(os.path.join(self._root, name)) and not local.is_part(name)
        )

    def _at(self, component: str, path: str) -> str:
        if "/" in component or component in ("", ".", ".."):
            raise OutsideFolder(f"{component!r} is not the name of a component, so it has no folder in a drive.")
        return local.inside(os.path.join(self._root, component), path)

    def has(self, component: str, path: str) -> bool:
        return os.path.exists(self._at(component, path))

    def list(self, component: str, path: str) -> Names:
        where = self._at(component, path)
        try:
            return sorted(name for name in os.listdir(where) if not local.is_part(name))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def holders(self, path: str) -> Names:
        return [name for name in self.components() if self.has(name, path)]

    def put(self, source: str, component: str, path: str, alone: bool) -> str:
        target = self._at(component, path)
        return self._placed(local.prepared(source, target), component, path, alone)

    def fill(self, write: Callable[[str], None], component: str, path: str, alone: bool) -> str:
        """As `put`, of what `write` makes at the path it is given."""
        return self._placed(local.made(write, self._at(component, path)), component, path, alone)

    def _placed(
        self, made: contextlib.AbstractContextManager[Callable[[], None]], component: str, path: str, alone: bool
    ) -> str:
        other = self._other(component, path) if alone else ""
        if other:
            return other
        with made as place, self._locked(fcntl.LOCK_EX):
            other = self._other(component, path) if alone else ""
            if not other:
                place()
        return other

    def _other(self, component: str, path: str) -> str:
        return next((name for name in self.holders(path) if name != component), "")

    def get(self, component: str, path: str, target: str) -> None:
        with self.held(component, path) as where:
            local.copy(where, target)

    @contextlib.contextmanager
    def held(self, component: str, path: str) -> Iterator[str]:
        """Where it lies, while nobody replaces it.

        Raises:
            NotFound: it is not there.
        """
        where = self._at(component, path)
        with self._locked(fcntl.LOCK_SH):
            if not os.path.exists(where):
                raise NotFound(f"{path} of {component} went while it was fetched.")
            yield where

    def delete(self, component: str, path: str) -> None:
        where = self._at(component, path)
        with self._locked(fcntl.LOCK_EX), contextlib.suppress(FileNotFoundError):
            local.remove(where)
