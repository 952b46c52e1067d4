"""Connections that carry questions, answers and content, plain or encrypted, with few system calls for many bytes.

Knows nothing of what is asked.  Each waits for the other side as long as it is told, inside the kernel (SO_RCVTIMEO, socket(7)).
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import socket
import struct
from typing import TYPE_CHECKING, Any

import msgspec

from ..base.errors import ProtocolError

if TYPE_CHECKING:
    import ssl

HEAD = struct.Struct(">I")
LIMIT = 1 << 24  # bytes of a question or answer that is not content
NO_SENDFILE = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})  # what some disks say to sendfile(2)
PORTION = 1 << 18  # bytes that are encrypted in one go: what stays in a core's cache

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Stream:
    """A connected socket that is not encrypted.

    Args:
        sock: closed with this.
        patience: seconds for the other side to go on.
    """

    def __init__(self, sock: socket.socket, patience: float) -> None:
        self._sock, self._patience = sock, patience
        sock.settimeout(None)  # with one of Python's own each call would be two
        limit = struct.pack("ll", int(patience), int(patience % 1 * 1e6))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: Any) -> None:
        """All of these bytes.

        Raises:
            OSError: the other side hung up, or is silent.
        """
        try:
            self._sock.sendall(data)
        except BlockingIOError:
            raise self._silent() from None

    def fill(self, view: memoryview) -> None:
        """So many bytes.

        Raises:
            OSError: the other side hung up, or is silent.
        """
        while view:
            view = view[self._receive(view, socket.MSG_WAITALL) :]

    def send_file(self, source: int, start: int, size: int) -> None:
        """A part of a file, which does not pass through this process where its disk can send it.

        Raises:
            OSError: the other side hung up, or is silent; or the file is shorter.
        """
        while size:
            try:
                count = os.sendfile(self._sock.fileno(), source, start, size)
            except BlockingIOError:
                raise self._silent() from None
            except OSError as error:
                if error.errno not in NO_SENDFILE:
                    raise
                self._send_read(source, start, size, memoryview(bytearray(PORTION)))
                return
            start, size = start + _some(count), size - count

    def _send_read(self, source: int, start: int, size: int, buffer: memoryview) -> None:
        while size:
            count = _some(os.preadv(source, [buffer[:size]], start))
            self.send(buffer[:count])
            start, size = start + count, size - count

    def close(self) -> None:
        """Hang up."""
        self._sock.close()

    def _receive(self, view: memoryview, flags: int = 0) -> int:
        try:
            return _heard(self._sock.recv_into(view, 0, flags))
        except BlockingIOError:
            raise self._silent() from None

    def _silent(self) -> TimeoutError:
        return TimeoutError(f"The other side was silent for {self._patience:g} seconds")


class Encrypted(Stream):
    """A connected socket with TLS.  Records of 16 KiB are made and taken apart in memory, many at a time: a socket of `ssl` asks the system
    for each of them twice, and holds up this process's other threads as often.

    Args:
        context: of this side.
        server: whether the other side has called.

    Raises:
        OSError: the handshake failed.
    """

    def __init__(self, sock: socket.socket, patience: float, context: ssl.SSLContext, *, server: bool) -> None:
        import ssl  # half a start-up, which only links between machines need

        super().__init__(sock, patience)
        self._wants, self._came, self._goes = ssl.SSLWantReadError, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._came, self._goes, server_side=server)
        self._buffer = memoryview(mmap.mmap(-1, PORTION))
        try:
            self._until_done(self.tls.do_handshake)
        except BaseException:
            with contextlib.suppress(OSError):
                self._flush()  # the other side is told why
            raise
        self._flush()

    def send(self, data: Any) -> None:
        """As of a `Stream`."""
        view = memoryview(data)
        while view:
            view = view[self.tls.write(view) :]
        self._flush()

    def fill(self, view: memoryview) -> None:
        """As of a `Stream`."""
        while view:
            view = view[_heard(self._until_done(self.tls.read, len(view), view)) :]

    def send_file(self, source: int, start: int, size: int) -> None:
        """As of a `Stream`, but that it passes through this process."""
        self._send_read(source, start, size, self._buffer)

    def _until_done(self, do: Any, *arguments: Any) -> Any:
        while True:
            try:
                return do(*arguments)
            except self._wants:
                self._flush()
                self._came.write(self._buffer[: self._receive(self._buffer)])

    def _flush(self) -> None:
        if self._goes.pending:
            super().send(self._goes.read())


def _heard(count: int) -> int:
    if not count:
        raise ConnectionError("The other side hung up")
    return count


def _some(count: int) -> int:
    if not count:
        raise OSError("A file became shorter while it was sent")  # nothing but hanging up can be understood now
    return count


# questions and answers ---------------------------------------------------------------------------------------


def send(stream: Stream, value: Any) -> None:
    """One question or answer."""
    data = _encode(value)
    stream.send(HEAD.pack(len(data)) + data)


def receive(stream: Stream) -> Any:
    """One question or answer.

    Raises:
        ProtocolError: the other side said something impossible.
        OSError: it hung up, or is silent.
    """
    (size,) = HEAD.unpack(exactly(stream, HEAD.size))
    if size > LIMIT:
        raise ProtocolError(f"A message of {size} bytes is more than the {LIMIT} that are taken.")
    try:
        return _decode(exactly(stream, size))
    except msgspec.DecodeError as error:
        raise ProtocolError(f"Something that is no message came in: {error}.") from None


def exactly(stream: Stream, size: int) -> bytes:
    """So many bytes.

    Raises:
        OSError: the other side hung up before, or is silent.
    """
    data = bytearray(size)
    stream.fill(memoryview(data))
    return bytes(data)
