"""The application that is served: the routes of all groups, behind the gate.  To add a group, add its `routes` here."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from . import basics, commands, description, doors, logs, metrics, page, reports, state_api, stream, uploads, user_api
from .context import Context
from .gate import Gate

Group = Callable[[Context], list[BaseRoute]]
GROUPS: tuple[Group, ...] = (
    state_api.routes,
    stream.routes,
    doors.routes,
    page.routes,
    basics.routes,
    reports.routes,
    logs.routes,
    uploads.routes,
    metrics.routes,
    description.routes,
    commands.routes,
    user_api.routes,
)


def build(context: Context) -> ASGIApp:
    """Everything under the app's URL."""
    routes = [route for group in GROUPS for route in group(context)]
    return Gate(Router(routes, default=not_found), context.access, context.root_path)


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """Whatever no group knows."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
        return
    answer: Response = JSONResponse({"detail": "Not found"}, 404)
    await answer(scope, receive, send)
