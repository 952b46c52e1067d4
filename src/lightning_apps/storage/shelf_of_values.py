"""Big values in the store, by the name of their content; remembers which object has which.  Knows no library of arrays."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from .copying import write_all
from .hashing import Digest
from .store import Store

MAPPED = 256  # views of content that are remembered while somebody uses them


class ValueShelf:
    """What `base.registry` asks for big values.

    Args:
        store: where content lies.
        limit: bytes up to which a value goes by itself.
    """

    def __init__(self, store: Store, limit: int) -> None:
        self.limit = limit
        self._store = store
        self._lock = threading.Lock()
        self._known: dict[int, tuple[Any, Any, str]] = {}  # object: (weak reference, mark, name)

    def keep(self, value: Any, mark: Any, parts: Callable[[], Sequence[Any]]) -> str:
        """The name of a value's content, which is on the shelf now.

        Args:
            value: asked about again, it is not hashed again, as long as its mark stays; None: always hashed.
            parts: its content, only asked for where that is needed.
        """
        with self._lock:
            known = self._known.get(id(value))
        same = known is not None and known[0]() is value and mark is not None and known[1] == mark
        if known is not None and same and self._store.touch(known[2]):
            return known[2]
        name = self._put([memoryview(part).cast("B") for part in parts()])
        self._remember(value, mark, name)
        return name

    def _put(self, parts: Sequence[memoryview]) -> str:
        digest = Digest(threads=True)
        for part in parts:
            digest.update(part)
        if not self._store.touch(digest.name):
            with self._store.incoming(digest.name) as target:
                for part in parts:
                    write_all(target, part)
        return digest.name

    def _remember(self, value: Any, mark: Any, name: str) -> None:
        key = id(value)

        def forget(gone: Any) -> None:
            with self._lock:
                if key in self._known and self._known[key][0] is gone:
                    del self._known[key]

        try:
            reference = weakref.ref(value, forget)
        except TypeError:
            return
        with self._lock:
            self._known[key] = (reference, mark, name)

    def view(self, name: str) -> memoryview:
        """Content as memory that can be written to without anybody else seeing it; nothing is copied."""
        return memoryview(self._store.map(name))
