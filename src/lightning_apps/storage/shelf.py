"""Where a drive's files lie, by component and path: here in a folder of this machine.  Knows nothing of who may do what."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from typing import Protocol
from urllib.parse import quote

from ..base.errors import NotFound
from . import local


class Shelf(Protocol):
    """The files of one drive; paths are below the component's folder."""

    def components(self) -> list[str]:
        """Whoever has put something."""

    def has(self, component: str, path: str) -> bool: ...

    def list(self, component: str, path: str) -> list[str]:
        """The names directly below a path; a file is its own only one's; nothing where nothing is."""

    def put(self, source: str, component: str, path: str, check: Callable[[], None]) -> None:
        """`check` may object, at a moment when nobody else puts anything, as far as the place can promise that."""

    def get(self, component: str, path: str, target: str) -> None: ...

    def delete(self, component: str, path: str) -> None: ...


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

    def components(self) -> list[str]:
        found = os.listdir(self._root) if os.path.isdir(self._root) else []
        return sorted(
            name for name in found if os.path.isdir(os.path.join(self._root, name)) and not local.is_part(name)
        )

    def _at(self, component: str, path: str) -> str:
        return local.inside(os.path.join(self._root, component), path)

    def has(self, component: str, path: str) -> bool:
        return os.path.exists(self._at(component, path))

    def list(self, component: str, path: str) -> list[str]:
        where = self._at(component, path)
        try:
            return sorted(name for name in os.listdir(where) if not local.is_part(name))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def put(self, source: str, component: str, path: str, check: Callable[[], None]) -> None:
        target = self._at(component, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with local.prepared(source, target) as place, self._locked(fcntl.LOCK_EX):
            check()
            place()

    def get(self, component: str, path: str, target: str) -> None:
        where = self._at(component, path)
        if not os.path.exists(where):
            raise NotFound(f"{path} of {component} went while it was fetched.")
        with self._locked(fcntl.LOCK_SH):
            local.copy(where, target)

    def delete(self, component: str, path: str) -> None:
        where = self._at(component, path)
        with self._locked(fcntl.LOCK_EX):
            if os.path.isdir(where):
                aside = os.path.join(os.path.dirname(where), f".part-{os.urandom(8).hex()}")
                os.rename(where, aside)
                shutil.rmtree(aside, ignore_errors=True)
            else:
                os.unlink(where)
