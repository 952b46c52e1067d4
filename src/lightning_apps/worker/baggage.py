"""What paths, payloads and running calls ask about files; what does it is loaded with the first value that has a file.

A work without any pays nothing for them: neither at its start nor in its calls.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Protocol

import msgspec

from ..base.messages import Transfer
from ..base.registry import Shelf
from ..base.traces import user_traceback
from ..model.work import LightningWork
from ..ports import Placement

NEVER = 1 << 62  # bytes


Tell = Callable[[Transfer], None]


def nobody(transfer: Transfer) -> None:
    """Nobody follows."""


KINDS = ("lightning_apps.storage.path", "lightning_apps.storage.payload")  # who has such a value has its module


class Does(Protocol):
    """What `worker.files.Files` does."""

    def unpack(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]: ...

    def fetch_own(self) -> None: ...

    def hand_over(self) -> None: ...

    def has(self, path: Any) -> bool: ...

    def get(self, path: Any) -> None: ...

    def keep_value(self, payload: Any) -> None: ...

    def has_value(self, payload: Any) -> bool: ...

    def load_value(self, payload: Any) -> Any: ...


class Baggage:
    """The files of one work.

    Args:
        work: whose.
        order: says where what the works of its run hand over is; None if there is no such place.

    Attributes:
        tell: takes how far long transfers are, for the host.
    """

    def __init__(self, work: LightningWork, order: Placement | None = None) -> None:
        self._work, self._order = work, order if order is not None and order.files else None
        self._does: Does | None = None
        self.tell: Tell = nobody

    @property
    def _carried(self) -> bool:
        """Whether any value with a file can be there: their types are registered by who imports them."""
        return self._order is not None and any(kind in sys.modules for kind in KINDS)

    def _files(self) -> Does:
        if self._does is None:
            does: Does = import_module(".sources", __package__).files_in(self._work, self._order, machine(), self.tell)
            self._does = does
        return self._does

    # -- around a call -------------------------------------------------------------------------------------------

    def unpack(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """The arguments of a call as this work's own, with their files here; those of its attributes as well."""
        if not self._carried:
            return args, kwargs
        self._files().fetch_own()
        return self._files().unpack(args, kwargs)

    def hand_over(self) -> None:
        """Keep what this work's paths and payloads hold now."""
        if self._carried:
            self._files().hand_over()

    def hand_over_quietly(self) -> None:
        """Where an error has nowhere to go but the terminal."""
        try:
            self.hand_over()
        except Exception as error:
            sys.stderr.write(user_traceback(error))

    # -- asked by paths and payloads -----------------------------------------------------------------------------

    def has(self, path: Any) -> bool:
        """Whether its origin has handed it over, or has it on this machine."""
        return self._files().has(path)

    def get(self, path: Any) -> None:
        """Have it here, replacing what is here."""
        self._files().get(path)

    def keep_value(self, payload: Any) -> None:
        """Keep a payload's value as it is now."""
        if self._order is not None:
            self._files().keep_value(payload)

    def has_value(self, payload: Any) -> bool:
        """Whether its origin has handed it over."""
        return self._files().has_value(payload)

    def load_value(self, payload: Any) -> Any:
        """The value as its origin handed it over."""
        return self._files().load_value(payload)


class ShelfWhenAsked:
    """A shelf for big values that is made when the first of them is there.

    Args:
        limit: bytes up to which a value goes by itself.
    """

    def __init__(self, limit: int, make: Callable[[], Shelf]) -> None:
        self.limit, self._make = limit, make
        self._made: Shelf | None = None

    def _shelf(self) -> Shelf:
        if self._made is None:
            self._made = self._make()
        return self._made

    def keep(self, value: Any, mark: Any, parts: Callable[[], Sequence[Any]]) -> str:
        """As the shelf does."""
        return self._shelf().keep(value, mark, parts)

    def view(self, name: str) -> memoryview:
        """As the shelf does."""
        return self._shelf().view(name)


class SharedWhenAsked:
    """What works share by name, for a worker that does not see their folder; made when the first file of it is asked for.

    Attributes:
        tell: takes how far long transfers are, for the host.
    """

    def __init__(self, order: Placement) -> None:
        self._order = order
        self._made: Any = None
        self._lock = threading.Lock()
        self.tell: Tell = nobody

    def _shared(self) -> Any:
        with self._lock:
            if self._made is None:
                sources = import_module(".sources", __package__)
                self._made = sources.shared_of(self._order, self._told)
            return self._made

    def _told(self, transfer: Transfer) -> None:
        self.tell(transfer)

    def drive(self, name: str) -> Any:
        """A drive's files."""
        return self._shared().drive(name)

    def files(self) -> Any:
        """All others."""
        return self._shared().files()


def with_folder(order: Placement) -> Placement:
    """The order of a worker that does not see the run's folder, with a folder of its own that goes when it ends."""
    if order.files or not order.exchange:
        return order
    folder = tempfile.mkdtemp(prefix="lightning-files-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return msgspec.structs.replace(order, files=folder)


def shelf_for(order: Placement) -> Shelf:
    """By reference where the run's folder is seen; elsewhere what comes is fetched, and what goes goes by itself."""

    def make() -> Shelf:
        shelf: Shelf = import_module(".sources", __package__).shelf_of(order)
        return shelf

    return ShelfWhenAsked(NEVER if order.exchange else order.reference_above, make)


def machine() -> str:
    """Tells this machine, since its last start, from others."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return f"{os.uname().nodename} {file.read().strip()}"
    except OSError:
        return f"{os.uname().nodename} {os.uname().version}"
