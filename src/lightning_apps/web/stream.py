"""The state as it changes, over WebSockets: a snapshot, then every change with its version.  Knows nothing of how it is changed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..base.showing import encode
from .board import Board
from .context import Context

LINGER = 30.0  # seconds that changes are kept for readers who come back
TRY_LATER = 1013


def routes(context: Context) -> list[BaseRoute]:
    """`/api/v1/stream`, and the older framework's `/api/v1/ws`."""
    streams = Streams(context)
    return [WebSocketRoute("/api/v1/stream", streams.stream), WebSocketRoute("/api/v1/ws", streams.count)]


class Streams:
    """All that are open."""

    def __init__(self, context: Context) -> None:
        self._board, self._feed, self._postbox = context.board, context.feed, context.postbox
        self._limit = context.settings.streams

    async def stream(self, socket: WebSocket) -> None:
        """A snapshot, or what changed after `?from=VERSION` if that is still known; then every change.

        A reader that is slower than the changes gets several in one message, or the whole state again.
        """
        await self._open(socket, self._feed_to)

    async def count(self, socket: WebSocket) -> None:
        """The older framework's: a number that grows whenever the state has changed."""
        await self._open(socket, self._count_to)

    async def _open(self, socket: WebSocket, body: Callable[[WebSocket], Coroutine[Any, Any, None]]) -> None:
        if self._feed.readers >= self._limit:
            await socket.close(TRY_LATER, f"This app has {self._limit} open streams, which is as many as it may have.")
            return
        await socket.accept()
        self._feed.readers += 1
        self._feed.follow()
        self._postbox.eager = True
        try:
            await _until_either_ends(body(socket), _until_closed(socket))
        finally:
            self._feed.readers -= 1
            if not self._feed.readers:
                self._postbox.eager = False
                asyncio.get_running_loop().call_later(LINGER, self._feed.rest)

    async def _feed_to(self, socket: WebSocket) -> None:
        feed, board = self._feed, self._board
        board.catch_up()
        wanted = socket.query_params.get("from")
        number = feed.after(wanted) if wanted is not None else None
        if number is None:
            number = feed.now
            await socket.send_text(snapshot(board))
        while True:
            await feed.news(number)
            text, number = feed.since(number), feed.now
            await socket.send_text(snapshot(board) if text is None else text)

    async def _count_to(self, socket: WebSocket) -> None:
        seen = 0
        while True:
            self._board.catch_up()
            if self._board.turn != seen:
                seen = self._board.turn
                await socket.send_text(str(seen))
            await self._feed.news(self._feed.now)


def snapshot(board: Board) -> str:
    """Everything, as the first message of a stream."""
    known = encode({node.name: node.statuses for node in board.nodes.values() if node.statuses})
    head = b'{"type":"snapshot","version":"%b","ready":%b,"statuses":' % (
        board.version.encode(),
        encode(board.is_ready),
    )
    return (head + known + b',"state":' + board.state() + b"}").decode()


async def _until_closed(socket: WebSocket) -> None:
    """What readers say is of no interest."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        """It goes on."""


async def _until_either_ends(*bodies: Coroutine[Any, Any, None]) -> None:
    tasks = [asyncio.ensure_future(body) for body in bodies]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            with contextlib.suppress(WebSocketDisconnect):
                task.result()
    finally:
        for task in tasks:
            task.cancel()
