"""One end of a conversation over a stream socket: frames out in order, frames in; never blocks its caller on a full link.

Addresses are "unix:/path", "tcp:host:port", or between machines "tls:host:port#fingerprint" (see `tls`).
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable

from . import tls
from .codec import Frames
from .pump import Pump
from .tls import TlsSocket

CHUNK = 1 << 18


class Link:
    """A connected socket whose frames are handed to `on_frame`, and whose end to `on_end`; both on the pump's polling thread.

    Attributes:
        backlog: bytes that the other side has not taken yet.
    """

    def __init__(
        self,
        sock: socket.socket | TlsSocket,
        pump: Pump,
        on_frame: Callable[[int, bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        self._sock, self._pump, self._on_frame, self._on_end = sock, pump, on_frame, on_end
        self._frames = Frames()
        self._unsent: deque[memoryview] = deque()
        self._lock = threading.RLock()
        self.backlog = 0
        self.closed = False
        sock.setblocking(False)
        if sock.family != getattr(socket, "AF_UNIX", -1):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pump.watch(sock.fileno(), self._readable)

    def send(self, data: bytes) -> None:
        """Send it now as far as it goes; the rest follows when the other side has taken what it was given."""
        with self._lock:
            if self.closed:
                return
            if self._unsent:
                self._keep(memoryview(data))
                return
            try:
                sent = self._sock.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                return  # the end of the stream is going to be read
            if sent < len(data):
                self._keep(memoryview(data)[sent:])
                self._pump.want_to_write(self._sock.fileno(), self._readable, self._writable)

    def _keep(self, rest: memoryview) -> None:
        self._unsent.append(rest)
        self.backlog += len(rest)

    def _writable(self) -> None:
        with self._lock:
            while self._unsent and not self.closed:
                part = self._unsent[0]
                try:
                    sent = self._sock.send(part)
                except BlockingIOError:
                    return
                except OSError:
                    break
                self.backlog -= sent
                if sent < len(part):
                    self._unsent[0] = part[sent:]
                    return
                self._unsent.popleft()
            if not self.closed:
                self._pump.want_to_write(self._sock.fileno(), self._readable, None)

    def _readable(self) -> None:
        self._read()

    def _read(self) -> bool:
        """Read once; whether there was something."""
        try:
            data = self._sock.recv(CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self.close()
            self._on_end()
            return False
        for offset, payload in self._frames.feed(data):
            if self.closed:
                return False
            self._on_frame(offset, payload)
        return True

    def exhaust(self) -> None:
        """Read all that has arrived; for when the other side has ended.  On the pump's polling thread only."""
        while not self.closed and self._read():
            """There may be more."""

    def drain(self, left: int, timeout: float | None = None) -> None:
        """Wait until at most `left` bytes are untaken; whatever holds the lock of its sender waits as well."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.backlog > left and not self.closed:
            rest = 1.0 if deadline is None else deadline - time.monotonic()
            if rest <= 0:
                return
            select.select([], [self._sock], [], min(rest, 1.0))
            self._writable()

    @property
    def busy_here(self) -> bool:
        """Whether the calling thread is in the middle of sending."""
        return bool(self._lock._is_owned())  # type: ignore[attr-defined]

    def close(self) -> None:
        """Close it; nothing more is read or sent."""
        with self._lock:
            if not self.closed:
                self.closed = True
                self._pump.forget(self._sock.fileno())
                self._sock.close()


def listen(address: str) -> tuple[socket.socket, str]:
    """A listening socket, and the address it can be dialled at ("tcp:127.0.0.1:0" picks a port)."""
    kind, _, where = address.partition(":")
    if kind == "unix":
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(where)
        os.chmod(where, 0o600)
    else:
        where, mark, fingerprint = where.partition("#")
        host, _, port = where.rpartition(":")
        server = socket.create_server((host, int(port)))
        address = f"{kind}:{host}:{server.getsockname()[1]}{mark}{fingerprint}"
    server.listen(512)
    server.setblocking(False)
    return server, address


def dial(address: str, timeout: float = 10.0) -> socket.socket | TlsSocket:
    """A socket connected to `address`.

    Raises:
        OSError: nobody answers there.
        ProtocolError: somebody else does.
    """
    kind, _, where = address.partition(":")
    if kind == "unix":
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        sock.connect(where)
        return sock
    where, _, fingerprint = where.partition("#")
    host, _, port = where.rpartition(":")
    sock = socket.create_connection((host, int(port)), timeout)
    if kind == "tls":
        return tls.connect(sock, fingerprint)
    return sock
