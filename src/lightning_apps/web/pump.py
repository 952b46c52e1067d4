"""Moves bytes from one TCP socket to another inside the kernel (`splice`, which only Linux has), as fast as the slower side goes.

Knows no HTTP, and owns neither socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import sys
import weakref
from collections.abc import Callable

F_SETPIPE_SZ = 1031  # fcntl.h; not in every build of Python
ROOM = 512 << 10  # bytes in a pipe
UNKNOWN = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


class Refused(ConnectionResetError):
    """Who is written to takes no more."""


class Unsupported(OSError):
    """These sockets cannot be joined here; nothing was moved."""


class Pipe:
    """A pipe that bytes pass through.

    Attributes:
        held: bytes in it.
    """

    def __init__(self) -> None:
        self.out, self.into = os.pipe()
        self.held = 0
        with contextlib.suppress(OSError):  # more than a user may have
            fcntl.fcntl(self.into, F_SETPIPE_SZ, ROOM)
        self.close = weakref.finalize(self, _close, self.out, self.into)  # with whatever is in it


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


class Pipes:
    """A few pipes are kept, and only so many are in use at once.

    Args:
        most: in use at once.
        kept: for the next.

    Attributes:
        usable: whether bytes can be moved that way here.
    """

    def __init__(self, most: int = 32, kept: int = 4) -> None:
        self._most, self._kept = most, kept
        self._free: list[Pipe] = []
        self._taken = 0
        self.usable = sys.platform == "linux" and hasattr(os, "splice")

    def take(self) -> Pipe | None:
        """An empty pipe, or None if there is none to be had."""
        if self._taken >= self._most:
            return None
        try:
            pipe = self._free.pop() if self._free else Pipe()
        except OSError:
            return None
        self._taken += 1
        return pipe

    def give_back(self, pipe: Pipe) -> None:
        """It is used no more."""
        self._taken -= 1
        if pipe.held or len(self._free) >= self._kept:
            pipe.close()
        else:
            self._free.append(pipe)


class Pump:
    """Moves bytes from one descriptor to another; neither may block, and who owns them leaves them alone meanwhile.

    Args:
        source, target: descriptors.
        count: how many bytes.
        pipe: what they go through.

    Attributes:
        left: bytes not yet read.

    Raises:
        OSError: no more descriptors can be had.
    """

    def __init__(self, source: int, target: int, count: int, pipe: Pipe) -> None:
        self.left = count
        self._pipe, self._loop = pipe, asyncio.get_running_loop()
        self._moved = False
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._source = _End(source)
        try:
            self._target = _End(target)
        except OSError:
            self._source.close(self._loop.remove_reader)
            raise

    async def run(self) -> None:
        """Until all was moved, the source has ended, or `stop`.

        Raises:
            Refused: the target takes no more.
            Unsupported: the system cannot do it with these.
        """
        try:
            self._read()
            await self._over
        finally:
            self._source.close(self._loop.remove_reader)
            self._target.close(self._loop.remove_writer)

    def stop(self) -> None:
        """It is over, whatever is left."""
        if not self._over.done():
            self._over.set_result(None)

    def _read(self) -> None:
        try:
            count = os.splice(self._source.fd, self._pipe.into, self.left, flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            self._source.wait(self._loop.add_reader, self._read)
            return
        except OSError as error:
            self._failed(Unsupported(str(error)) if error.errno in UNKNOWN and not self._moved else None)
            return
        if not count:
            self.stop()
            return
        self._moved = True
        self.left -= count
        self._pipe.held += count
        self._write()

    def _write(self) -> None:
        try:
            self._pipe.held -= os.splice(self._pipe.out, self._target.fd, self._pipe.held, flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            """Later."""
        except OSError as error:
            self._failed(Refused(str(error)))
            return
        if self._pipe.held:
            self._source.rest(self._loop.remove_reader)
            self._target.wait(self._loop.add_writer, self._write)
        elif self.left:
            self._target.rest(self._loop.remove_writer)
            self._source.wait(self._loop.add_reader, self._read)
        else:
            self.stop()

    def _failed(self, error: OSError | None) -> None:
        if error is None:
            self.stop()
        elif not self._over.done():
            self._over.set_exception(error)


class _End:
    """A socket's descriptor of our own: a loop does not watch what its transports own, and they may close theirs at any time."""

    def __init__(self, descriptor: int) -> None:
        self.fd = os.dup(descriptor)
        self._waits = False

    def wait(self, add: Callable[..., object], then: Callable[[], None]) -> None:
        if not self._waits:
            self._waits = True
            add(self.fd, then)

    def rest(self, remove: Callable[[int], object]) -> None:
        if self._waits:
            self._waits = False
            remove(self.fd)

    def close(self, remove: Callable[[int], object]) -> None:
        self.rest(remove)
        os.close(self.fd)
