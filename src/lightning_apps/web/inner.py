"""Connections to the servers inside, kept and used again.  Knows nothing of who asks, nor of what is said."""

from __future__ import annotations

import asyncio
import ctypes
from collections import deque
from collections.abc import Sequence
from typing import cast

from ..base.errors import LightningError
from .pump import Pipe, Pump
from .response_reader import BadAnswer, ResponseReader

PLENTY = 512 << 10  # bytes read and not yet passed on, after which a server inside has to wait
LONG = 128 << 10  # bytes of a body still to come that are worth a pump
IDLE = 3.0  # seconds a connection is kept: most servers close theirs after five
FRESH = 1.0  # seconds of idleness after which what cannot be repeated takes a new connection
KEPT = 64  # idle connections to one server
CONNECT = 5.0  # seconds
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3

Closing = ConnectionResetError


class Unreachable(LightningError):
    """Nobody listens at an address inside."""


class Connection(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.transport: asyncio.Transport
        self.idle_since = 0.0
        self.silent = True  # nothing was heard since the request began
        self.gone = False
        self._reader: ResponseReader | None = None
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._error: Exception | None = None
        self._heard: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._full = self._paused = False
        self.to_pour = False  # whether a long body is left in the socket for `pour`
        self._pump: Pump | None = None

    # -- what the loop calls -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are not derived from it

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        if reader is None or reader.done:
            self.abort()  # it speaks without being asked
            return
        self.silent = False
        try:
            pieces = reader.feed(data)
        except BadAnswer as error:
            self._error = error
            self.abort()
        else:
            self._pieces += pieces
            self._held += len(data)
            if (self._held > PLENTY or self.poured) and not self._paused:
                self._paused = True
                self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """The loop closes the transport; `connection_lost` follows."""

    def connection_lost(self, error: Exception | None) -> None:
        self.gone = True
        if self._reader is not None and not self._reader.done and self._error is None:
            self._end(self._reader)
        self._wake()
        if self._room is not None and not self._room.done():
            self._room.set_exception(Closing("The server inside is gone."))

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def _end(self, reader: ResponseReader) -> None:
        try:
            reader.end()
        except BadAnswer as cut:
            self._error = cut

    def _wake(self) -> None:
        if self._heard is not None and not self._heard.done():
            self._heard.set_result(None)

    # -- what the proxy calls ------------------------------------------------------------------------------

    def begin(self, method: str, head: bytes, to_pour: bool = False) -> ResponseReader:
        """Send the head of a request; what comes back is read by the returned reader.

        Args:
            to_pour: leave a long body in the socket, for `pour`.
        """
        self._reader, self._error, self.silent = ResponseReader(method), None, True
        self.to_pour = to_pour
        self.transport.write(head)
        return self._reader

    async def write(self, data: bytes) -> None:
        """Send a part of a body; waits while the server inside does not read.

        Raises:
            ConnectionResetError: it is gone.
        """
        if self.gone:
            raise Closing("The server inside is gone.")
        self.transport.write(data)
        if self._full:
            self._room = self._loop.create_future()
            await self._room

    async def read(self) -> Sequence[bytes]:
        """The next pieces of the body, or none if the head alone, or the end, has come.

        Raises:
            BadAnswer: the answer is none, or is cut off.
        """
        reader = self._reader
        assert reader is not None
        if not (self._pieces or reader.done or self.gone or self._error or self.ready_to_pour):
            self._heard = self._loop.create_future()
            try:
                await self._heard
            finally:
                self._heard = None
        if self._error is not None and not self._pieces:
            raise self._error
        pieces, self._pieces, self._held = self._pieces, deque(), 0
        if not self.poured:
            self._resume()
        return pieces

    def _resume(self) -> None:
        if self._paused and not self.gone:
            self._paused = False
            self.transport.resume_reading()

    @property
    def poured(self) -> bool:
        """Whether what is still to come is left in the socket."""
        return self.to_pour and self._reader is not None and self._reader.counted >= LONG

    @property
    def ready_to_pour(self) -> bool:
        """Whether `pour` is what comes next."""
        return self._paused and self.poured and not self._pieces

    async def pour(self, target: int, pipe: Pipe) -> int:
        """Write what is still to come to a descriptor, through a pipe; how many bytes that were.

        Raises:
            BadAnswer: the answer is cut off.
            Refused: the target takes no more.
            OSError: it cannot be done here; nothing was written.
        """
        reader = self._reader
        assert reader is not None
        count = reader.counted
        self._pump = pump = Pump(self.transport.get_extra_info("socket").fileno(), target, count, pipe)
        try:
            await pump.run()
        finally:
            self._pump = None
            reader.passed(count - pump.left)
        if self._error is None and not reader.done:
            self._end(reader)
        if self._error is not None:
            raise self._error
        self._resume()
        return count

    @property
    def usable(self) -> bool:
        """Whether another request can be sent."""
        reader = self._reader
        return (
            not self.gone and not self.transport.is_closing() and (reader is None or (reader.done and reader.reusable))
        )

    def abort(self) -> None:
        """End it at once; who waits for its answer is told."""
        self.gone = True
        if self._error is None and self._reader is not None and not self._reader.done:
            self._error = BadAnswer("The connection to the server inside was given up.")
        self._wake()
        if self._pump is not None:
            self._pump.stop()
        self.transport.abort()


class Pool:
    """Idle connections by address: "unix:/path" or "host:port"."""

    def __init__(self) -> None:
        self._idle: dict[str, deque[Connection]] = {}

    async def take(self, address: str, *, repeatable: bool) -> tuple[Connection, bool]:
        """A connection, and whether it is a new one; one that was idle for long is not given to what must not be said twice.

        Raises:
            Unreachable: nobody listens there.
        """
        idle = self._idle.get(address)
        now = asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            rested = now - connection.idle_since
            if connection.usable and rested < (IDLE if repeatable else FRESH):
                return connection, False
            connection.abort()
        return await connect(address), True

    def give_back(self, address: str, connection: Connection) -> None:
        """It has served; it is kept if it can serve again."""
        idle = self._idle.setdefault(address, deque())
        if not connection.usable:
            connection.abort()
            return
        connection.idle_since = asyncio.get_running_loop().time()
        idle.append(connection)
        if len(idle) > KEPT:
            idle.popleft().abort()

    def forget(self, address: str) -> None:
        """This server is no more."""
        for connection in self._idle.pop(address, ()):
            connection.abort()

    def close(self) -> None:
        """Let go of all."""
        for address in list(self._idle):
            self.forget(address)


async def connect(address: str) -> Connection:
    """A new connection.

    Raises:
        Unreachable: nobody listens there, or nobody answers within 5 seconds.
    """
    loop = asyncio.get_running_loop()
    connection = Connection(loop)
    try:
        await asyncio.wait_for(_dial(loop, connection, address), CONNECT)
    except (OSError, asyncio.TimeoutError) as error:
        raise Unreachable(f"Nobody listens at {address}: {error}.") from None
    return connection


async def _dial(loop: asyncio.AbstractEventLoop, connection: Connection, address: str) -> None:
    if address.startswith("unix:"):
        await loop.create_unix_connection(lambda: connection, address[5:])
    else:
        host, _, port = address.rpartition(":")
        await loop.create_connection(lambda: connection, host.strip("[]"), int(port))


def keep_room() -> None:
    """Have the C library keep a few megabytes that were freed: pieces of this size would otherwise be mapped anew each time.

    Measured on glibc: half of the system's time for large answers.  Elsewhere nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(M_MMAP_THRESHOLD, 4 << 20)
    mallopt(M_TRIM_THRESHOLD, 8 << 20)
