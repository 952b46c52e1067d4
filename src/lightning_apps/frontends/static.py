"""A folder of files as a page.  Knows no more of them than that there will be an index.html."""

from __future__ import annotations

import os

from .base import ShippedFrontend


class StaticWebFrontend(ShippedFrontend):
    """Shows a folder with an `index.html`.

    Args:
        serve_dir: the folder; it need not be there yet.
    """

    def __init__(self, serve_dir: str | os.PathLike[str]) -> None:
        super().__init__()
        self.serve_dir = serve_dir
