"""How a worker on another machine reaches its app's server: a port of its own machine's loopback, whose connections the desk passes on.

Others on that machine reach this port too, so the app's server asks everybody for a token who comes this way; the worker has one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import msgspec

from ...base.errors import ProtocolError
from ...base.settings import APP_URL
from ...ports import Placement
from . import words
from .tunnel import Streams, carry

MOST = 256  # connections at once
DIAL = 5.0  # seconds
HOME = "127.0.0.1"

Dial = Callable[[], Awaitable[Streams]]


class WayToApp:
    """The minder's side.

    Args:
        place, token: what the minder may say that it is.
        dial: a connection to the desk.
    """

    def __init__(self, place: str, token: str, dial: Dial) -> None:
        self._first = words.frame(words.ToApp(place, token))
        self._dial, self._open = dial, 0
        self._server: asyncio.Server | None = None

    async def told(self, order: Placement) -> Placement:
        """The order, with the app where its worker reaches it."""
        if not order.env.get(APP_URL):
            return order
        self._server = await asyncio.start_server(self._enter, HOME, 0)
        port = self._server.sockets[0].getsockname()[1]
        return msgspec.structs.replace(order, env={**order.env, APP_URL: f"http://{HOME}:{port}"})

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open >= MOST:
            writer.close()
            return
        self._open += 1
        try:
            with contextlib.suppress(OSError, ProtocolError, asyncio.TimeoutError):
                framed = await asyncio.wait_for(self._dial(), DIAL)
                framed[1].write(self._first)
                await carry(framed, (reader, writer))
        finally:
            self._open -= 1
            writer.close()


async def pass_on(order: Placement, framed: Streams) -> None:
    """The desk's side: on to the server that this order names."""
    where = urlsplit(order.env.get(APP_URL, ""))
    if where.hostname != HOME or where.port is None:
        return
    with contextlib.suppress(OSError, asyncio.TimeoutError):
        inner = await asyncio.wait_for(asyncio.open_connection(HOME, where.port), DIAL)
        await carry(framed, inner)
