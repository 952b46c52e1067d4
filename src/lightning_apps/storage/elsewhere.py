"""The run's table of names and its content, for a process on another machine than the run's folder.  Knows nothing of works."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import msgspec

from ..base.errors import LightningError, ProtocolError, Unreachable
from .exchange import Caller
from .names import Entry, above
from .remote import patiently

WAIT = 3600.0  # seconds: the answer to what was handed over comes when the run has the content


class NamesElsewhere:
    """As `Names`, asked at the exchange of the run.

    Args:
        address, token: of that exchange.
        here: this machine's own exchange, where the content that is handed over here can be had.
    """

    def __init__(self, address: str, token: bytes, here: str = "") -> None:
        self._address, self._token, self._here = address, token, here
        self._caller: Caller | None = None
        self._lock = threading.Lock()

    def _ask(self, *question: Any) -> Any:
        def once() -> Any:
            with self._lock:
                try:
                    if self._caller is None:
                        self._caller = Caller(self._address, self._token, WAIT)
                    return self._caller.ask(*question)
                except (OSError, ProtocolError):
                    if self._caller is not None:
                        self._caller.close()
                    self._caller = None
                    raise ConnectionError(
                        f"the exchange at {self._address.partition('#')[0]} does not answer"
                    ) from None

        try:
            return patiently("Asking for what was handed over", once)
        except LightningError:
            raise
        except OSError as error:
            raise Unreachable(f"The names of the run cannot be asked for: {error}.") from None

    def put(self, work: str, entry: Entry) -> None:
        """Say what a work has handed over, and that it can be had here."""
        homes = [self._here] if self._here else []
        self._ask("put", work, msgspec.to_builtins(msgspec.structs.replace(entry, homes=homes)))

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
