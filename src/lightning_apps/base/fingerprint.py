"""Whether the other side of a TLS connection is the one that was meant.  Knows nothing of who that is."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from .errors import ProtocolError


def check(connection: Any, fingerprint: str) -> None:
    """That the other side holds the certificate with this fingerprint (SHA-256 of its DER form, in hex).

    Args:
        connection: an SSLSocket or SSLObject after its handshake.

    Raises:
        ProtocolError: it does not.
    """
    shown = connection.getpeercert(binary_form=True) or b""
    if not hmac.compare_digest(hashlib.sha256(shown).hexdigest(), fingerprint):
        raise ProtocolError("The host's certificate is not the one of this run: somebody else answers at its address.")
