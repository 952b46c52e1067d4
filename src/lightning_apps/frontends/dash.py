"""A Dash application.  Dash itself is needed only to serve it."""

from __future__ import annotations

from typing import Any

from ..model.layout import FrontendTypeError, check_function
from .asgi import serve_asgi
from .base import Listen, ShippedFrontend
from .gradio import call
from .wsgi import as_asgi


class DashFrontend(ShippedFrontend):
    """Shows a Dash application.

    Args:
        app: a `dash.Dash`, or a function of a module that returns one; it is called with the flow's state if it takes an argument.

    Raises:
        FrontendTypeError: (TypeError) a method, or nothing that shows.
    """

    needs = ("dash",)

    def __init__(self, app: Any) -> None:
        super().__init__()
        self.app = app if hasattr(app, "layout") else check_function("DashFrontend", "app", app)

    def serve(self, listen: Listen) -> None:
        app: Any = self.app if hasattr(self.app, "layout") else call(self.app, listen)
        if not hasattr(app, "layout") or not hasattr(app, "server"):
            raise FrontendTypeError(f"The function of a DashFrontend has to return a dash.Dash, not {app!r}.")
        names = ["url_base_pathname", "routes_pathname_prefix", "requests_pathname_prefix"]
        app.config.unset_read_only(names)
        app.config.requests_pathname_prefix = f"{listen.base}/"
        app.config.set_read_only(names, "The path of a Dash application is that of its tab.")
        serve_asgi(as_asgi(app.server, listen.base), listen)
