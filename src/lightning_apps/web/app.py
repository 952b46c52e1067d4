"""The application that is served: the routes of all groups, behind the gate.  To add a group, add its `routes` here."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, Router
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
    return Gate(Quick(Router(routes, default=not_found), routes), context.access, context.root_path)


class Quick:
    """Leads requests of a plain path and method to their route at once; a router tries one route after another.

    Only to endpoints that are applications themselves, as the others need what a route does around them.
    """

    def __init__(self, router: ASGIApp, routes: list[BaseRoute]) -> None:
        self._router = router
        plain = [route for route in routes if isinstance(route, Route) and not inspect.isroutine(route.endpoint)]
        self._known: dict[tuple[str, str], ASGIApp] = {
            (method, route.path): route.endpoint for route in plain for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope.get("method", "")
        await (self._known.get((method, scope["path"])) or self._router)(scope, receive, send)


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """Whatever no group knows."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
        return
    answer: Response = JSONResponse({"detail": "Not found"}, 404)
    await answer(scope, receive, send)
