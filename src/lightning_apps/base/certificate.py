"""A key and a certificate of one's own, made where it is used: no key ever travels.  Knows nothing of who shows it to whom."""

from __future__ import annotations

import datetime
import ipaddress
import os
import tempfile
from typing import TYPE_CHECKING

from .errors import MissingExtra

if TYPE_CHECKING:
    import ssl

VALID = datetime.timedelta(days=3650)
NEEDED = 'Links between machines need the package cryptography: pip install "lightning-apps[{}]".'


def make(extra: str = "ray") -> bytes:
    """A fresh key and certificate in PEM (ECDSA P-256, self-signed: who dials knows the fingerprint).

    Args:
        extra: of this package, for whom the package that makes them is missing.

    Raises:
        MissingExtra: it is.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        raise MissingExtra(NEEDED.format(extra)) from None
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "lightning-apps")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return secret + made.public_bytes(serialization.Encoding.PEM)


def listening(path: str) -> ssl.SSLContext:
    """For who listens, with the key and certificate in this file."""
    import ssl  # half a start-up, which only links between machines need

    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.load_cert_chain(path)
    return made


def listening_with(pem: bytes) -> ssl.SSLContext:
    """As `listening`; OpenSSL takes a key from a file only, which is there for that moment and for its owner alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "tls.pem")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
        return listening(path)
