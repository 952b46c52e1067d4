"""Reading and changing the state over HTTP.  Reads come from the board, writes go to the desk."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from .context import Context

JSON = [(b"content-type", b"application/json")]


def routes(context: Context) -> list[BaseRoute]:
    """`/api/v1/state`."""
    return [Route("/api/v1/state", State(context), methods=["GET"])]


class State:
    """The whole state: without a framework's help, as it is asked for often."""

    def __init__(self, context: Context) -> None:
        self._board = context.board

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._board.catch_up()
        body = self._board.state()
        tag = f'"{self._board.version}"'.encode()
        headers = [*JSON, (b"content-length", b"%d" % len(body)), (b"etag", tag), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
