"""Two machines that share no disk, as two folders: that of the run, which an exchange answers for, and that of a worker."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lightning_apps.base.registry import registry
from lightning_apps.storage.asking import Asking
from lightning_apps.storage.exchange import Exchange
from lightning_apps.storage.fetching import Fetcher
from lightning_apps.storage.offers import Offers
from lightning_apps.storage.progress import Progress
from lightning_apps.storage.shared import SharedFolder
from lightning_apps.storage.shared_elsewhere import SharedElsewhere
from lightning_apps.storage.store import Store

TOKEN = b"t" * 32


class RunsOwn:
    """The machine of the run: its shared folder, and what answers for it until it is closed."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.root, self.arriving = folder / "shared", folder / "arriving"
        self.offers = Offers(str(self.arriving / "offered"))

        def fetch(store: Store, name: str, homes: Any) -> bool:
            return Fetcher(store, TOKEN).fetch(name, homes)

        self.shared = SharedFolder(str(self.root), str(self.arriving), fetch, self.offers)
        self.exchange = Exchange(
            Store(str(folder / "objects")),
            TOKEN,
            port=port,
            offers=self.offers.find,
            answers=dict.fromkeys(("drive", "files", "withdraw"), self.shared.told),
        )

    @property
    def address(self) -> str:
        return self.exchange.address

    def close(self) -> None:
        self.exchange.close()


def elsewhere(folder: Path, address: str, say: Callable[[str], None] = print) -> tuple[SharedElsewhere, Exchange]:
    """What a worker there asks, and its own exchange."""
    offers = Offers(str(folder / "offered"))

    def fetch(store: Store, name: str, homes: Any, progress: Callable[[int], None]) -> bool:
        return Fetcher(store, TOKEN).fetch(name, homes, progress)

    own = Exchange(Store(str(folder / "objects")), TOKEN, offers=offers.find)
    shared = SharedElsewhere(
        Asking(address, TOKEN, 20.0),
        offers,
        lambda: own.address,
        fetch,
        lambda doing, what, size: Progress(f"{doing} {what}", size, say),
    )
    return shared, own


@contextlib.contextmanager
def two_machines(folder: Path) -> Iterator[RunsOwn]:
    """This process is a worker on the other one meanwhile."""
    run = RunsOwn(folder / "run")
    registry.shared, own = elsewhere(folder / "worker", run.address)
    try:
        yield run
        assert not list((folder / "worker").glob("offered/*"))
    finally:
        registry.shared = None
        run.close()
        own.close()
        shutil.rmtree(folder / "worker", ignore_errors=True)
