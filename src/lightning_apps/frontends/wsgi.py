"""Any WSGI application as a page: Flask, Django, Bottle …  Knows no more of it than that it can be called."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any

from .asgi import check_application, find, serve_asgi
from .base import Listen, ShippedFrontend

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class WsgiFrontend(ShippedFrontend):
    """Shows a WSGI application.

    It is told the path of its tab as `SCRIPT_NAME`: what makes its links with that (Flask's `url_for` does) needs nothing else.

    Args:
        app: the application, or where it is, such as "package.module:app".

    Raises:
        FrontendTypeError: (TypeError) neither.
    """

    def __init__(self, app: WsgiApp | str) -> None:
        super().__init__()
        self.app = check_application("WsgiFrontend", app)

    def serve(self, listen: Listen) -> None:
        serve_asgi(as_asgi(find(self.app), listen.base), listen)


def as_asgi(app: WsgiApp, base: str) -> Any:
    """It as an ASGI application, with `base` as `SCRIPT_NAME`."""
    module = importlib.import_module(
        "lightning_apps.frontends.as_asgi"
    )  # takes long, so only in the process that serves
    return module.AsAsgi(app, base)
