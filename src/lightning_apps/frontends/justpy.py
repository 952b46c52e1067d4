"""A JustPy page.  JustPy itself is needed only to serve it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..model.layout import FrontendTypeError, check_function
from .asgi import serve_asgi, under
from .base import Listen, ShippedFrontend


class JustPyFrontend(ShippedFrontend):
    """Shows a JustPy page.

    Args:
        render_fn: a function of a module that takes a function returning the state, and returns the page's function.

    Raises:
        FrontendTypeError: (TypeError) a method.
    """

    needs = ("justpy",)

    def __init__(self, render_fn: Callable[..., Any]) -> None:
        super().__init__()
        self.render_fn = check_function("JustPyFrontend", "render_fn", render_fn)

    def serve(self, listen: Listen) -> None:
        import justpy

        page = self.render_fn(listen.state)
        if not callable(page):
            raise FrontendTypeError("You need to return a function with JustPy Frontend.")
        justpy.justpy(page, start_server=False)
        serve_asgi(under(justpy.app, listen.base), listen)
