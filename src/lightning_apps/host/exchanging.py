"""What `sharing` loads when there is something to share.  Content never passes through the host: it is fetched from disk to disk."""

from __future__ import annotations

from collections.abc import Callable

from ..base.settings import Settings
from ..storage import trees
from ..storage.exchange import Exchange, Tls
from ..storage.fetching import Fetcher
from ..storage.names import MISSING, TREE, Entry, Names
from ..storage.shelf_of_values import ValueShelf
from ..storage.store import Store
from . import distant
from .run_folder import RunFolder

__all__ = ["Names", "exchange_of", "shelf_of", "store_of"]


def store_of(settings: Settings, folder: RunFolder) -> Store:
    """The content of a run."""
    return Store(folder.objects, durable=settings.durability == "fsync")


def shelf_of(settings: Settings, folder: RunFolder) -> ValueShelf:
    """Big values, as the flow's process keeps and sees them."""
    return ValueShelf(store_of(settings, folder), settings.reference_above)


def exchange_of(settings: Settings, folder: RunFolder, token: bytes, far: bool) -> Exchange:
    """Answers works that do not see the run's folder, and fetches what they announce.

    Args:
        far: works are on other machines, which are shown the run's certificate.
    """
    store, names = store_of(settings, folder), Names(folder.names)
    if not far:
        return Exchange(store, token, names, announced=bringing(store, token))
    return Exchange(
        store, token, names, host=str(settings.advertise_host), port=distant.port_of(folder, "exchange.port"),
        tls=Tls(distant.context(folder), distant.fingerprint(folder)), announced=bringing(store, token),
    )  # fmt: skip


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
