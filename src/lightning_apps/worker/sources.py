"""Puts together what the files of a worker come from: the run's folder, or a store of its own with what fills it.  Decides nothing else."""

from __future__ import annotations

import functools
import math
import os
import socket
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from ..base.errors import Unreachable
from ..model.work import LightningWork
from ..ports import Placement
from ..storage import names as n
from ..storage import trees
from ..storage.asking import Asking
from ..storage.bounded import Bounded
from ..storage.elsewhere import NamesElsewhere
from ..storage.exchange import Exchange, Tls, own_tls
from ..storage.fetching import Fetcher
from ..storage.names import Entry, Names
from ..storage.offers import Offers
from ..storage.shared_elsewhere import SharedElsewhere
from ..storage.shelf_of_values import ValueShelf
from ..storage.store import Fetch, Store
from .files import Files
from .handing import Kept, Tell, Telling, no_reader, nobody

TRIES = 3  # of content whose owner goes away meanwhile


def files_in(work: LightningWork, order: Placement, machine: str, tell: Tell = no_reader) -> Files:
    """The files of a work: in the run's folder where its process sees that, else in one of its own, with an exchange."""
    folder, telling = order.files, Telling(work.name, tell=tell)
    store = store_of(order, telling)
    private = os.path.join(folder, "beside", work.name.replace(os.sep, "_"))
    kept = keeping_there(order, store, telling) if order.storage else nobody
    if not order.exchange:
        return Files(work, store, Names(os.path.join(folder, "names")), private, machine, telling, kept)
    own = Exchange(store, order.exchange_token, host=facing(order.exchange), tls=tls_of(order), sent=telling.sent)
    names = NamesElsewhere(asking_of(order), own.address, Bounded(store).came)
    return Files(work, store, names, private, f"{machine} {folder}", telling, kept)


def facing(address: str) -> str:
    """The address of this machine that those who can be reached at another address can reach."""
    host, _, port = address.partition("#")[0].rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, int(port)))  # sends nothing
        return str(probe.getsockname()[0])


def keeping_there(order: Placement, store: Store, telling: Telling) -> Kept:
    """Sends what is handed over, before anybody is told of it."""
    remote = there(order)

    def keep(entry: Entry) -> None:
        contents = {entry.content}
        if entry.kind == n.TREE:
            contents |= trees.load(store, entry.content).contents()
        for name in sorted(contents):
            remote.keep(store, name, telling.sent)

    return keep


def store_of(order: Placement, telling: Telling) -> Store:
    """The content that a worker has, and where it gets what it has not."""
    store = Store(os.path.join(order.files, "objects"))
    sources: list[Fetch] = []
    if order.exchange:
        names, fetcher, bounded = NamesElsewhere(asking_of(order)), Fetcher(store, order.exchange_token), Bounded(store)
        sources.append(lambda name: _fetched(name, fetcher, names, bounded, telling))
    if order.storage:
        sources.append(lambda name: there(order).bring(store, name, telling.arrived))
    store.fetch = first_of(sources)
    return store


def asking_of(order: Placement) -> Asking:
    """Asks the run's exchange as long as this worker waits for a host."""
    return Asking(order.exchange, order.exchange_token, order.orphan_limit)


def tls_of(order: Placement) -> Tls | None:
    """What this worker's own exchange shows to those who call it, where that of the run shows something."""
    return own_tls() if "#" in order.exchange else None


def _fetched(name: str, fetcher: Fetcher, names: NamesElsewhere, bounded: Bounded, telling: Telling) -> bool:
    """Brings content; a host that is killed meanwhile is waited for, with what has come."""
    for left in reversed(range(TRIES)):
        try:
            found = fetcher.fetch(name, names.homes(name), telling.arrived)
            bounded.came(name)
            return found
        except Unreachable:
            if not left:
                raise
    raise AssertionError("unreachable")


def there(order: Placement) -> Any:
    """The store that content goes to and comes from as well."""
    return import_module("..storage.remote", __package__).RemoteContent(order.storage)


def first_of(sources: list[Fetch]) -> Fetch:
    """Asks one after the other; one that does not answer is an error only where no other has it."""

    def fetch(name: str) -> bool:
        failed: Unreachable | None = None
        for source in sources:
            try:
                if source(name):
                    return True
            except Unreachable as error:
                failed = error
        if failed is not None:
            raise failed
        return False

    return fetch


def shared_of(order: Placement, tell: Tell) -> SharedElsewhere:
    """The folder that all works of the run share, for one that does not see it."""
    telling = Telling(order.work, tell=tell)
    offers = Offers(os.path.join(order.files, "offered"), lease=math.inf)

    def fetch(store: Store, name: str, homes: Sequence[str], progress: Callable[[int], None]) -> bool:
        return Fetcher(store, order.exchange_token).fetch(name, homes, progress)

    @functools.cache
    def home() -> str:
        nothing = Store(os.path.join(order.files, "objects"))
        return Exchange(
            nothing,
            order.exchange_token,
            host=facing(order.exchange),
            tls=tls_of(order),
            offers=offers.find,
            sent=shared.sent,
        ).address

    shared = SharedElsewhere(asking_of(order), offers, home, fetch, telling.progress)
    return shared


def shelf_of(order: Placement) -> ValueShelf:
    """Big values in the store that a worker has."""
    return ValueShelf(store_of(order, Telling(order.work)), order.reference_above)
