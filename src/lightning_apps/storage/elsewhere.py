"""The run's table of names, for a process on another machine than the run's folder.  Knows nothing of works."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import msgspec

from ..base.errors import LightningError
from .asking import Asking
from .names import Entry, above


def nobody(content: str) -> None:
    """It stays here."""


class NamesElsewhere:
    """As `Names`, asked at the exchange of the run.

    Args:
        asking: asks that exchange.
        here: this machine's own exchange, where the content that is handed over here can be had.
        settled: told of content that the run has now as well.
    """

    def __init__(self, asking: Asking, here: str = "", settled: Callable[[str], None] = nobody) -> None:
        self._ask, self._address, self._here, self._settled = asking.ask, asking.address, here, settled

    def put(self, work: str, entry: Entry) -> None:
        """Say what a work has handed over, and that it can be had here."""
        homes = [self._here] if self._here else []
        self._ask("put", work, msgspec.to_builtins(msgspec.structs.replace(entry, homes=homes)))
        if entry.content:
            self._settled(entry.content)

    def get(self, work: str, name: str) -> Entry | None:
        """What a work has handed over under exactly this name."""
        found = self._ask("get", work, name)
        return None if found is None else msgspec.convert(found, Entry)

    def above(self, work: str, path: str) -> tuple[Entry, str] | None:
        """The folder handed over that a path is in, and the path from there."""
        return above(self.get, work, path)

    def all(self, work: str) -> list[Entry]:
        """Everything that a work has handed over, by name."""
        return msgspec.convert(self._ask("all", work), list[Entry])

    def homes(self, content: str) -> list[str]:
        """Addresses that have said they have this content, the run's own first."""
        found: list[str] = []
        with contextlib.suppress(LightningError):
            found = self._ask("homes", content)
        return [self._address, *(each for each in found if each != self._here)]
