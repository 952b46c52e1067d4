"""TLS between the exchanges of one run: all of them show the run's own certificate, and talk to nobody who has another.

Whoever has the certificate's key belongs to the run; the key travels on links that are encrypted already.  Knows no addresses.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from typing import NamedTuple

BEGIN = "-----BEGIN CERTIFICATE-----"


class Sides(NamedTuple):
    """For who listens, and for who calls."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def sides(pem: bytes) -> Sides:
    """Both contexts of a run.

    Args:
        pem: key and certificate.
    """
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for context in (server, client):
        context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory() as folder:  # mode 0700; OpenSSL takes a key from a file only
        path = os.path.join(folder, "tls.pem")
        with open(path, "wb") as file:
            file.write(pem)
        server.load_cert_chain(path)
    text = pem.decode("ascii")
    client.check_hostname = False  # the certificate is the run's, wherever it is shown
    client.load_verify_locations(cadata=text[text.index(BEGIN) :])
    return Sides(server, client)
