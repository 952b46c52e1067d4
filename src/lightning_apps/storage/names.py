"""What works have handed over, by work and by the name they gave it: one small file each, replaced at once.  Knows no content."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from urllib.parse import quote, unquote

import msgspec

from .copying import fresh, write_all

FILE, TREE, VALUE, MISSING = "file", "tree", "value", "missing"


class Entry(msgspec.Struct, frozen=True):
    """One thing that was handed over.

    Attributes:
        name: the path as its work spelled it, or the attribute of a Payload.
        kind: FILE, TREE, VALUE (a Payload), or MISSING: it was to be there and was not.
        content: its name in the store, or that of its list.
        size: bytes in all.
        files: how many files it is.
        mode: permissions of a file.
        at: when, in seconds since the epoch.
        identity: tells whether the file it was taken from is still the same.
        machine: where that file is, and `place`: its absolute path there.
        homes: addresses at which the content can be asked for, besides the run's own store.
    """

    name: str
    kind: str
    content: str = ""
    size: int = 0
    files: int = 1
    mode: int = 0o644
    at: float = 0.0
    identity: list[int] = []
    machine: str = ""
    place: str = ""
    homes: list[str] = []


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Entry)


class Names:
    """The table in one folder; every process of a run on one machine sees the same."""

    def __init__(self, folder: str, *, durable: bool = False) -> None:
        self.folder = folder
        self._durable = durable

    def _path(self, work: str, name: str) -> str:
        digest = hashlib.blake2b(os.fsencode(name), digest_size=16).hexdigest()
        return os.path.join(self.folder, _file_name(work), digest)

    def put(self, work: str, entry: Entry) -> None:
        """Say what a work has handed over; replaces what it said of this name before."""
        data = _encode(msgspec.structs.replace(entry, name=shown(entry.name), place=shown(entry.place)))
        with fresh(self._path(work, entry.name), mode=0o600, durable=self._durable) as new:
            write_all(new.descriptor, data)

    def get(self, work: str, name: str) -> Entry | None:
        """What a work has handed over under exactly this name."""
        return _read(self._path(work, name))

    def above(self, work: str, path: str) -> tuple[Entry, str] | None:
        """The folder handed over that a path is in, and the path from there."""
        return above(self.get, work, path)

    def remove(self, work: str, name: str) -> None:
        """Forget it."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path(work, name))

    def forget(self, work: str) -> None:
        """Forget all that a work has handed over."""
        folder = os.path.join(self.folder, _file_name(work))
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(folder, name))

    def works(self) -> list[str]:
        """The works that have handed something over."""
        found = os.listdir(self.folder) if os.path.isdir(self.folder) else []
        return sorted(unquote(name) for name in found if os.path.isdir(os.path.join(self.folder, name)))

    def all(self, work: str) -> list[Entry]:
        """Everything that a work has handed over, by name."""
        folder = os.path.join(self.folder, _file_name(work))
        names = os.listdir(folder) if os.path.isdir(folder) else []
        found = [_read(os.path.join(folder, name)) for name in names if not name.startswith(".")]
        return sorted((entry for entry in found if entry is not None), key=lambda entry: entry.name)


def above(get: Callable[[str, str], Entry | None], work: str, path: str) -> tuple[Entry, str] | None:
    """The folder handed over that a path is in, and the path from there."""
    head, below = path, ""
    while (parent := os.path.dirname(head)) != head:
        below = os.path.join(os.path.basename(head), below) if below else os.path.basename(head)
        head = parent
        entry = get(work, head or ".")
        if entry is not None and entry.kind == TREE:
            return entry, below
    return None


def shown(path: str) -> str:
    """A path as text that can be written: bytes that are no text come as "\\udc80" and go as "%80"."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return quote(os.fsencode(path), safe="/ !#$&'()*+,:;=?@[]~")
    return path


def _file_name(work: str) -> str:
    return quote(work, safe="") or "%"


def _read(path: str) -> Entry | None:
    try:
        with open(path, "rb") as file:
            return _decoder.decode(file.read())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except msgspec.DecodeError:
        return None  # written by a newer version, or by nobody of ours
