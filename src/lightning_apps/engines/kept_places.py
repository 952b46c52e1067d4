"""What is written down of places and gangs on other machines, so that a later host of the run knows them.  Decides nothing."""

from __future__ import annotations

import contextlib
import os
from typing import TypeVar
from urllib.parse import quote, unquote

import msgspec

from ..base.errors import LightningError
from ..ports import Placement
from .gangs import Group

T = TypeVar("T")
GANG = "gang."


class Kept(msgspec.Struct):
    """A place.

    Attributes:
        order: what was asked for.
        admitted: a minder has come and was told to begin: from now on user code may run.
        node: the machine it is on.
        group, number: its gang, once that has formed, and its place in it.
    """

    order: Placement
    admitted: bool = False
    node: str = ""
    group: str = ""
    number: int = 0


class KeptPlaces:
    """Files in a folder of the run, readable by its owner only."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def open(self) -> None:
        """Make the folder."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)

    def keep(self, kept: Kept) -> None:
        """As it is now."""
        self._write(self._path(kept.order.place), kept)

    def recall(self, place: str) -> Kept | None:
        """What an earlier host has written."""
        return self._read(self._path(place), Kept)

    def forget(self, place: str) -> None:
        """It has ended."""
        self._remove(self._path(place))

    def all(self) -> tuple[list[Kept], list[str]]:
        """The places and the gangs that are written down."""
        names = [name for name in os.listdir(self._folder) if not name.endswith(".new")]
        groups = [unquote(name.removeprefix(GANG)) for name in names if name.startswith(GANG)]
        found = (self._read(os.path.join(self._folder, name), Kept) for name in names if not name.startswith(GANG))
        return [kept for kept in found if kept is not None], groups

    def keep_group(self, group: Group) -> None:
        """A gang has formed."""
        self._write(self._group_path(group.id), group)

    def recall_group(self, group: str) -> Group | None:
        """A gang of an earlier host, without anybody in it."""
        found = self._read(self._group_path(group), Group)
        return found and msgspec.structs.replace(found, living={})

    def forget_group(self, group: str) -> None:
        """It is no more."""
        self._remove(self._group_path(group))

    def _path(self, place: str) -> str:
        return os.path.join(self._folder, place.replace(os.sep, "_"))

    def _group_path(self, group: str) -> str:
        return os.path.join(self._folder, f"{GANG}{quote(group, safe='')}")

    def _write(self, path: str, value: Kept | Group) -> None:
        with open(f"{path}.new", "wb", opener=_private) as file:
            file.write(msgspec.msgpack.encode(value))
        os.replace(f"{path}.new", path)

    def _read(self, path: str, kind: type[T]) -> T | None:
        try:
            with open(path, "rb") as file:
                return msgspec.msgpack.decode(file.read(), type=kind)
        except (OSError, LightningError, msgspec.DecodeError):
            return None

    def _remove(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
