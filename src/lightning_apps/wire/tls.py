"""TLS for links between machines, as sockets that behave like plain non-blocking ones.  Knows nothing of frames.

The host's certificate is made for one run and signed by nobody: whoever is told the address is told its fingerprint as well
(SHA-256 of the DER form), and talks to no other ("tls:host:port#fingerprint").
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

from ..base.errors import ProtocolError
from ..base.fingerprint import calling, check

if TYPE_CHECKING:
    import ssl

RECORD = 1 << 14  # bytes of one TLS record at most (RFC 8446, section 5.1)


class TlsSocket:
    """A connected TLS socket with the methods that a `Link` calls; a read or write that cannot go on now is a BlockingIOError.

    Sending and receiving come from two threads, which OpenSSL does not allow for one connection: a lock parts them.
    """

    family = socket.AF_INET

    def __init__(self, sock: ssl.SSLSocket, shaken: bool) -> None:
        self._sock, self._shaken, self._lock = sock, shaken, threading.Lock()

    def fileno(self) -> int:
        """Of the connection."""
        return self._sock.fileno()

    def setblocking(self, blocking: bool) -> None:
        """As for any socket."""
        self._sock.setblocking(blocking)

    def settimeout(self, seconds: float | None) -> None:
        """As for any socket."""
        self._sock.settimeout(seconds)

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """As for any socket."""
        self._sock.setsockopt(level, option, value)

    def send(self, data: Any) -> int:
        """How many bytes were taken."""
        with self._lock, _as_plain():
            self._shake()
            return self._sock.send(data) if len(data) else 0

    def recv(self, size: int) -> bytes:
        """Whatever has arrived, and all of it that is decrypted already: no descriptor would tell of that."""
        with self._lock, _as_plain():
            self._shake()
            data = self._sock.recv(size)
            while data and (left := self._sock.pending()):
                data += self._sock.recv(left)
            return data

    def _shake(self) -> None:
        if not self._shaken:
            self._sock.do_handshake()
            self._shaken = True

    def close(self) -> None:
        """Close it; the other side reads an end of file."""
        self._sock.close()


@contextlib.contextmanager
def _as_plain() -> Any:
    import ssl  # half a start-up, which only links between machines need

    try:
        yield
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        raise BlockingIOError from None


def accept(sock: socket.socket, context: ssl.SSLContext) -> TlsSocket:
    """The server's end of a connection that was just accepted; the handshake is made as bytes come."""
    sock.setblocking(False)
    return TlsSocket(context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False), False)


def connect(sock: socket.socket, fingerprint: str) -> TlsSocket:
    """The client's end; blocks for the handshake, within the socket's timeout.

    Raises:
        ProtocolError: somebody else answers there.
        OSError: the connection fails.
    """
    wrapped = calling().wrap_socket(sock)
    try:
        check(wrapped, fingerprint)
    except ProtocolError:
        wrapped.close()
        raise
    return TlsSocket(wrapped, True)


__all__ = ["TlsSocket", "accept", "connect"]
