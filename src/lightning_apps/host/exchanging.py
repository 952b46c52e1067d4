"""What `sharing` loads when there is something to share.  Content never passes through the host: it is fetched from disk to disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from ..base.settings import Settings, shared_folder
from ..storage import trees
from ..storage.exchange import Exchange, Tls
from ..storage.fetching import Fetcher
from ..storage.local import tidy
from ..storage.names import MISSING, TREE, Entry, Names
from ..storage.offers import Offers
from ..storage.reclaiming import named_in
from ..storage.shared import SharedFolder
from ..storage.shelf_of_values import ValueShelf
from ..storage.store import Store
from . import distant
from .reclaiming import Reclaiming
from .run_folder import RunFolder

__all__ = ["Names", "Reclaiming", "exchange_of", "named_in", "shelf_of", "store_of", "tidy"]


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
    store, names, offers = (
        store_of(settings, folder),
        Names(folder.names),
        Offers(os.path.join(folder.arriving, "offered")),
    )
    durable = settings.durability == "fsync"
    shared = SharedFolder(os.path.abspath(shared_folder()), folder.arriving, fetching(token), offers, durable=durable)
    return Exchange(
        store, token, names,
        host=str(settings.advertise_host) if far else "127.0.0.1", port=distant.port_of(folder, "exchange.port"),
        tls=Tls(distant.context(folder), distant.fingerprint(folder)) if far else None, announced=bringing(store, token),
        offers=offers.find, answers=dict.fromkeys(("drive", "files", "withdraw"), shared.told),
    )  # fmt: skip


def fetching(token: bytes) -> Callable[[Store, str, Sequence[str]], bool]:
    """Brings content into any store."""
    return lambda store, name, homes: Fetcher(store, token).fetch(name, homes)


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
