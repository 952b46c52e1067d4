"""Begins to serve an app: everything that takes long to import is behind this module.  Knows nothing of the host."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

from ..base.log import Log
from ..base.messages import Event
from ..base.settings import Settings
from ..model.app import LightningApp
from .access import Access
from .app import build
from .board import Board
from .context import Context
from .desk import WebDesk
from .feed import Feed
from .postbox import Postbox
from .server import Server, new_loop


class Service:
    """The web of one host, on one thread: `run` it there.

    Args:
        put: gives an event to the flow's thread.
    """

    def __init__(
        self,
        app: LightningApp,
        settings: Settings,
        log: Log,
        board: Board,
        postbox: Postbox,
        put: Callable[[Event], None],
        access: Access,
        folder: str,
        address: str,
        extra: dict[str, Any],
    ) -> None:
        self._loop, self._postbox, self._board = new_loop(), postbox, board
        asyncio.set_event_loop(self._loop)
        self.desk = WebDesk(put, self._loop)
        self.feed = Feed(board, self._loop)
        self.context = Context(
            app, settings, log, board, self.feed, postbox, self.desk, access, folder, address, extra
        )  # fmt: skip
        self._server: Server | None = None
        self._stopped = False

    def run(self, listening: socket.socket, opened: Callable[[], None], plain: socket.socket | None = None) -> None:
        """Serve until `stop`; see `Server`."""
        try:
            self._loop.run_until_complete(self._serve(listening, opened, plain))
        finally:
            self._loop.close()

    async def _serve(
        self, listening: socket.socket, opened: Callable[[], None], plain: socket.socket | None = None
    ) -> None:
        self._server = Server(build(self.context), listening, self._loop, self.context.settings, plain)
        self._postbox.wake = self._wake
        self._news()
        if self._stopped:
            self._server.stop()
        await self._server.serve(opened)

    def _wake(self) -> None:
        self._loop.call_soon_threadsafe(self._news)

    def _news(self) -> None:
        self._postbox.heard()
        self._board.catch_up()
        self.feed.deliver()

    def no_more(self) -> None:
        """From any thread: the flow answers nothing any more; what is known can still be read."""
        with contextlib.suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self.desk.close)

    def stop(self) -> None:
        """From any thread: end; requests that wait for the flow fail."""
        self._stopped = True
        self.no_more()
        if self._server is not None:
            self._server.stop()
