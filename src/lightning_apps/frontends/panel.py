"""A Panel page.  Panel itself is needed only to serve it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ..model.layout import check_function
from .base import Listen, ShippedFrontend


class PanelFrontend(ShippedFrontend):
    """Shows a Panel app.

    Args:
        entry_point: a function of a module, called without arguments, or the path of a script or notebook.

    Raises:
        FrontendTypeError: (TypeError) a method.
    """

    needs = ("panel",)

    def __init__(self, entry_point: str | os.PathLike[str] | Callable[..., Any]) -> None:
        super().__init__()
        is_path = isinstance(entry_point, (str, os.PathLike))
        self.entry_point = entry_point if is_path else check_function("PanelFrontend", "entry_point", entry_point)

    def serve(self, listen: Listen) -> None:
        import logging

        import panel

        shown: Any = self.entry_point
        if isinstance(shown, os.PathLike):
            shown = os.fspath(shown)
        logging.getLogger("bokeh.server.util").setLevel(
            logging.ERROR
        )  # it warns of origins that the front door has looked at
        where: dict[str, Any] = {"unix_socket": listen.path} if listen.path else {"address": listen.host}
        panel.serve(
            {"/": shown},
            port=listen.port,
            prefix=listen.base,
            show=False,
            verbose=False,
            title=listen.base.rpartition("/")[2] or None,
            websocket_origin="*",  # only the front door, which has looked at the origin, comes through the socket
            **where,
        )
