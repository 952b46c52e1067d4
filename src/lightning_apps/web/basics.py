"""What every server has: its health.  Knows nothing of what the app does."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from .context import Context


def routes(context: Context) -> list[BaseRoute]:
    """`GET /healthz`."""

    async def health(request: Request) -> JSONResponse:
        context.board.catch_up()
        if not context.board.turn:
            return JSONResponse({"status": "failure", "reason": "The app has published no state yet."}, 500)
        return JSONResponse({"status": "ok"})

    return [Route("/healthz", health)]
