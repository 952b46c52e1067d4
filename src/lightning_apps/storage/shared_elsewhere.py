"""The folder that works share, for a process on another machine than the run's: asks the run's exchange.  Knows nothing of works."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import msgspec

from ..base.errors import LightningError, StorageError, Unreachable
from . import local
from .asking import Asking
from .offers import Offer, Offers, bring, put_down
from .progress import Progress
from .shared import CHANGED
from .store import Store

TRIES = 3  # of what somebody writes to meanwhile
Names = list[str]  # `list` is a method below
Fetch = Callable[[Store, str, Sequence[str], Callable[[int], None]], bool]  # content into a store, from these addresses


class SharedElsewhere:
    """What the works of a run share, asked for.

    Args:
        asking: asks the exchange of the run.
        offers: of this process.
        home: where what is offered can be had; called when something is.
        fetch: brings content.
        progress: of a transfer: what is done, to which path, how many bytes.
    """

    def __init__(
        self,
        asking: Asking,
        offers: Offers,
        home: Callable[[], str],
        fetch: Fetch,
        progress: Callable[[str, str, int], AbstractContextManager[Progress]],
    ) -> None:
        self.ask, self._address = asking.ask, asking.address
        self._offers, self._home, self._fetch, self._progress = offers, home, fetch, progress
        self._sending: Progress | None = None

    def sent(self, count: int) -> None:
        """So many bytes of what is put have gone out."""
        if self._sending is not None:
            self._sending.more(count)

    def drive(self, name: str) -> DriveElsewhere:
        """A drive's files."""
        return DriveElsewhere(self, name)

    def files(self) -> FilesElsewhere:
        """All others."""
        return FilesElsewhere(self)

    def put(self, source: str, *question: Any) -> Any:
        """Have a file or folder of this machine put; the answer comes when it is there."""
        for _ in range(TRIES):
            number, offer = self._offers.offer(source)
            try:
                with self._progress("putting", source, offer.size) as self._sending:
                    answer = self.ask(*question, msgspec.to_builtins(offer), [self._home()])
            except Unreachable:
                if self._offers.find(offer.content) is not None:
                    raise
                answer = CHANGED  # it could not be read to its end as it had been
            finally:
                self._offers.withdraw(number)
            if answer != CHANGED:
                return answer
        raise StorageError(f"{source} was written to whenever it was put, so it is not: put it when it is complete.")

    def get(self, target: str, *question: Any) -> None:
        """Have a file or folder at a path of this machine, at once as far as a reader can tell."""
        with local.made(lambda beside: self._have(beside, target, question), target) as place:
            place()

    def _have(self, beside: str, target: str, question: Sequence[Any]) -> None:
        """What has come is gone on with, whatever becomes of the other side meanwhile."""
        store = Store(os.path.join(os.path.dirname(beside), "objects"))
        for left in reversed(range(TRIES)):
            number, packed = self.ask(*question)
            offer = msgspec.convert(packed, Offer)
            try:
                with self._progress("getting", target, offer.size) as progress:
                    if bring(store, offer, lambda name: self._fetch(store, name, [self._address], progress.more)):
                        return put_down(store, offer, beside)
            except Unreachable:
                if not left:
                    raise
            finally:
                with contextlib.suppress(LightningError):
                    self.ask("withdraw", number)
        raise StorageError(f"What is to be {target} was replaced whenever it was fetched: get it when nobody puts it.")


class DriveElsewhere:
    """A drive: the same as a `shelf.FolderShelf` where that folder is."""

    def __init__(self, shared: SharedElsewhere, name: str) -> None:
        self._shared, self._name = shared, name

    def _ask(self, what: str, *rest: Any) -> Any:
        return self._shared.ask("drive", self._name, what, *rest)

    def components(self) -> Names:
        return list(self._ask("components"))

    def holders(self, path: str) -> Names:
        return self._ask("holders", path)  # type: ignore[no-any-return]

    def has(self, component: str, path: str) -> bool:
        return bool(self._ask("has", component, path))

    def list(self, component: str, path: str) -> Names:
        return self._ask("list", component, path)  # type: ignore[no-any-return]

    def put(self, source: str, component: str, path: str, alone: bool) -> str:
        other = next((name for name in self.holders(path) if name != component), "") if alone else ""
        return other or str(self._shared.put(source, "drive", self._name, "put", component, path, alone))

    def get(self, component: str, path: str, target: str) -> None:
        self._shared.get(target, "drive", self._name, "get", component, path)

    def delete(self, component: str, path: str) -> None:
        self._ask("delete", component, path)


class FilesElsewhere:
    """The rest of the folder: the same as a `place.FolderPlace` where that is."""

    def __init__(self, shared: SharedElsewhere) -> None:
        self._shared = shared

    def _ask(self, what: str, *rest: Any) -> Any:
        return self._shared.ask("files", "", what, *rest)

    def kind(self, path: str) -> str:
        return str(self._ask("kind", path))

    def list(self, path: str) -> Names:
        return self._ask("list", path)  # type: ignore[no-any-return]

    def walk(self, path: str) -> Names:
        return self._ask("walk", path)  # type: ignore[no-any-return]

    def put(self, source: str, path: str) -> None:
        self._shared.put(source, "files", "", "put", path)

    def get(self, path: str, target: str) -> None:
        self._shared.get(target, "files", "", "get", path)

    def remove(self, path: str) -> None:
        self._ask("remove", path)
