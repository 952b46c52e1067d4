"""Stands before every route: asks `access` and turns away whom it does not let in.  Knows nothing of routes."""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from .access import Access, decide


class Gate:
    """An ASGI application around all others."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        verdict = decide(self._access, scope["scheme"], scope.get("method", "GET"), headers)
        if not verdict.status:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(1008, verdict.reason[:120])(scope, receive, send)
        else:
            await JSONResponse({"detail": verdict.reason}, verdict.status)(scope, receive, send)
