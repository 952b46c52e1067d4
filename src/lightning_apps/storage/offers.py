"""Files and folders as they lie somewhere, offered to whoever asks for them by the name of their content; and how what came is put down.

A file is read where it is, as long as it stays as it was; a folder is packed into a store of its own meanwhile.  Knows no addresses.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from ..base.errors import StorageError
from . import trees
from .copying import Progress, _silent, chunks
from .hashing import Digest
from .store import TRIES, Store, identity

FILE, TREE = "file", "tree"
LEASE = 600.0  # seconds after which nobody is thought to come back for what nobody has read of
KNOWN = 10_000  # files whose content's name is remembered


Places = dict[str, tuple[str, list[int] | None]]  # by name of content


class Offer(msgspec.Struct, frozen=True, array_like=True):
    """What is offered: the name of its content, `size` in bytes, permissions of a file."""

    kind: str
    content: str
    size: int
    mode: int = 0o644


class Held(msgspec.Struct):
    """An offer that somebody may read: where its content lies by name, with the mark of a file that others may change."""

    places: Places
    folder: str
    until: float


class Offers:
    """All that one process offers.

    Args:
        folder: for what has to be packed.
        lease: seconds; what is not read for longer is withdrawn.
        clock: seconds that only grow.
    """

    def __init__(self, folder: str, lease: float = LEASE, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._lease, self._clock = folder, lease, clock
        self._lock = threading.Lock()
        self._held: dict[str, Held] = {}
        self._known: OrderedDict[str, tuple[list[int], str]] = OrderedDict()

    def offer(self, path: str, progress: Progress = _silent) -> tuple[str, Offer]:
        """Offer what is there now, until it is withdrawn: (its number, the offer)."""
        self._expire()
        if os.path.isdir(path):
            store = Store(os.path.join(self._folder, f"offer-{os.urandom(8).hex()}"))
            content, tree = trees.put_tree(store, path, progress)
            places: Places = {name: (store.path(name), None) for name in (content, *tree.contents())}
            return self._hold(places, store.folder), Offer(TREE, content, tree.size)
        content, stat = self._named(path, progress)
        return self._hold({content: (path, identity(stat))}, ""), Offer(
            FILE, content, stat.st_size, stat.st_mode & 0o777
        )

    def _hold(self, places: Places, folder: str) -> str:
        number = os.urandom(8).hex()  # another process of this run must not mean another offer by it
        with self._lock:
            self._held[number] = Held(places, folder, self._clock() + self._lease)
        return number

    def _named(self, path: str, progress: Progress) -> tuple[str, os.stat_result]:
        """The name of what a file holds, and the file it was read from."""
        with open(path, "rb") as file:
            for _ in range(TRIES):
                stat = os.fstat(file.fileno())
                with self._lock:
                    known = self._known.get(path)
                if known is not None and known[0] == identity(stat):
                    return known[1], stat
                digest = Digest(threads=True)
                for chunk in chunks(file.fileno()):
                    digest.update(chunk)
                    progress(len(chunk))
                if identity(os.fstat(file.fileno())) == identity(stat):
                    self.remember(path, stat, digest.name)
                    return digest.name, stat
        raise StorageError(f"{path} is written to all the time, so what is in it cannot be handed on.")

    def remember(self, path: str, stat: os.stat_result, content: str) -> None:
        """A file is known to hold this, as long as it stays as it is."""
        with self._lock:
            self._known[path] = (identity(stat), content)
            self._known.move_to_end(path)
            while len(self._known) > KNOWN:
                self._known.popitem(last=False)

    def find(self, name: str) -> str | None:
        """Where content lies that is offered; None if it is not, or is not what it was."""
        with self._lock:
            for held in self._held.values():
                if name in held.places:
                    held.until = self._clock() + self._lease
                    path, mark = held.places[name]
                    if mark is None or _marked(path, mark):
                        return path
        return None

    def withdraw(self, number: str) -> None:
        """Nobody is to read it any more."""
        with self._lock:
            held = self._held.pop(number, None)
        if held is not None and held.folder:
            shutil.rmtree(held.folder, ignore_errors=True)

    def _expire(self) -> None:
        now = self._clock()
        with self._lock:
            late = [number for number, held in self._held.items() if held.until < now]
        for number in late:
            self.withdraw(number)


def _marked(path: str, mark: list[int]) -> bool:
    try:
        return identity(os.stat(path)) == mark
    except OSError:
        return False


def bring(store: Store, offer: Offer, fetch: Callable[[str], bool]) -> bool:
    """Have all content of an offer in a store; False if it is not offered any more, or not as it was.

    Args:
        fetch: brings content of this name there, if it can be had.
    """
    if not (store.has(offer.content) or fetch(offer.content)):
        return False
    if offer.kind != TREE:
        return True
    return all(store.has(name) or fetch(name) for name in sorted(trees.load(store, offer.content).contents()))


def put_down(store: Store, offer: Offer, path: str) -> None:
    """Make what was brought a file or folder at a path where nothing is; out of the store, which is for this only."""
    if offer.kind == TREE:
        trees.write_tree(store, trees.load(store, offer.content), path)
        return
    mode = offer.mode & 0o777 | 0o600
    try:
        os.rename(store.path(offer.content), path)
        os.chmod(path, mode)
    except OSError:  # it lies on another disk
        store.copy_to(offer.content, path, mode=mode)
