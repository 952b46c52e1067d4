"""Whether the other side of a TLS connection is the one that was meant: nobody signs certificates here, whoever is told an address is
told the fingerprint of its certificate as well ("host:port#fingerprint").  Knows nothing of who that is.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

from .errors import ProtocolError

if TYPE_CHECKING:
    import ssl

BEGIN = "-----BEGIN CERTIFICATE-----"


def of(pem: str) -> str:
    """SHA-256 of a certificate's DER form, in hex.

    Args:
        pem: the certificate, and perhaps its key before it.
    """
    import ssl  # half a start-up, which only links between machines need

    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem[pem.index(BEGIN) :].strip() + "\n")).hexdigest()


def calling() -> ssl.SSLContext:
    """For who calls, and looks at the fingerprint next."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the fingerprint is looked at instead
    return context


def check(connection: Any, fingerprint: str) -> None:
    """That the other side holds the certificate with this fingerprint.

    Args:
        connection: an SSLSocket or SSLObject after its handshake.

    Raises:
        ProtocolError: it does not.
    """
    shown = connection.getpeercert(binary_form=True) or b""
    if not hmac.compare_digest(hashlib.sha256(shown).hexdigest(), fingerprint):
        raise ProtocolError("The certificate shown is not the one of this run: somebody else answers at its address.")
