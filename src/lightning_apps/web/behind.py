"""What is behind which door now.  Only remembers; who serves it and who finds out are told elsewhere."""

from __future__ import annotations

import msgspec


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """What is behind a door now.

    Attributes:
        address: "unix:/path" or "host:port" of a server; "" if there is none.
        inside: the path it is found under there; None: the same as outside.
        folder: path of the folder that is shown; "" for none.
        waits: what is waited for, as a sentence; "" if it is ready.
        failed: whether nothing will come any more.
        viewers: whether those who may only look may use it.
    """

    address: str = ""
    inside: str | None = None
    folder: str = ""
    waits: str = ""
    failed: bool = False
    viewers: bool = False

    @property
    def ready(self) -> bool:
        """Whether something answers."""
        return bool(self.address or self.folder) and not self.waits


class Doors:
    """Which door leads where; may be told and asked on any thread.

    Keys are "f/NAME" for frontends and "w/NAME" for works.
    """

    def __init__(self) -> None:
        self._behind: dict[str, Behind] = {}
        self.version = 0  # grows with every change

    def put(self, key: str, behind: Behind) -> None:
        """From now on this is behind that door."""
        if self._behind.get(key) != behind:
            self._behind = {**self._behind, key: behind}
            self.version += 1

    def drop(self, key: str) -> None:
        """There is no such door any more."""
        if key in self._behind:
            self._behind = {known: behind for known, behind in self._behind.items() if known != key}
            self.version += 1

    def get(self, key: str) -> Behind | None:
        """What is behind it now, None if there is no such door."""
        return self._behind.get(key)

    def all(self) -> dict[str, Behind]:
        """Every door; not to be changed."""
        return self._behind
