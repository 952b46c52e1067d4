"""Serves an application on a socket until it is told to stop: uvicorn, with uvloop and httptools where they are installed."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import socket
from collections.abc import Callable

import msgspec
import uvicorn
from starlette.types import ASGIApp

from ..base.settings import Settings
from .limits import limited
from .outlet import lending

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
    """One application, on one event loop.

    Args:
        listening: its socket.
        plain: another one, where HTTPS is not spoken whatever the settings say.
    """

    def __init__(
        self,
        app: ASGIApp,
        listening: socket.socket,
        loop: asyncio.AbstractEventLoop,
        settings: Settings,
        plain: socket.socket | None = None,
    ) -> None:
        self._loop, self._over = loop, asyncio.Event()
        self._servers = [(listening, _server(app, settings))]
        if plain is not None:
            self._servers.append((plain, _server(app, msgspec.structs.replace(settings, tls_cert=None, tls_key=None))))

    async def serve(self, opened: Callable[[], None]) -> None:
        """Until `stop`; calls `opened` as soon as requests are answered."""
        for listening, server in self._servers:
            await server.startup(sockets=[listening])
        opened()
        await self._over.wait()
        await asyncio.gather(*(_close(server) for _, server in self._servers))

    def stop(self) -> None:
        """From any thread."""
        with contextlib.suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._over.set)


def _server(app: ASGIApp, settings: Settings) -> uvicorn.Server:
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
    server = uvicorn.Server(config)
    config.load()
    if config.http_protocol_class.__module__.endswith("httptools_impl"):  # h11 has a bound of its own
        config.http_protocol_class = lending(limited(config.http_protocol_class))
    server.lifespan = config.lifespan_class(config)
    return server


async def _close(server: uvicorn.Server) -> None:
    loop, state = asyncio.get_running_loop(), server.server_state
    for each in server.servers:
        each.close()
    for connection in list(state.connections):
        connection.shutdown()
    if state.tasks:
        await asyncio.wait(list(state.tasks), timeout=FAREWELL)
    began = loop.time()
    while state.connections and loop.time() - began < FAREWELL:
        await asyncio.sleep(0.01)  # what was answered is still on its way
    left = list(state.tasks)
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=FAREWELL)
