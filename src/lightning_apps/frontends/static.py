"""A folder of files as a page.  Knows no more of them than that there will be an index.html."""

from __future__ import annotations

import importlib
import os

from ..base.errors import WrongPlace
from .base import Listen, ShippedFrontend


class StaticWebFrontend(ShippedFrontend):
    """Shows a folder with an `index.html`.

    In an app the app's own server shows the folder, without a process.

    Args:
        serve_dir: the folder; it need not be there yet.
    """

    def __init__(self, serve_dir: str | os.PathLike[str]) -> None:
        super().__init__()
        self.serve_dir = serve_dir

    @property
    def folder(self) -> str:
        """The folder, if the app's own server can show it: a subclass may bring a server of its own."""
        return os.path.abspath(self.serve_dir) if self.served_here else ""

    def serve(self, listen: Listen) -> None:
        if listen.path:
            raise WrongPlace("A folder is shown by the app's own server, not through a socket.")
        module = importlib.import_module(
            "lightning_apps.frontends.files"
        )  # takes long, so only in the process that serves
        module.serve(listen.host, listen.port, listen.base, os.path.abspath(self.serve_dir))
