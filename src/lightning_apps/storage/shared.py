"""The folder that works share, for those who do not see it: answers what they ask, takes what they put, offers what they get.

What is put is there when the question is answered, whole; what broke off, even with this process, is gone on with when it is asked
again.  Knows nothing of sockets.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from ..base.errors import StorageError
from .copying import cannot_write, sync_folder
from .folders import drives_in
from .offers import Offer, Offers, bring, put_down
from .place import FolderPlace
from .shelf import FolderShelf
from .store import Store

CHANGED = "changed"  # the answer where what was to be put is not what it was
READS = {"drive": ("components", "holders", "has", "list", "delete"), "files": ("kind", "list", "walk", "remove")}
Fetch = Callable[[Store, str, Sequence[str]], bool]  # content of this name into a store, from these addresses


class SharedFolder:
    """What the exchange of a run says of its shared folder.

    Args:
        root: that folder.
        arriving: a folder on the same disk, for what is on its way.
        fetch: brings content.
        offers: of this process.
        durable: whether what is put has to survive a power cut.
    """

    def __init__(self, root: str, arriving: str, fetch: Fetch, offers: Offers, *, durable: bool = False) -> None:
        self._root, self._arriving, self._fetch, self._offers, self._durable = root, arriving, fetch, offers, durable

    def told(self, kind: str, rest: list[Any]) -> Any:
        """The answer to a question; see `shared_elsewhere`, which asks it.

        Raises:
            StorageError: it cannot be done, or nobody knows what it means.
        """
        try:
            if kind == "withdraw":
                return self._offers.withdraw(str(rest[0]))
            name, what, *rest = rest
            if what in READS[kind]:
                return getattr(self._place(kind, str(name)), what)(*map(str, rest))
            if what == "get":
                return self._offered(kind, str(name), rest)
            if what == "put":
                return self._put(kind, str(name), rest)
        except OSError as error:
            if isinstance(error, StorageError):
                raise
            raise StorageError(str(cannot_write(self._root, error))) from None
        raise StorageError(f"Nobody here knows what {what!r} means.")

    def _place(self, kind: str, name: str) -> Any:
        if kind == "files":
            return FolderPlace(self._root)
        if not name or "/" in name or name in (".", "..") or "\0" in name:
            raise StorageError(f"{name!r} is not the name of a drive.")
        return FolderShelf(str(drives_in(self._root) / name))

    def _offered(self, kind: str, name: str, rest: list[Any]) -> Any:
        with self._place(kind, name).held(*map(str, rest)) as path:
            return self._offers.offer(path)

    def _put(self, kind: str, name: str, rest: list[Any]) -> Any:
        *where, packed, homes = rest
        offer, place = msgspec.convert(packed, Offer), self._place(kind, name)
        with self._on_its_way([kind, name, *where]) as store:
            if not bring(store, offer, lambda content: self._fetch(store, content, homes)):
                return CHANGED
            answer = place.fill(lambda path: self._put_down(store, offer, path), *where)
            shutil.rmtree(store.folder, ignore_errors=True)
            return answer

    def _put_down(self, store: Store, offer: Offer, path: str) -> None:
        put_down(store, offer, path)
        if self._durable:
            sync_folder(os.path.dirname(path))

    @contextlib.contextmanager
    def _on_its_way(self, target: list[Any]) -> Iterator[Store]:
        """A store for what is put under one name, by one caller at a time; what broke off is there again."""
        folder = os.path.join(self._arriving, hashlib.blake2b(repr(target).encode(), digest_size=16).hexdigest())
        os.makedirs(self._arriving, mode=0o700, exist_ok=True)
        with open(f"{folder}.lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Store(folder, durable=self._durable)
