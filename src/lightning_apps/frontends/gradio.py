"""A Gradio interface.  Gradio itself is needed only to serve it."""

from __future__ import annotations

from typing import Any

from ..model.layout import FrontendTypeError, check_function
from .asgi import serve_asgi
from .base import Listen, ShippedFrontend


class GradioFrontend(ShippedFrontend):
    """Shows a Gradio interface.

    Args:
        demo: a `gradio.Blocks` (or `Interface`), or a function of a module that returns one; it is called with the flow's state
            if it takes an argument.
        launch: further arguments of `gradio.mount_gradio_app`, such as `auth` or `allowed_paths`.

    Raises:
        FrontendTypeError: (TypeError) a method, or nothing that shows.
    """

    needs = ("gradio",)

    def __init__(self, demo: Any, **launch: Any) -> None:
        super().__init__()
        self.demo = demo if hasattr(demo, "launch") else check_function("GradioFrontend", "demo", demo)
        self.launch = launch

    def serve(self, listen: Listen) -> None:
        import fastapi
        import gradio

        demo = self.demo if hasattr(self.demo, "launch") else call(self.demo, listen)
        if not hasattr(demo, "launch"):
            raise FrontendTypeError(f"The function of a GradioFrontend has to return a gradio.Blocks, not {demo!r}.")
        around = fastapi.FastAPI()
        serve_asgi(gradio.mount_gradio_app(around, demo, path=listen.base or "/", **self.launch), listen)


def call(function: Any, listen: Listen) -> Any:
    """What it makes of the state, if it wants it."""
    return function(listen.state()) if takes_argument(function) else function()


def takes_argument(function: Any) -> bool:
    """Whether it can be called with one argument."""
    import inspect

    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:
        return True
    return True
