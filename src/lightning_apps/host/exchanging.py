"""What `sharing` loads when there is something to share.  Content never passes through the host: it is fetched from disk to disk."""

from __future__ import annotations

from collections.abc import Callable

from ..base.settings import Settings
from ..storage import trees
from ..storage.exchange import Exchange
from ..storage.fetching import Fetcher
from ..storage.names import MISSING, TREE, Entry, Names
from ..storage.shelf_of_values import ValueShelf
from ..storage.store import Store
from .run_folder import RunFolder

__all__ = ["Names", "exchange_of", "shelf_of", "store_of"]


def store_of(settings: Settings, folder: RunFolder) -> Store:
    """The content of a run."""
    return Store(folder.objects, durable=settings.durability == "fsync")


def shelf_of(settings: Settings, folder: RunFolder) -> ValueShelf:
    """Big values, as the flow's process keeps and sees them."""
    return ValueShelf(store_of(settings, folder), settings.reference_above)


def exchange_of(settings: Settings, folder: RunFolder, token: bytes) -> Exchange:
    """Answers works that do not see the run's folder, and fetches what they announce."""
    store = store_of(settings, folder)
    host = settings.advertise_host if settings.link == "tls" else ""
    return Exchange(store, token, Names(folder.names), host=host or "127.0.0.1", announced=bringing(store, token))


def bringing(store: Store, token: bytes) -> Callable[[str, Entry], None]:
    """Fetches on the thread of the work's question, which waits: what it has handed over is here when it is gone."""
    fetcher = Fetcher(store, token)

    def bring(work: str, entry: Entry) -> None:
        wanted = [entry.content] if entry.homes and entry.kind != MISSING else []
        while wanted:
            name = wanted.pop()
            if not store.has(name):
                fetcher.fetch(name, entry.homes)
            if name == entry.content and entry.kind == TREE:
                wanted += trees.load(store, name).contents()

    return bring
