"""The host's part in what works hand over: the run's store, its table of names, and the exchange for works that do not see either.

Content never passes through here: what comes from elsewhere is fetched piece by piece, from disk to disk.
"""

from __future__ import annotations

import hmac
import os
from typing import Any

from ..base.registry import registry
from ..base.settings import Settings
from ..storage import trees
from ..storage.exchange import Exchange
from ..storage.fetching import Fetcher
from ..storage.names import MISSING, TREE, Entry, Names
from ..storage.shelf_of_values import ValueShelf
from ..storage.store import Store
from .run_folder import RunFolder


class Sharing:
    """Of one run, while its host lives."""

    def __init__(self, settings: Settings, folder: RunFolder) -> None:
        self._folder, self._names = folder, Names(folder.names)
        self._store = Store(folder.objects, durable=settings.durability == "fsync")
        self._store.tidy()
        registry.shelf = ValueShelf(self._store, settings.reference_above)
        self._token = hmac.digest(folder.secret(), b"exchange", "sha256")
        self._exchange: Exchange | None = None
        if settings.apart:
            self._exchange = Exchange(self._store, self._token, self._names, announced=self._bring)

    def told(self, place: str) -> dict[str, Any]:
        """What a worker's order says of files."""
        if self._exchange is None:
            return {"files": self._folder.files}
        own = os.path.join(self._folder.files, "apart", place.replace(os.sep, "_"))
        return {"files": own, "exchange": self._exchange.address, "exchange_token": self._token}

    def forget(self, work: str) -> None:
        """A work was deleted: so is what it has handed over."""
        self._names.forget(work)

    def _bring(self, work: str, entry: Entry) -> None:
        """On the thread of the work's question, which waits: what it has handed over is here when it is gone."""
        if entry.kind == MISSING or not entry.homes:
            return
        fetcher = Fetcher(self._store, self._token)
        wanted = [entry.content]
        while wanted:
            name = wanted.pop()
            if not self._store.has(name):
                fetcher.fetch(name, entry.homes)
            if name == entry.content and entry.kind == TREE:
                wanted += trees.load(self._store, name).contents()

    def close(self) -> None:
        """The run is over, or another host goes on with it."""
        if self._exchange is not None:
            self._exchange.close()
        registry.shelf = None
