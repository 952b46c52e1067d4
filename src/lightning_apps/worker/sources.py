"""Puts together what the files of a worker come from: the run's folder, or a store of its own with what fills it.  Decides nothing else."""

from __future__ import annotations

import os
import socket
from importlib import import_module
from typing import Any

from ..base.errors import Unreachable
from ..model.work import LightningWork
from ..ports import Placement
from ..storage import names as n
from ..storage import trees
from ..storage.elsewhere import NamesElsewhere
from ..storage.exchange import Exchange, own_tls
from ..storage.fetching import Fetcher
from ..storage.names import Entry, Names
from ..storage.shelf_of_values import ValueShelf
from ..storage.store import Fetch, Store
from .files import Files
from .handing import Kept, Tell, Telling, no_reader, nobody


def files_in(work: LightningWork, order: Placement, machine: str, tell: Tell = no_reader) -> Files:
    """The files of a work: in the run's folder where its process sees that, else in one of its own, with an exchange."""
    folder, telling, store = order.files, Telling(work.name, tell=tell), store_of(order)
    private = os.path.join(folder, "beside", work.name.replace(os.sep, "_"))
    kept = keeping_there(order, store) if order.storage else nobody
    if not order.exchange:
        return Files(work, store, Names(os.path.join(folder, "names")), private, machine, telling, kept)
    tls = own_tls() if "#" in order.exchange else None
    own = Exchange(store, order.exchange_token, host=facing(order.exchange), tls=tls)
    names = NamesElsewhere(order.exchange, order.exchange_token, own.address)
    return Files(work, store, names, private, f"{machine} {folder}", telling, kept)


def facing(address: str) -> str:
    """The address of this machine that those who can be reached at another address can reach."""
    host, _, port = address.partition("#")[0].rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, int(port)))  # sends nothing
        return str(probe.getsockname()[0])


def keeping_there(order: Placement, store: Store) -> Kept:
    """Sends what is handed over, before anybody is told of it."""
    remote = there(order)

    def keep(entry: Entry) -> None:
        contents = {entry.content}
        if entry.kind == n.TREE:
            contents |= trees.load(store, entry.content).contents()
        for name in sorted(contents):
            remote.keep(store, name)

    return keep


def store_of(order: Placement) -> Store:
    """The content that a worker has, and where it gets what it has not."""
    store = Store(os.path.join(order.files, "objects"))
    sources: list[Fetch] = []
    if order.exchange:
        names = NamesElsewhere(order.exchange, order.exchange_token)
        fetcher = Fetcher(store, order.exchange_token)
        sources.append(lambda name: fetcher.fetch(name, names.homes(name)))
    if order.storage:
        sources.append(lambda name: there(order).bring(store, name))
    store.fetch = first_of(sources)
    return store


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


def shelf_of(order: Placement) -> ValueShelf:
    """Big values in the store that a worker has."""
    return ValueShelf(store_of(order), order.reference_above)
