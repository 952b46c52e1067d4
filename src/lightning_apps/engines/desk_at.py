"""Where minders find the host of their app.  Knows nothing of what is said there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import ssl


class DeskAt(msgspec.Struct, frozen=True):
    """Where the desk listens.

    Attributes:
        host, port: of this machine, as others reach it.
        fingerprint: of the run's certificate.
        context: with it.
    """

    host: str
    port: int
    fingerprint: str
    context: ssl.SSLContext

    @property
    def address(self) -> str:
        """For minders."""
        return f"{self.host}:{self.port}#{self.fingerprint}"
