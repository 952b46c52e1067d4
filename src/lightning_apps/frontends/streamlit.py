"""A Streamlit page.  Streamlit itself is needed only to serve it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..model.layout import check_function
from .base import ShippedFrontend


class StreamlitFrontend(ShippedFrontend):
    """Shows what a function draws with Streamlit.

    Args:
        render_fn: a function of a module, called with the flow's state.

    Raises:
        FrontendTypeError: (TypeError) a method.
    """

    needs = "streamlit"

    def __init__(self, render_fn: Callable[..., Any]) -> None:
        super().__init__()
        self.render_fn = check_function("StreamlitFrontend", "render_fn", render_fn)
