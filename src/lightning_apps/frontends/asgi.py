"""Any ASGI application as a page: FastAPI, Starlette, Litestar, Quart …  Knows no more of it than that it can be called."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from typing import Any

from ..model.layout import FrontendTypeError
from .base import Listen, ShippedFrontend

App = Callable[[Any, Any, Any], Awaitable[None]]
KEEP_ALIVE = 75  # seconds: longer than the door keeps a connection
GOODBYE = 2  # seconds that requests under way have at the end


class AsgiFrontend(ShippedFrontend):
    """Shows an ASGI application.

    Its paths begin with `scope["root_path"]`, which is the path of its tab: links that are made with it, or relative ones, hold.

    Args:
        app: the application, or where it is, such as "package.module:app".

    Raises:
        FrontendTypeError: (TypeError) neither.

    Example:
        def configure_layout(self):
            return AsgiFrontend(fastapi_app)
    """

    def __init__(self, app: App | str) -> None:
        super().__init__()
        self.app = check_application("AsgiFrontend", app)

    def serve(self, listen: Listen) -> None:
        serve_asgi(under(find(self.app), listen.base), listen)


def check_application(frontend: str, app: Any) -> Any:
    """An application, or a text that says where one is.

    Raises:
        FrontendTypeError: (TypeError) neither.
    """
    if callable(app) or (isinstance(app, str) and ":" in app):
        return app
    raise FrontendTypeError(
        f'The `{frontend}` needs an application, or a text such as "package.module:app", not {app!r}.'
    )


def find(app: Any) -> Any:
    """The application itself."""
    if not isinstance(app, str):
        return app
    module, _, path = app.partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    return found


def under(app: App, base: str) -> App:
    """The application with all of its paths below `base`."""

    async def based(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket"):
            scope = {**scope, "root_path": base}
        await app(scope, receive, send)

    return based


def serve_asgi(app: App, listen: Listen) -> None:
    """Serve until SIGTERM."""
    import uvicorn

    config = uvicorn.Config(
        app,
        log_level="warning",
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GOODBYE,
        forwarded_allow_ips="*" if listen.path else None,  # only the front door comes through the socket
    )
    uvicorn.Server(config).run(sockets=[listen.bind()])
