"""Serves an application on a socket until it is told to stop: uvicorn, with uvloop and httptools where they are installed."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from ..base.settings import Settings
from .limits import limited

FAREWELL = 0.5  # seconds that answers under way have at the end
CONNECTIONS = 4096  # besides streams
KEEP_ALIVE = 30  # seconds that a connection may be idle
MESSAGE = 16 << 20  # bytes of a WebSocket's message


def new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's, where there is one."""
    try:
        found: asyncio.AbstractEventLoop = importlib.import_module("uvloop").new_event_loop()
    except ImportError:
        return asyncio.new_event_loop()
    return found


class Server:
    """One application on one socket, on one event loop."""

    def __init__(
        self, app: ASGIApp, listening: socket.socket, loop: asyncio.AbstractEventLoop, settings: Settings
    ) -> None:
        self._socket, self._loop, self._over = listening, loop, asyncio.Event()
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            ws="websockets-sansio",
            ws_max_size=MESSAGE,
            ws_per_message_deflate=False,
            timeout_keep_alive=KEEP_ALIVE,
            limit_concurrency=settings.streams + CONNECTIONS,
            ssl_certfile=settings.tls_cert,
            ssl_keyfile=settings.tls_key,
        )
        self._server = uvicorn.Server(config)
        config.load()
        if config.http_protocol_class.__module__.endswith("httptools_impl"):  # h11 has a bound of its own
            config.http_protocol_class = limited(config.http_protocol_class)
        self._server.lifespan = config.lifespan_class(config)

    async def serve(self, opened: Callable[[], None]) -> None:
        """Until `stop`; calls `opened` as soon as requests are answered."""
        await self._server.startup(sockets=[self._socket])
        opened()
        await self._over.wait()
        await self._close()

    def stop(self) -> None:
        """From any thread."""
        with contextlib.suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._over.set)

    async def _close(self) -> None:
        for server in self._server.servers:
            server.close()
        state = self._server.server_state
        for connection in list(state.connections):
            connection.shutdown()
        if state.tasks:
            await asyncio.wait(list(state.tasks), timeout=FAREWELL)
        began = self._loop.time()
        while state.connections and self._loop.time() - began < FAREWELL:
            await asyncio.sleep(0.01)  # what was answered is still on its way
        left = list(state.tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=FAREWELL)
