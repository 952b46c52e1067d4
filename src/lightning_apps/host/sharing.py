"""The host's part in what works hand over: the run's store, its table of names, and the exchange for works that do not see either.

What does it is loaded when the first file or big value is there, or the first work that is elsewhere: an app without any starts as
quickly as ever.
"""

from __future__ import annotations

import hmac
import os
import shutil
from importlib import import_module
from typing import Any
from urllib.parse import quote

from ..base.registry import Shelf, registry
from ..base.settings import Settings
from ..worker.baggage import ShelfWhenAsked
from .run_folder import RunFolder

LOOK = 300.0  # seconds between looks at what is not needed any more


class Sharing:
    """Of one run, while its host lives."""

    def __init__(self, settings: Settings, folder: RunFolder) -> None:
        self._settings, self._folder = settings, folder
        self._token = hmac.digest(folder.secret(), b"exchange", "sha256")
        self._exchange: Any = None
        self._far = settings.link == "tls"
        registry.shelf = ShelfWhenAsked(settings.reference_above, self._shelf)
        self._reclaiming: Any = None
        self._carried: dict[str, set[str]] = {}
        self._next_look = 0.0
        if os.path.isdir(folder.objects):
            self._does().store_of(settings, folder).tidy()  # what those left who died with an earlier host
        if os.path.isdir(folder.shared):
            self._does().tidy(folder.shared)
        if settings.apart or self._far:
            self._exchange = self._does().exchange_of(settings, folder, self._token, self._far)

    def _does(self) -> Any:
        return import_module(".exchanging", __package__)

    def _shelf(self) -> Shelf:
        shelf: Shelf = self._does().shelf_of(self._settings, self._folder)
        return shelf

    def told(self, place: str) -> dict[str, Any]:
        """What a worker's order says of files."""
        storage = self._settings.storage or ""
        if self._exchange is None:
            return {"files": self._folder.files, "storage": storage}
        own = "" if self._far else self._apart(place)  # on another machine whoever starts it names the folder
        there = {"files": own, "exchange": self._exchange.address, "exchange_token": self._token}
        return {"storage": storage, **there}

    def _apart(self, place: str) -> str:
        return os.path.join(self._folder.path, "apart", quote(place, safe=""))

    def carries(self, place: str, pickled: bytes | None) -> None:
        """A worker is to be placed that has to find what its component refers to, however long it waits."""
        if pickled is not None and (b"b2-" in pickled or b"b3-" in pickled):
            self._carried[place] = self._does().named_in(pickled)

    def turned(self, now: float) -> bool:
        """Now and then what nothing needs any more is removed; whether a snapshot would help with that.

        Args:
            now: seconds that only grow.
        """
        if now < self._next_look:
            return False
        wanted = False
        if self._next_look and os.path.isdir(self._folder.objects) and os.path.exists(self._folder.journal):
            if self._reclaiming is None:
                self._reclaiming = self._does().Reclaiming(self._settings, self._folder, self._needed)
            wanted, self._reclaiming.snapshot_wanted = self._reclaiming.snapshot_wanted, False
            self._reclaiming.begin()
        self._next_look = now + LOOK
        return wanted

    @property
    def has_content(self) -> bool:
        """Whether there is any that turns may name: it goes sooner where they are past."""
        return os.path.isdir(self._folder.objects)

    def _needed(self) -> set[str]:
        return {name for names in list(self._carried.values()) for name in names}

    def ended(self, place: str) -> None:
        """The process there is no more, however it ended: nor is what only it had."""
        self._carried.pop(place, None)
        if self._settings.apart:
            shutil.rmtree(self._apart(place), ignore_errors=True)

    def forget(self, work: str) -> None:
        """A work was deleted: so is what it has handed over."""
        if os.path.isdir(self._folder.names):
            self._does().Names(self._folder.names).forget(work)

    def close(self) -> None:
        """The run is over, or another host goes on with it."""
        if self._exchange is not None:
            self._exchange.close()
            shutil.rmtree(self._folder.arriving, ignore_errors=True)
        registry.shelf = None
